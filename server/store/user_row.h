/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts of people, and their window of accepted provisions. */
#ifndef QM_USER_ROW_H
#define QM_USER_ROW_H

#include "server/store/store.h"

struct user_row {
	struct uuid tenant, id;
	char name[129];
	int role;
	bool disabled;
	char password[128]; /* Argon2id hash */
	int64_t created_ms;
};

typedef int (*user_row_fn)(void *arg, const struct user_row *row);

/* -EEXIST: the name is taken. */
int user_row_insert(struct txn *txn, const struct user_row *row) _must_check_;
/* ERR_NOT_FOUND. */
int user_row_get(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		 struct user_row *ret) _must_check_;
int user_row_find(struct txn *txn, const struct uuid *tenant, const char *name,
		  struct user_row *ret) _must_check_;
/* Role, password, disabled. */
int user_row_save(struct txn *txn, const struct user_row *row) _must_check_;
/* In order of id, those after it. */
int user_row_list(struct txn *txn, const struct uuid *tenant, const struct uuid *after,
		  uint32_t limit, user_row_fn fn, void *arg) _must_check_;

#endif
