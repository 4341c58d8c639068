/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes: the whole of one, from members, nodes and keys. */
#ifndef QM_NODE_ROW_H
#define QM_NODE_ROW_H

#include "server/store/key_row.h"
#include "server/store/member_row.h"

struct node_row {
	struct uuid tenant, id;
	char label[257], slug[64];
	uint32_t ip4;
	int64_t created_ms;
	uint64_t generation;
	uint8_t identity[32]; /* Ed25519 */
	char endpoint[262];
	char version[65];
	struct key public_key;
};

typedef int (*node_row_fn)(void *arg, const struct node_row *row);

/* The nodes row alone. */
int node_row_insert(struct txn *txn, const struct node_row *row) _must_check_;
/* ERR_NOT_FOUND. */
int node_row_get(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		 struct node_row *ret) _must_check_;
/* By id alone, for the first call of a node: the tenant comes from here. */
int node_row_find(struct txn *txn, const struct uuid *id, struct uuid *ret_tenant,
		  uint8_t ret_identity[32]) _must_check_;
/* In the order of creation, those after it. */
int node_row_list(struct txn *txn, const struct uuid *tenant, const struct uuid *after,
		  uint32_t limit, node_row_fn fn, void *arg) _must_check_;
/* Whose home it is: walks them all, so for lists that people look at. */
int node_row_count_devices(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
			   uint32_t *ret_n) _must_check_;

#endif
