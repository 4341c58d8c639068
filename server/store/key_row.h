/* SPDX-License-Identifier: Apache-2.0 */
/* Public keys of members: no key twice in a tenant. */
#ifndef QM_KEY_ROW_H
#define QM_KEY_ROW_H

#include "base/key.h"
#include "server/store/store.h"

enum { KEY_ACTIVE = 1, KEY_PENDING = 2 };

struct key_row {
	struct key public_key;
	uint32_t key_version; /* 0: no key in this slot */
	uint32_t psk_version;
	int64_t until_ms; /* pending keys: end of the overlap; 0: none */
};

/* -EEXIST: in use. */
int key_row_insert(struct txn *txn, const struct uuid *tenant, const struct uuid *member, int slot,
		   const struct key_row *row) _must_check_;
int key_row_delete(struct txn *txn, const struct uuid *tenant, const struct uuid *member, int slot)
	_must_check_;
/* Whose key it is; ERR_NOT_FOUND: nobody's. */
int key_row_owner(struct txn *txn, const struct uuid *tenant, const struct key *public_key,
		  struct uuid *ret_member) _must_check_;
/* How many keys of devices name a psk version: walks them all, for rotations. */
int key_row_count_psk(struct txn *txn, uint32_t psk_version, uint32_t *ret_n) _must_check_;
/* A pending key whose overlap is over; ERR_NOT_FOUND. */
int key_row_lapsed(struct txn *txn, int64_t now_ms, struct uuid *ret_tenant,
		   struct uuid *ret_member, uint32_t *ret_key_version) _must_check_;

#endif
