/* SPDX-License-Identifier: Apache-2.0 */
/* Hashes, signatures, random bytes and passwords, by libsodium. */
#ifndef QM_SIGN_H
#define QM_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define SIGN_PUBLIC_LEN 32
#define SIGN_SECRET_LEN 64
#define SIGN_LEN 64
#define HASH_LEN 32

/* Once, before anything else here; -EIO if the system has no entropy source. */
int sign_init(void) _must_check_;
void sign_random(void *p, size_t len);
/* Ed25519. */
void sign_make(uint8_t ret_public[SIGN_PUBLIC_LEN], uint8_t ret_secret[SIGN_SECRET_LEN]);
void sign_message(const uint8_t secret[SIGN_SECRET_LEN], const void *msg, size_t len,
		  uint8_t ret_sig[SIGN_LEN]);
bool sign_verify(const uint8_t public[SIGN_PUBLIC_LEN], const void *msg, size_t len,
		 const uint8_t sig[SIGN_LEN]);
/* BLAKE2b-256; key may be NULL. */
void hash_bytes(const void *key, size_t key_len, const void *p, size_t len, uint8_t ret[HASH_LEN]);
/* The same over parts: {p, len} pairs. */
struct hash_part {
	const void *p;
	size_t len;
};
void hash_parts(const void *key, size_t key_len, const struct hash_part *parts, size_t n,
		uint8_t ret[HASH_LEN]);

/* Argon2id, 19 MiB, 2 passes; ret must hold PASSWORD_HASH_LEN. -ENOMEM. */
#define PASSWORD_HASH_LEN 128
int password_hash(const char *password, char ret[PASSWORD_HASH_LEN]) _must_check_;
/* hash NULL: does the same work and answers false. */
bool password_verify(const char *hash, const char *password);

/*
 * Ed25519 JWT with a constant header per kid:
 * base64url({"alg":"EdDSA","kid":"<kid>","typ":"<typ>"}) "." base64url(claims) "." base64url(sig)
 * typ is "qmesh-session+jwt" or "qmesh-agent+jwt".
 */
/* claims is JSON text. Result on the heap, NULL when out of memory. */
char *jwt_sign(const char *typ, const char *kid, const uint8_t secret[SIGN_SECRET_LEN],
	       const char *claims);
/* Does the header equal the constant one of (typ, kid)? No parsing of alg. */
bool jwt_header_is(const char *token, const char *typ, const char *kid);
/* Who says to have signed it, if the header is the constant one of typ and any kid; -EBADMSG. */
#define JWT_KID_ROOM 65
int jwt_kid(const char *token, const char *typ, char ret_kid[JWT_KID_ROOM]) _must_check_;
/* Checks the signature; claims JSON on the heap, wiped and freed by the caller. -EBADMSG. */
int jwt_open(const char *token, const uint8_t public[SIGN_PUBLIC_LEN], char **ret_claims)
	_must_check_;

#endif
