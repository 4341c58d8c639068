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
/* The newest row's number and hash; 0 and zeros: there is none. ERR_NOT_FOUND: no such tenant. */
int audit_row_head(struct txn *txn, const struct uuid *tenant, uint64_t *ret_seq,
		   uint8_t ret_hash[32]) _must_check_;
/* Newest first, those before a seq. */
int audit_row_list(struct txn *txn, const struct uuid *tenant, uint64_t before, uint32_t limit,
		   audit_row_fn fn, void *arg) _must_check_;

/* As the enum AuditFault of admin.proto. */
enum audit_fault { AUDIT_WHOLE, AUDIT_CHANGED, AUDIT_MISSING, AUDIT_REWRITTEN, AUDIT_HEAD };

/* What was noted of a row when it was the newest. */
struct audit_mark {
	uint64_t seq;
	uint8_t hash[32];
};

struct audit_check {
	/* In order of seq; the caller's. */
	const struct audit_mark *marks;
	size_t n_marks;

	/*
	 * What was found: the first row that does not fit, or is not there; n_rows + 1:
	 * all behind n_rows are gone. AUDIT_REWRITTEN: one from from_seq to bad_seq.
	 */
	enum audit_fault fault;
	uint64_t bad_seq, from_seq;
	/* Rows that are there, and the newest one's hash as it should be. */
	uint64_t n_rows;
	uint8_t head[32];
};

/* Walks the whole chain. ERR_NOT_FOUND: no such tenant. */
int audit_row_verify(struct txn *txn, const struct uuid *tenant, struct audit_check *check)
	_must_check_;

#endif
