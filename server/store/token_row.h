/* SPDX-License-Identifier: Apache-2.0 */
/* Service tokens: programs that act for a user. Only hashes of their secrets. */
#ifndef QM_TOKEN_ROW_H
#define QM_TOKEN_ROW_H

#include "server/store/store.h"

#define TOKEN_ROW_METHODS_MAX 2112 /* 32 names of 64, and a blank after each */

struct token_row {
	struct uuid tenant, id, user;
	char name[65];
	int role;
	char methods[TOKEN_ROW_METHODS_MAX]; /* blanks between; "": all */
	uint8_t hash[32];
	int64_t created_ms, expires_ms, used_ms; /* used_ms 0: never */
	char user_name[129];                     /* read only */
};

struct token_filter {
	struct uuid user;  /* nil: everybody's */
	struct uuid after; /* those after it */
	uint32_t limit;
};

typedef int (*token_row_fn)(void *arg, const struct token_row *row);

/* -EEXIST: the user has one of that name. */
int token_row_insert(struct txn *txn, const struct token_row *row) _must_check_;
/* By id alone: the tenant is told by the row. ERR_NOT_FOUND. */
int token_row_get(struct txn *txn, const struct uuid *id, struct token_row *ret) _must_check_;
/* Of one user, those that have expired and were not pruned yet too. */
int token_row_count(struct txn *txn, const struct uuid *tenant, const struct uuid *user,
		    uint32_t *ret_n) _must_check_;
int token_row_delete(struct txn *txn, const struct uuid *tenant, const struct uuid *id)
	_must_check_;
/* Removes those of the user that have another role. */
int token_row_keep_role(struct txn *txn, const struct uuid *tenant, const struct uuid *user,
			int role) _must_check_;
int token_row_used(struct txn *txn, const struct uuid *id, int64_t now_ms) _must_check_;
/* In order of id. */
int token_row_list(struct txn *txn, const struct uuid *tenant, const struct token_filter *filter,
		   token_row_fn fn, void *arg) _must_check_;
int token_row_prune(struct txn *txn, int64_t now_ms) _must_check_;

#endif
