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
 * Where a call with secrets is over, low on its thread's stack: wipes what the calls that have
 * returned left on the stack, KEY_STACK_LEN deep, and what is left in registers, which the dynamic
 * linker saves on the stack later. A microsecond.
 */
#define KEY_STACK_LEN 49152 /* 36 KiB is the most that the daemons' threads were seen to use */
void key_wipe_stack(void);

/*
 * K_N = keyed BLAKE2b-256(K_psk, "psk-node/1" || node_id || psk_version BE)
 * PSK = keyed BLAKE2b-256(K_N, "psk-dev/1" || device_id || key_version BE)
 * Test vector in docs/protocol.md.
 */
void key_psk_node(const struct key *k_psk, const uint8_t node_id[16], uint32_t psk_version,
		  struct key *ret_k_n);
void key_psk_device(const struct key *k_n, const uint8_t device_id[16], uint32_t key_version,
		    struct key *ret_psk);

/* To a public key: only the private half opens it. ret holds len + KEY_SEAL_OVERHEAD. */
#define KEY_SEAL_OVERHEAD 48
int key_seal(const struct key *public, const void *p, size_t len, uint8_t *ret) _must_check_;
/* ret holds box_len - KEY_SEAL_OVERHEAD. -EBADMSG: for another key, or changed. */
int key_unseal(const struct key *private, const uint8_t *box, size_t box_len, void *ret)
	_must_check_;

/*
 * Many messages under one key, in their order (XChaCha20-Poly1305, libsodium's
 * secretstream): what is changed, moved or left out does not open, and the last
 * one says that it is the last. Wiped by key_wipe_bytes.
 */
#define KEY_STREAM_HEAD_LEN 24
#define KEY_STREAM_OVERHEAD 17
struct key_stream {
	uint8_t state[52];
};
int key_stream_seal(struct key_stream *s, const struct key *k,
		    uint8_t ret_head[KEY_STREAM_HEAD_LEN]) _must_check_;
/* ret holds len + KEY_STREAM_OVERHEAD. */
int key_stream_push(struct key_stream *s, const void *p, size_t len, bool last, uint8_t *ret)
	_must_check_;
int key_stream_open(struct key_stream *s, const struct key *k,
		    const uint8_t head[KEY_STREAM_HEAD_LEN]) _must_check_;
/* ret holds len - KEY_STREAM_OVERHEAD. -EBADMSG. */
int key_stream_pull(struct key_stream *s, const uint8_t *p, size_t len, uint8_t *ret,
		    bool *ret_last) _must_check_;

#endif
