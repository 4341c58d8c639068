/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Creating calls that are repeated under one Idempotency-Key: which run now, in
 * memory, and which were done, in the store for 24 h beside what they made. A
 * refused call leaves no trace: its repetition is a first time.
 */
#ifndef QM_REPLAY_H
#define QM_REPLAY_H

#include "server/cp/cp.h"
#include "server/store/replay_row.h"

struct replays;

struct replays *replays_new(void);
void replays_free(struct replays *all);

/* One call's part; zero: it came without a key. */
struct replay {
	bool asked;
	/* In the write: it was done before. */
	bool found;
	/* The device shook hands with the key that the last answer showed. */
	bool taken;
	struct replay_row row;
};

/*
 * The call's key, checked and marked as running until replay_leave. In words:
 * ERR_FIELD_INVALID, ERR_CALL_IN_PROGRESS.
 */
int replay_enter(struct call *call, struct replay *ret_replay) _must_check_;
/* In the write, before anything else: fills found and row. ERR_IDEMPOTENCY_KEY_REUSED. */
int replay_find(struct txn *txn, struct replay *replay, int64_t now_ms) _must_check_;
/* In the write, at its end: what the answer will show. */
int replay_keep(struct txn *txn, struct replay *replay, const struct uuid *device,
		uint32_t key_version, int64_t now_ms) _must_check_;
/* The call is over, whatever came of it. */
void replay_leave(struct replays *all, const struct call *call);

#endif
