/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The signed heads of audit chains, one a day and tenant. While no row is added
 * a newer signature takes the place of the older one.
 */
#ifndef QM_HEAD_ROW_H
#define QM_HEAD_ROW_H

#include "server/store/audithead.h"
#include "server/store/store.h"

typedef int (*head_row_fn)(void *arg, const struct audithead *head);

/* The panel is not stored: the store has one. */
int head_row_put(struct txn *txn, const struct audithead *head) _must_check_;
/* Of one tenant, oldest first. */
int head_row_list(struct txn *txn, const struct uuid *tenant, head_row_fn fn, void *arg)
	_must_check_;
/* The newest of each tenant, in order of tenants after one. */
int head_row_newest(struct txn *txn, const struct uuid *after, uint32_t limit, head_row_fn fn,
		    void *arg) _must_check_;
/*
 * Tenants of which no head was signed from one time up to before another: tenant,
 * seq and hash as the chain is now. In order of tenants.
 */
int head_row_due(struct txn *txn, int64_t from_ms, int64_t before_ms, uint32_t limit,
		 head_row_fn fn, void *arg) _must_check_;
/* Of all tenants after one: tenant, seq and hash as the chain is now. */
int head_row_present(struct txn *txn, const struct uuid *after, uint32_t limit, head_row_fn fn,
		     void *arg) _must_check_;

#endif
