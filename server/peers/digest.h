/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Digest of a set: the sum modulo 2^256 of BLAKE2b-256 over each element, as
 * big-endian numbers. Elements come and go in any order, in constant time.
 */
#ifndef QM_DIGEST_H
#define QM_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cidr.h"
#include "base/key.h"

#define DIGEST_LEN 32

struct digest {
	uint8_t b[DIGEST_LEN];
};

void digest_add(struct digest *d, const void *p, size_t len);
void digest_sub(struct digest *d, const void *p, size_t len);
bool digest_equal(const struct digest *a, const struct digest *b);
/* Element of the device digest: a peer's key ... */
void digest_add_peer(struct digest *d, const struct key *public_key);
void digest_sub_peer(struct digest *d, const struct key *public_key);
/* ... and one for each (key, prefix): key, family, bits, 4 or 16 address bytes. */
void digest_add_prefix(struct digest *d, const struct key *public_key, const struct cidr *prefix);
void digest_sub_prefix(struct digest *d, const struct key *public_key, const struct cidr *prefix);

#endif
