/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A timer knows its place in the heap, so that clearing one needs no search.
 */
#include "server/rpc/timer.h"

#include <errno.h>

static void place(struct timer_heap *h, struct timer *t, size_t i)
{
	h->v[i] = t;
	t->slot = i + 1;
}

static void up(struct timer_heap *h, struct timer *t, size_t i)
{
	while (i > 0) {
		size_t parent = (i - 1) / 2;

		if (h->v[parent]->at_ms <= t->at_ms)
			break;
		place(h, h->v[parent], i);
		i = parent;
	}
	place(h, t, i);
}

static void down(struct timer_heap *h, struct timer *t, size_t i)
{
	for (;;) {
		size_t child = 2 * i + 1;

		if (child >= h->n)
			break;
		if (child + 1 < h->n && h->v[child + 1]->at_ms < h->v[child]->at_ms)
			child++;
		if (t->at_ms <= h->v[child]->at_ms)
			break;
		place(h, h->v[child], i);
		i = child;
	}
	place(h, t, i);
}

int timer_set(struct timer_heap *h, struct timer *t, uint64_t at_ms)
{
	timer_clear(h, t);
	if (h->n == h->cap) {
		size_t cap = h->cap ? h->cap * 2 : 64;
		struct timer **v = reallocarray(h->v, cap, sizeof(struct timer *));

		if (!v)
			return -ENOMEM;
		h->v = v;
		h->cap = cap;
	}
	t->at_ms = at_ms;
	up(h, t, h->n++);
	return 0;
}

void timer_clear(struct timer_heap *h, struct timer *t)
{
	if (t->slot == 0)
		return;
	size_t i = t->slot - 1;
	struct timer *last = h->v[--h->n];

	t->slot = 0;
	if (last == t)
		return;
	if (i > 0 && last->at_ms < h->v[(i - 1) / 2]->at_ms)
		up(h, last, i);
	else
		down(h, last, i);
}

void timer_run(struct timer_heap *h, uint64_t now_ms)
{
	while (h->n > 0 && h->v[0]->at_ms <= now_ms) {
		struct timer *t = h->v[0];

		timer_clear(h, t);
		t->fn(t);
	}
}

uint64_t timer_next(const struct timer_heap *h)
{
	return h->n ? h->v[0]->at_ms : UINT64_MAX;
}

void timer_heap_done(struct timer_heap *h)
{
	free(h->v);
	*h = (struct timer_heap){0};
}
