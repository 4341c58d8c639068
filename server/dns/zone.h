/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has which name: a snapshot that never changes. Whoever makes a newer one
 * swaps it in and gives up the old one; who still reads that has a reference.
 */
#ifndef QM_ZONE_H
#define QM_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cidr.h"

#define ZONE_TTL_S 30

struct zone_host {
	const char *name; /* one label in lower case */
	struct cidr ip4, ip6;
};

struct zone_head {
	uint32_t serial;
	const char *self;           /* the name of this name server */
	struct cidr range4, range6; /* sources that are answered; families with reverse names */
};

struct zone;

/* Copies all of it; the first of two hosts with one name counts. NULL: out of memory. */
struct zone *zone_new(const struct zone_head *head, const struct zone_host *hosts, size_t n);
/* One more owner, from any thread. */
struct zone *zone_ref(struct zone *z);
/* One owner less; the last one frees it. */
void zone_free(struct zone *z);
CLEANUP_DEFINE(struct zone, zone_free);

const struct zone_head *zone_head(const struct zone *z);
/* name in lower case. */
const struct zone_host *zone_by_name(const struct zone *z, const char *name);
/* Whose address is in the network; the lowest. NULL: nobody's. */
const struct zone_host *zone_within(const struct zone *z, const struct cidr *net);
/* An address of the mesh. */
bool zone_is_mesh(const struct zone *z, const struct cidr *address);

#endif
