/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WireGuard keys (X25519) and preshared keys. The type has no printf form on
 * purpose: text comes from key_text only, where one means it.
 */
#ifndef QM_KEY_H
#define QM_KEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define KEY_LEN 32
#define KEY_TEXT_LEN 44

struct key {
	uint8_t b[KEY_LEN];
};

/* A private key, clamped at birth, and its public half. */
void key_make(struct key *ret_private, struct key *ret_public);
/* Public half of a private key. */
void key_public(const struct key *private, struct key *ret_public);
/* Base64; ret must hold KEY_TEXT_LEN + 1. */
const char *key_text(const struct key *k, char *ret);
/* Canonical base64 of 32 bytes, 44 characters; -EINVAL. */
int key_parse(const char *s, struct key *ret_key);
/* Hex, 64 digits, as WireGuard's userspace protocol has it. */
int key_parse_hex(const char *s, struct key *ret_key);
/* A public key that can shake hands: not zero, not of low order. */
bool key_usable(const struct key *k);
bool key_equal(const struct key *a, const struct key *b); /* constant time */
bool key_is_zero(const struct key *k);
void key_wipe(struct key *k);
void key_wipe_bytes(void *p, size_t len);

/*
 * K_N = keyed BLAKE2b-256(K_psk, "psk-node/1" || node_id || psk_version BE)
 * PSK = keyed BLAKE2b-256(K_N, "psk-dev/1" || device_id || key_version BE)
 * Test vector in docs/protocol.md.
 */
void key_psk_node(const struct key *k_psk, const uint8_t node_id[16], uint32_t psk_version,
		  struct key *ret_k_n);
void key_psk_device(const struct key *k_n, const uint8_t device_id[16], uint32_t key_version,
		    struct key *ret_psk);

#endif
