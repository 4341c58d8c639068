/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys and signatures of other people's tokens: JWK sets (RFC 7517) and JWS
 * (RFC 7515) with ES256 or RS256 (RFC 7518), by OpenSSL. The algorithm is the
 * caller's word, never the token's.
 */
#ifndef QM_JOSE_H
#define QM_JOSE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

enum jose_alg { JOSE_ES256, JOSE_RS256 };

struct jose_keys;

/*
 * The keys of a set that fit the algorithm: P-256, or RSA of 2,048 to 8,192 bits.
 * -EINVAL with why in words: none fits, a private key, a key id twice, no JSON.
 */
int jose_keys_read(const char *jwks, size_t len, enum jose_alg alg, struct jose_keys **ret_keys,
		   const char **ret_why) _must_check_;
void jose_keys_free(struct jose_keys *keys);
CLEANUP_DEFINE(struct jose_keys, jose_keys_free);

/*
 * kid NULL: the token names none, good only where there is a single key. signed
 * is "header.claims" as it stands in the token.
 */
bool jose_verify(const struct jose_keys *keys, const char *kid, const char *signed_text, size_t len,
		 const unsigned char *signature, size_t signature_len);

#endif
