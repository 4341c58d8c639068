/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members of a tenant's log: what nodes and devices share, and the record
 * bytes as they were first published. A removed member leaves its id with the
 * generation that removed it.
 */
#ifndef QM_MEMBER_ROW_H
#define QM_MEMBER_ROW_H

#include "server/store/store.h"

enum { MEMBER_ROW_NODE = 1, MEMBER_ROW_DEVICE = 2 };
enum { MEMBER_ROW_ACTIVE = 1, MEMBER_ROW_SUSPENDED = 2 };

#define MEMBER_ROW_RECORD_MAX 2048

struct member_row {
	struct uuid tenant, id;
	int kind, state;
	char label[257], slug[64];
	uint32_t ip4;
	int64_t created_ms;
	/* Encoded Member; borrowed. */
	const uint8_t *record;
	size_t record_len;
	uint64_t generation;
};

/* Record bytes are valid during the call. */
typedef int (*member_row_fn)(void *arg, const struct uuid *id, const uint8_t *record, size_t len);
typedef int (*member_gone_fn)(void *arg, const struct uuid *id);

/* ERR_LABEL_TAKEN or ERR_ADDRESS_IN_USE are the caller's to find first: -EEXIST here. */
int member_row_insert(struct txn *txn, const struct member_row *row) _must_check_;
/* Label, slug, state, record, generation. */
int member_row_save(struct txn *txn, const struct member_row *row) _must_check_;
/* With all that hangs on it; logs the removal. */
int member_row_delete(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		      uint64_t generation) _must_check_;
/* The record now stored; ERR_NOT_FOUND. */
int member_row_record(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		      uint8_t ret[MEMBER_ROW_RECORD_MAX], size_t *ret_len) _must_check_;
/* Whose name it is; ERR_NOT_FOUND: free. */
int member_row_by_slug(struct txn *txn, const struct uuid *tenant, const char *slug,
		       struct uuid *ret_id) _must_check_;
/* Records changed after a generation; 0: all of them. */
int member_row_since(struct txn *txn, const struct uuid *tenant, uint64_t generation,
		     member_row_fn fn, void *arg) _must_check_;
/* Members removed after a generation. */
int member_row_gone(struct txn *txn, const struct uuid *tenant, uint64_t generation,
		    member_gone_fn fn, void *arg) _must_check_;

#endif
