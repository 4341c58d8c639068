/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the Control Panel told us to trust: keys that sign sessions and lists,
 * its pins, our shares K_N of the preshared keys. From the event Keys.
 */
#ifndef QM_TRUST_H
#define QM_TRUST_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/key.h"
#include "base/sign.h"
#include "quazzar/mesh/v1/agent.pb-c.h"

#define TRUST_MAX_KEYS 4
#define TRUST_MAX_K_N 8
#define TRUST_MAX_LEN 8192

struct trust_key {
	char kid[33];
	uint8_t public_key[SIGN_PUBLIC_LEN];
};

struct trust {
	struct trust_key session_keys[TRUST_MAX_KEYS], list_keys[TRUST_MAX_KEYS];
	size_t n_session_keys, n_list_keys;
	uint8_t pins[TRUST_MAX_KEYS][32];
	size_t n_pins;
	struct {
		uint32_t psk_version;
		struct key key;
	} k_n[TRUST_MAX_K_N];
	size_t n_k_n;
};

/* -EBADMSG. */
int trust_read(const Pb__Keys *keys, struct trust *ret) _must_check_;
/* The other way round, bytes on the heap, for the cache; wipe them. -ENOMEM. */
int trust_encode(const struct trust *t, uint8_t **ret_bytes, size_t *ret_len) _must_check_;
int trust_decode(const void *p, size_t len, struct trust *ret) _must_check_;
void trust_wipe(struct trust *t);
/* NULL: we have no share of that version. */
const struct key *trust_k_n(const struct trust *t, uint32_t psk_version);
const struct trust_key *trust_list_key(const struct trust *t, const char *kid);

#endif
