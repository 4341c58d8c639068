/* SPDX-License-Identifier: Apache-2.0 */
/* The config text that any stock WireGuard client imports. */
#ifndef QM_PROFILE_H
#define QM_PROFILE_H

#include "base/cidr.h"
#include "base/key.h"
#include "base/text.h"

#define PROFILE_MAX 1024
#define PROFILE_MTU_PHONE 1280
#define PROFILE_MTU_OTHER 1420
#define PROFILE_KEEPALIVE_S 25

struct profile {
	const struct key *private_key; /* NULL: the device has its own, no PrivateKey line */
	struct cidr address4, address6;
	struct cidr dns; /* family 0: no DNS line */
	unsigned mtu;
	struct key node_key, psk;
	struct cidr range4, range6;
	const char *endpoint;
	bool keepalive;
};

/* Holds no text that a person typed. out->failed is -ENOMEM. */
int profile_write(const struct profile *p, struct text *out) _must_check_;

#endif
