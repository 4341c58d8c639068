/* SPDX-License-Identifier: Apache-2.0 */
/* Idempotency-Keys of creating calls that were done, with what they made. */
#ifndef QM_REPLAY_ROW_H
#define QM_REPLAY_ROW_H

#include "server/store/store.h"

#define REPLAY_ROW_KEY_MAX 128
#define REPLAY_ROW_KEEP_MS (24 * 3600 * INT64_C(1000))

struct replay_row {
	struct uuid tenant, user;
	char key[REPLAY_ROW_KEY_MAX + 1];
	uint8_t hash[32]; /* of method and request */
	struct uuid device;
	uint32_t key_version; /* of the key that the last answer showed */
	int64_t made_ms;      /* the first time */
	int64_t shown_ms;     /* when key_version was made */
};

/* By tenant, user and key, which may lie in ret. ERR_NOT_FOUND: never, or too long ago. */
int replay_row_get(struct txn *txn, const struct replay_row *key, int64_t now_ms,
		   struct replay_row *ret) _must_check_;
/* New, or in the place of one with the same key. */
int replay_row_put(struct txn *txn, const struct replay_row *row) _must_check_;
int replay_row_prune(struct txn *txn, int64_t now_ms) _must_check_;

#endif
