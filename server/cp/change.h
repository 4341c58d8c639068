/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A change of a tenant's log: begin takes the next generation, put and remove
 * write members with their published bytes and keep the digest, end logs it.
 * All within one write.
 */
#ifndef QM_CHANGE_H
#define QM_CHANGE_H

#include "server/store/device_row.h"
#include "server/store/node_row.h"
#include "server/store/tenant_row.h"

struct change {
	struct tenant_row tenant;
	int64_t now_ms;
};

/* ERR_NOT_FOUND: no such tenant. */
int change_begin(struct txn *txn, const struct uuid *tenant, int64_t now_ms,
		 struct change *ret_change) _must_check_;
/* New members; ERR_DEVICE_CAP_REACHED from the constraint behind the plan. */
int change_add_device(struct txn *txn, struct change *change, struct device_row *row) _must_check_;
int change_add_node(struct txn *txn, struct change *change, struct node_row *row) _must_check_;
/* Everything of a device that may change, with its keys. */
int change_save_device(struct txn *txn, struct change *change, struct device_row *row) _must_check_;
/* Takes it out of every table; its address rests. ERR_NOT_FOUND. */
int change_remove(struct txn *txn, struct change *change, const struct uuid *id, uint32_t ip4)
	_must_check_;
int change_end(struct txn *txn, struct change *change) _must_check_;

#endif
