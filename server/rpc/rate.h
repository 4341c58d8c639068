/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Counters per key in memory, shared by all threads: connections open per
 * address, refused attempts per minute of an address or a user. A full table
 * forgets the row that is longest unused; it never refuses to count.
 */
#ifndef QM_RATE_H
#define QM_RATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/cleanup.h"

struct rate;

struct rate_key {
	uint8_t b[16];
};

/* An IPv6 address counts by its /64, a mapped one as IPv4, a Unix peer by uid. */
struct rate_key rate_key_address(const struct sockaddr *sa, uint32_t uid);
/* The same from text as in caller.address; other text is hashed. */
struct rate_key rate_key_text(const char *s);

struct rate *rate_new(size_t n_rows);
void rate_free(struct rate *r);
CLEANUP_DEFINE(struct rate, rate_free);

/* Holds: +1 unless the key already holds max. rate_drop gives it back. */
bool rate_hold(struct rate *r, const struct rate_key *key, uint32_t max);
void rate_drop(struct rate *r, const struct rate_key *key);

/*
 * Window of a minute: 0 when the key has fewer than max hits in it; else ms until it has, if the
 * attempt that asks is the last one counted. The minute before counts as if its hits lay evenly.
 */
uint64_t rate_wait(struct rate *r, const struct rate_key *key, uint32_t max, uint64_t now_ms);
void rate_hit(struct rate *r, const struct rate_key *key, uint64_t now_ms);

#endif
