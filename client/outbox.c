/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests on their way out; see outbox.h. Compression happens on the thread
 * that adds: the I/O thread has other calls to serve.
 */
#include "client/outbox.h"

#include <errno.h>
#include <string.h>

#include "base/frame.h"
#include "base/gzip.h"

#define FLAG_GZIP 1

struct outbox_piece {
	TAILQ_ENTRY(outbox_piece) link;
	size_t len;
	uint8_t bytes[]; /* with the frame head */
};

void outbox_init(struct outbox *o, bool gzip)
{
	*o = (struct outbox){.gzip = gzip};
	pthread_mutex_init(&o->lock, NULL);
	TAILQ_INIT(&o->pieces);
}

static void drop_first(struct outbox *o)
{
	struct outbox_piece *piece = TAILQ_FIRST(&o->pieces);

	TAILQ_REMOVE(&o->pieces, piece, link);
	explicit_bzero(piece->bytes, piece->len);
	free(piece);
}

void outbox_done(struct outbox *o)
{
	while (!TAILQ_EMPTY(&o->pieces))
		drop_first(o);
	pthread_mutex_destroy(&o->lock);
}

static struct outbox_piece *make_piece(uint8_t flag, const void *message, size_t len)
{
	struct outbox_piece *piece = malloc(sizeof(*piece) + FRAME_HEAD_LEN + len);

	if (!piece)
		return NULL;
	piece->len = FRAME_HEAD_LEN + len;
	frame_head(piece->bytes, flag, (uint32_t)len);
	if (len > 0)
		memcpy(piece->bytes + FRAME_HEAD_LEN, message, len);
	return piece;
}

static struct outbox_piece *make(const struct outbox *o, const void *message, size_t len)
{
	/* More than it came to is no gain: the limit makes the message go as it is. */
	_cleanup_(text_done) struct text small = TEXT_INIT(len);

	if (o->gzip && len > 0 && gzip_deflate(message, len, &small) == 0 && small.len < len)
		return make_piece(FLAG_GZIP, small.s, small.len);
	return make_piece(0, message, len);
}

int outbox_add(struct outbox *o, const void *message, size_t len)
{
	struct outbox_piece *piece;
	int r = 0;

	if (len > INT32_MAX || (len > 0 && !message))
		return -EINVAL;
	piece = make(o, message, len);
	if (!piece)
		return -ENOMEM;
	pthread_mutex_lock(&o->lock);
	if (o->ended) {
		r = -EPIPE;
	} else if (o->unsent >= OUTBOX_FULL) {
		o->asked = true;
		r = -EAGAIN;
	} else {
		TAILQ_INSERT_TAIL(&o->pieces, piece, link);
		o->unsent += piece->len;
		if (!o->at)
			o->at = piece;
		piece = NULL;
	}
	pthread_mutex_unlock(&o->lock);
	if (piece) {
		explicit_bzero(piece->bytes, piece->len);
		free(piece);
	}
	return r;
}

void outbox_end(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	o->ended = true;
	pthread_mutex_unlock(&o->lock);
}

size_t outbox_ready(struct outbox *o, size_t most, bool *ret_last)
{
	size_t n;

	pthread_mutex_lock(&o->lock);
	n = o->unsent < most ? o->unsent : most;
	*ret_last = o->ended && n == o->unsent;
	pthread_mutex_unlock(&o->lock);
	return n;
}

/* Under the lock. Sent pieces go when no other try needs them. */
static void drop_sent(struct outbox *o)
{
	if (!o->committed && o->kept <= OUTBOX_KEPT_MAX)
		return;
	while (!TAILQ_EMPTY(&o->pieces) && TAILQ_FIRST(&o->pieces) != o->at) {
		drop_first(o);
		o->cut = true;
	}
}

bool outbox_take(struct outbox *o, uint8_t *to, size_t len)
{
	bool room;

	pthread_mutex_lock(&o->lock);
	while (len > 0) {
		size_t n = o->at->len - o->at_sent;

		n = n < len ? n : len;
		memcpy(to, o->at->bytes + o->at_sent, n);
		to += n;
		len -= n;
		o->at_sent += n;
		o->unsent -= n;
		if (o->at_sent < o->at->len)
			break;
		/* A single request is always kept: it is bounded by what its caller made. */
		if (TAILQ_FIRST(&o->pieces) != o->at || TAILQ_NEXT(o->at, link))
			o->kept += o->at->len;
		o->at = TAILQ_NEXT(o->at, link);
		o->at_sent = 0;
	}
	drop_sent(o);
	room = o->asked && o->unsent <= OUTBOX_FULL / 2;
	if (room)
		o->asked = false;
	pthread_mutex_unlock(&o->lock);
	return room;
}

bool outbox_is_over(struct outbox *o)
{
	bool over;

	pthread_mutex_lock(&o->lock);
	over = o->ended && o->unsent == 0;
	pthread_mutex_unlock(&o->lock);
	return over;
}

void outbox_commit(struct outbox *o)
{
	pthread_mutex_lock(&o->lock);
	o->committed = true;
	drop_sent(o);
	pthread_mutex_unlock(&o->lock);
}

bool outbox_rewind(struct outbox *o)
{
	struct outbox_piece *piece;

	pthread_mutex_lock(&o->lock);
	if (!o->cut) {
		o->at = TAILQ_FIRST(&o->pieces);
		o->at_sent = o->kept = o->unsent = 0;
		o->committed = false;
		TAILQ_FOREACH(piece, &o->pieces, link)
		o->unsent += piece->len;
	}
	pthread_mutex_unlock(&o->lock);
	return !o->cut;
}
