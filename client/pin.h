/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pins: SHA-256 of a server's SubjectPublicKeyInfo. With at least one pin the
 * key alone is the trust: no CA, no name, no date is looked at.
 */
#ifndef QM_PIN_H
#define QM_PIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define PIN_LEN 32
#define PIN_MAX 8

struct x509_st;

struct pin_set {
	uint8_t pins[PIN_MAX][PIN_LEN];
	size_t n;
};

/* -EINVAL: more than PIN_MAX. */
int pin_set_fill(struct pin_set *set, const uint8_t (*pins)[PIN_LEN], size_t n) _must_check_;
/* Is this private key (PEM) the one of the certificate (PEM)? */
bool pin_is_pair(const void *cert, size_t cert_len, const void *key, size_t key_len);
/* Is the certificate's key one of the set? */
bool pin_matches(const struct pin_set *set, struct x509_st *certificate);

#endif
