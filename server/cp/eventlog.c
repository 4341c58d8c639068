/* SPDX-License-Identifier: Apache-2.0 */
/* A ring. Generations only grow, so the right entry is found by halving. */
#include "server/cp/eventlog.h"

#include <stdlib.h>

static struct eventlog_entry *entry(const struct eventlog *l, size_t i)
{
	return &l->ring[(l->first + i) % LIMIT_EVENT_LOG];
}

static void drop_oldest(struct eventlog *l)
{
	struct eventlog_entry *e = entry(l, 0);

	l->bytes -= e->frame->len;
	frame_unref(e->frame);
	l->first = (l->first + 1) % LIMIT_EVENT_LOG;
	l->n--;
}

void eventlog_done(struct eventlog *l)
{
	while (l->n)
		drop_oldest(l);
	free(l->ring);
	*l = (struct eventlog){0};
}

void eventlog_add(struct eventlog *l, uint64_t from, uint64_t to, struct frame *frame)
{
	if (l->n && entry(l, l->n - 1)->to != from)
		eventlog_done(l);
	/* One that is too large by itself would only push out the others. */
	if (frame->len > LIMIT_EVENT_LOG_BYTES) {
		eventlog_done(l);
		return;
	}
	if (!l->ring)
		l->ring = calloc(LIMIT_EVENT_LOG, sizeof(*l->ring));
	if (!l->ring)
		return;
	while (l->n == LIMIT_EVENT_LOG || (l->n && l->bytes + frame->len > LIMIT_EVENT_LOG_BYTES))
		drop_oldest(l);
	*entry(l, l->n++) =
		(struct eventlog_entry){.from = from, .to = to, .frame = frame_ref(frame)};
	l->bytes += frame->len;
}

bool eventlog_find(const struct eventlog *l, uint64_t generation, size_t *ret_at)
{
	size_t low = 0, high = l->n;

	if (!l->n || generation < entry(l, 0)->from)
		return false;
	/* The first one that leads beyond it. */
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (entry(l, middle)->to > generation)
			high = middle;
		else
			low = middle + 1;
	}
	*ret_at = low;
	return true;
}

const struct eventlog_entry *eventlog_at(const struct eventlog *l, size_t i)
{
	return entry(l, i);
}
