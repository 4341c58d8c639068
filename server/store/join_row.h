/* SPDX-License-Identifier: Apache-2.0 */
/* Join tokens, hashed; and the nonces of renewals, each accepted once. */
#ifndef QM_JOIN_ROW_H
#define QM_JOIN_ROW_H

#include "server/store/store.h"

struct join_row {
	struct uuid id, tenant;
	uint8_t secret_hash[32];
	int64_t expires_ms;
	bool used;
	struct uuid node; /* that used it; nil: none, or before this was kept */
};

int join_row_insert(struct txn *txn, const struct join_row *row) _must_check_;
/* ERR_NOT_FOUND. */
int join_row_get(struct txn *txn, const struct uuid *id, struct join_row *ret) _must_check_;
int join_row_use(struct txn *txn, const struct uuid *id, const struct uuid *node, int64_t now_ms)
	_must_check_;
/* -EEXIST: seen before. Forgets those older than 3 minutes. */
int join_row_nonce(struct txn *txn, const struct uuid *node, const uint8_t nonce[16],
		   int64_t now_ms) _must_check_;

#endif
