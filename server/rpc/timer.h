/* SPDX-License-Identifier: Apache-2.0 */
/* Timers of one loop in a binary heap: set, clear and run in O(log n). */
#ifndef QM_TIMER_H
#define QM_TIMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* Embedded by its owner; zeroed before first use. */
struct timer {
	uint64_t at_ms;
	size_t slot; /* place in the heap plus one; 0: not set */
	void (*fn)(struct timer *t);
};

struct timer_heap {
	struct timer **v;
	size_t n, cap;
};

/* Sets or moves. -ENOMEM. */
int timer_set(struct timer_heap *h, struct timer *t, uint64_t at_ms) _must_check_;
void timer_clear(struct timer_heap *h, struct timer *t);
/* Runs all that are due; a timer is cleared before its fn. */
void timer_run(struct timer_heap *h, uint64_t now_ms);
/* UINT64_MAX: none. */
uint64_t timer_next(const struct timer_heap *h);
void timer_heap_done(struct timer_heap *h);

#endif
