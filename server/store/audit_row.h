/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The audit of provisions: one chain per tenant. Each row's hash covers the
 * row and the hash before it, so a changed, missing or moved row is found.
 */
#ifndef QM_AUDIT_ROW_H
#define QM_AUDIT_ROW_H

#include "server/store/store.h"

struct audit_row {
	struct uuid tenant;
	uint64_t seq; /* given by append */
	int64_t time_ms;
	struct uuid actor_id, object_id; /* nil: none */
	char actor[301];
	char action[65];
	char object[301];
	char origin[65]; /* address of the caller */
	char request_id[65];
	char result[65]; /* "OK" or a reason */
	uint8_t hash[32];
};

typedef int (*audit_row_fn)(void *arg, const struct audit_row *row);

/* Fills seq and hash. ERR_NOT_FOUND: no such tenant. */
int audit_row_append(struct txn *txn, struct audit_row *row) _must_check_;
/* Newest first, those before a seq. */
int audit_row_list(struct txn *txn, const struct uuid *tenant, uint64_t before, uint32_t limit,
		   audit_row_fn fn, void *arg) _must_check_;

enum audit_fault { AUDIT_WHOLE, AUDIT_CHANGED, AUDIT_MISSING };

struct audit_check {
	/* What somebody noted of a row elsewhere; 0: nothing. */
	uint64_t known_seq;
	uint8_t known_hash[32];

	/* What was found: the first row that does not fit, or is not there. */
	enum audit_fault fault;
	uint64_t bad_seq;
	/* Rows that are there, and the newest one's hash as it should be. */
	uint64_t n_rows;
	uint8_t head[32];
};

/* Walks the whole chain. ERR_NOT_FOUND: no such tenant. */
int audit_row_verify(struct txn *txn, const struct uuid *tenant, struct audit_check *check)
	_must_check_;

#endif
