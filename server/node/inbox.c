/* SPDX-License-Identifier: Apache-2.0 */
/* Notes for one thread from all others. */
#include "server/node/inbox.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/key.h"

void inbox_init(struct inbox *b)
{
	pthread_condattr_t attr;

	*b = (struct inbox){0};
	b->end = &b->first;
	pthread_mutex_init(&b->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&b->filled, &attr);
	pthread_condattr_destroy(&attr);
}

void inbox_note_free(struct inbox_note *note)
{
	key_wipe_bytes(note->bytes, note->len);
	free(note);
}

void inbox_done(struct inbox *b)
{
	while (b->first) {
		struct inbox_note *note = b->first;

		b->first = note->next;
		inbox_note_free(note);
	}
	pthread_cond_destroy(&b->filled);
	pthread_mutex_destroy(&b->lock);
}

int inbox_post(struct inbox *b, const struct inbox_note *head, const void *p, size_t len)
{
	struct inbox_note *note = malloc(sizeof(*note) + len);
	int r = note ? 0 : -ENOMEM;

	if (note) {
		memcpy(note, head, sizeof(*note));
		note->next = NULL;
		note->len = len;
		if (len)
			memcpy(note->bytes, p, len);
	}
	pthread_mutex_lock(&b->lock);
	if (note && len && b->n_bytes + len > INBOX_MAX_BYTES) {
		inbox_note_free(note);
		note = NULL;
		r = -ENOBUFS;
	}
	if (note) {
		b->n_bytes += len;
		*b->end = note;
		b->end = &note->next;
	} else {
		b->overflowed = true;
	}
	pthread_cond_signal(&b->filled);
	pthread_mutex_unlock(&b->lock);
	return r;
}

struct inbox_note *inbox_take(struct inbox *b, uint64_t ms, bool *ret_overflowed)
{
	struct inbox_note *notes;
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += (time_t)(ms / 1000);
	until.tv_nsec += (long)(ms % 1000) * 1000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_mutex_lock(&b->lock);
	while (!b->first && !b->overflowed)
		if (pthread_cond_timedwait(&b->filled, &b->lock, &until))
			break;
	notes = b->first;
	b->first = NULL;
	b->end = &b->first;
	b->n_bytes = 0;
	*ret_overflowed = b->overflowed;
	b->overflowed = false;
	pthread_mutex_unlock(&b->lock);
	return notes;
}
