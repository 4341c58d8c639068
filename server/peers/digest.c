/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of sets by modular addition. Pure; any thread. */
#include "server/peers/digest.h"

#include <string.h>

#include "base/sign.h"

#define ELEMENT_MAX (KEY_LEN + 2 + 16)

_Static_assert(DIGEST_LEN == HASH_LEN, "a digest is a sum of hashes");

void digest_add(struct digest *d, const void *p, size_t len)
{
	uint8_t hash[HASH_LEN];
	unsigned carry = 0;

	hash_bytes(NULL, 0, p, len, hash);
	for (size_t i = DIGEST_LEN; i-- > 0;) {
		carry += (unsigned)d->b[i] + hash[i];
		d->b[i] = (uint8_t)carry;
		carry >>= 8;
	}
}

void digest_sub(struct digest *d, const void *p, size_t len)
{
	uint8_t hash[HASH_LEN];
	unsigned borrow = 0;

	hash_bytes(NULL, 0, p, len, hash);
	for (size_t i = DIGEST_LEN; i-- > 0;) {
		unsigned n = 256u + d->b[i] - hash[i] - borrow;

		d->b[i] = (uint8_t)n;
		borrow = n < 256;
	}
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return memcmp(a->b, b->b, DIGEST_LEN) == 0;
}

void digest_add_peer(struct digest *d, const struct key *public_key)
{
	digest_add(d, public_key->b, KEY_LEN);
}

void digest_sub_peer(struct digest *d, const struct key *public_key)
{
	digest_sub(d, public_key->b, KEY_LEN);
}

static size_t element_of(const struct key *public_key, const struct cidr *prefix,
			 uint8_t element[ELEMENT_MAX])
{
	size_t addr_len = prefix->family == CIDR_V4 ? 4 : 16;

	memcpy(element, public_key->b, KEY_LEN);
	element[KEY_LEN] = prefix->family;
	element[KEY_LEN + 1] = prefix->bits;
	memcpy(element + KEY_LEN + 2, prefix->addr, addr_len);
	return KEY_LEN + 2 + addr_len;
}

void digest_add_prefix(struct digest *d, const struct key *public_key, const struct cidr *prefix)
{
	uint8_t element[ELEMENT_MAX];

	digest_add(d, element, element_of(public_key, prefix, element));
}

void digest_sub_prefix(struct digest *d, const struct key *public_key, const struct cidr *prefix)
{
	uint8_t element[ELEMENT_MAX];

	digest_sub(d, element, element_of(public_key, prefix, element));
}
