/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The wall clock for what must not be had twice by setting it back: never earlier
 * than the latest time that was kept in the store. Kept is what the daemon saw go
 * by for an hour without a jump, so that a clock which was wrong for a moment leaves
 * nothing behind, and a clock that is set back wins an hour at most. One thread
 * ticks; any thread asks.
 */
#ifndef QM_WALLMARK_H
#define QM_WALLMARK_H

#include <stdatomic.h>
#include <stdint.h>

#include "server/store/store.h"

#define WALLMARK_HOUR_MS 3600000
/* The two clocks may drift so far from each other before it is a jump. */
#define WALLMARK_JUMP_MS 60000

struct wallmark {
	struct store *store;
	atomic_int_least64_t latest_ms;
	/* Of the thread that ticks. */
	int64_t offset_ms; /* wall minus boot, when this stretch began */
	uint64_t since_ms; /* boot time at which it began; 0: not begun */
};

/* Reads what was kept. */
int wallmark_init(struct wallmark *w, struct store *store) _must_check_;
/* The time, or the latest that was kept if the clock is before it. */
int64_t wallmark_now_ms(const struct wallmark *w);
/* Each second or so; writes once an hour. */
void wallmark_tick(struct wallmark *w);

#endif
