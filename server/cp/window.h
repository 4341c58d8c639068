/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window of accepted provisions: so many per user in any 60 s, kept in the
 * write transaction, so it survives restarts and holds across workers.
 */
#ifndef QM_WINDOW_H
#define QM_WINDOW_H

#include "server/store/window_row.h"

#define WINDOW_MAX_STAMPS 100

/* The same instant on three clocks. */
struct window_stamp {
	struct uuid boot_id;
	uint64_t boot_ms;
	int64_t wall_ms;
};

struct window {
	struct window_stamp stamps[WINDOW_MAX_STAMPS]; /* as they came */
	size_t n;
	bool rewritten; /* a stamp lay in the future and counts as now */
};

struct window_rule {
	uint32_t limit; /* at most WINDOW_MAX_STAMPS */
	uint64_t period_ms;
};

/* Whose window, by which rule, at what time. */
struct window_ask {
	struct uuid tenant, user;
	struct window_rule rule;
	struct window_stamp now;
};

struct window_stamp window_now(void);
/* Drops what is too old. 0: there is room; else ms until there is. Pure. */
uint64_t window_judge(struct window *w, const struct window_rule *rule,
		      const struct window_stamp *now);
/* In a write: judges and stamps. ERR_RATE_LIMITED with *ret_retry_ms; *ret_window as judged. */
int window_admit(struct txn *txn, const struct window_ask *ask, struct window *ret_window,
		 uint64_t *ret_retry_ms) _must_check_;
/* After a refusal: keeps rewritten stamps, in the outer transaction. */
int window_settle(struct txn *txn, const struct window_ask *ask, const struct window *w)
	_must_check_;

#endif
