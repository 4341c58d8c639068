/* SPDX-License-Identifier: Apache-2.0 */
/*
 * All members of a tenant in memory, in the order of their ids (UUIDv7: the
 * order of creation), with the tenant record and the digest of the list.
 * Not locked: the owner does that.
 */
#ifndef QM_MEMBERS_H
#define QM_MEMBERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/peers/digest.h"
#include "server/peers/member.h"
#include "server/peers/tenantrec.h"

struct members;

struct members *members_new(void); /* NULL: out of memory */
void members_free(struct members *ms);
CLEANUP_DEFINE(struct members, members_free);

/* Adds or replaces by id; pointers to the old record end. -EBADMSG, -ENOMEM. */
int members_put(struct members *ms, const void *bytes, size_t len) _must_check_;
/* False: was not there. */
bool members_remove(struct members *ms, const struct uuid *id);
int members_set_tenant(struct members *ms, const void *bytes, size_t len) _must_check_;
/*
 * An encoded PeerList: tenant record, upserts, removals. Whole or not at all
 * but for -ENOMEM. -EBADMSG when the list or any member does not decode,
 * -EILSEQ when it does not lead to the expected digest (may be NULL).
 */
int members_apply(struct members *ms, const void *list, size_t len, const struct digest *expected)
	_must_check_;
/*
 * Who hears of each change as it is made, in the list's order: the record as it was and as it is,
 * NULL where there is none; both NULL: the tenant's. Both are there while fn runs.
 */
struct members_ear {
	void (*fn)(void *arg, const struct member *before, const struct member *now);
	void *arg;
};
/* members_apply that tells; ear may be NULL. */
int members_apply_told(struct members *ms, const void *list, size_t len,
		       const struct digest *expected, const struct members_ear *ear) _must_check_;
/* An encoded PeerList on the heap with members from .. (at most max), and the tenant record
 * when from is 0. For snapshots and caches. -ENOMEM. */
int members_encode(const struct members *ms, size_t from, size_t max, uint8_t **ret_bytes,
		   size_t *ret_len) _must_check_;

const struct member *members_get(const struct members *ms, const struct uuid *id);
/* 0 .. members_count - 1, in id order. */
const struct member *members_at(const struct members *ms, size_t i);
/* Index of the first member whose id is greater than id; for paging. */
size_t members_after(const struct members *ms, const struct uuid *id);
/* Who has this public key, active or pending; NULL: nobody. Linear. */
const struct member *members_by_key(const struct members *ms, const struct key *public_key);
size_t members_count(const struct members *ms);
size_t members_devices(const struct members *ms);
const struct tenantrec *members_tenant(const struct members *ms);
const struct digest *members_digest(const struct members *ms);

#endif
