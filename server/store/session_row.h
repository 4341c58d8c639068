/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of people: a row lives until the session would have expired. */
#ifndef QM_SESSION_ROW_H
#define QM_SESSION_ROW_H

#include "server/store/store.h"

struct session_row {
	struct uuid tenant, id, user;
	struct uuid node; /* nil: made at the Control Panel */
	int64_t created_ms, expires_ms;
	bool ended;
};

typedef int (*session_row_fn)(void *arg, const struct uuid *id);

int session_row_insert(struct txn *txn, const struct session_row *row) _must_check_;
/* ERR_NOT_FOUND. */
int session_row_get(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		    struct session_row *ret) _must_check_;
int session_row_end(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		    int64_t now_ms) _must_check_;
/* All of keep's user but keep itself (its id may be nil); each ended one is told to fn. */
int session_row_end_user(struct txn *txn, const struct session_row *keep, int64_t now_ms,
			 session_row_fn fn, void *arg) _must_check_;
/* All of the tenant that were made until then; each ended one is told to fn. */
int session_row_end_before(struct txn *txn, const struct uuid *tenant, int64_t now_ms,
			   session_row_fn fn, void *arg) _must_check_;
/* Ended and not yet expired. */
int session_row_revoked(struct txn *txn, const struct uuid *tenant, int64_t now_ms,
			session_row_fn fn, void *arg) _must_check_;
int session_row_prune(struct txn *txn, int64_t now_ms) _must_check_;

#endif
