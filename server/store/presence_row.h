/* SPDX-License-Identifier: Apache-2.0 */
/* Last seen times of devices, written every few minutes. */
#ifndef QM_PRESENCE_ROW_H
#define QM_PRESENCE_ROW_H

#include "server/store/store.h"

struct presence_row {
	struct uuid tenant, device;
	int64_t handshake_ms, seen_ms; /* 0: never */
	uint64_t rx, tx;
};

typedef int (*presence_row_fn)(void *arg, const struct presence_row *row);

/* A device that is gone is passed over. */
int presence_row_put(struct txn *txn, const struct presence_row *row) _must_check_;
int presence_row_all(struct txn *txn, presence_row_fn fn, void *arg) _must_check_;

#endif
