/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The packet filter of this host as `nft -t -a list ruleset` prints it, and what
 * it would do with a packet. A rule that asks for something not known of the
 * packet counts as not there: only what is sure is told. Pure; rules of
 * iptables-legacy are not in that text.
 */
#ifndef QM_RULESET_H
#define QM_RULESET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cidr.h"
#include "base/cleanup.h"

#define RULESET_NAME_LEN 80

struct ruleset;

/* The first packet of a connection. */
struct ruleset_packet {
	const char *hook;      /* "forward", "input" */
	uint8_t family;        /* CIDR_V4, CIDR_V6 */
	const char *iif, *oif; /* iif NULL: any but lo and not_iif; oif NULL: none */
	const char *not_iif;
	const char *protocol; /* "tcp", "udp" */
	uint16_t port;        /* it goes to; 0: any */
	struct cidr range;    /* holds source and destination; family 0: not known */
};

/* A base chain that drops, and the chain in which an accept would help. */
struct ruleset_block {
	char table[RULESET_NAME_LEN]; /* with its family: "ip filter" */
	char chain[RULESET_NAME_LEN], place[RULESET_NAME_LEN];
};

struct ruleset_mark {
	char table[RULESET_NAME_LEN], chain[RULESET_NAME_LEN];
	unsigned long handle;
};

/* -ENOMEM. What is not understood is left out. */
int ruleset_parse(const char *text, struct ruleset **ret_rules) _must_check_;
void ruleset_free(struct ruleset *rs);
CLEANUP_DEFINE(struct ruleset, ruleset_free);

/* "inet qmesh" */
bool ruleset_has_table(const struct ruleset *rs, const char *table);
/*
 * The next chain outside the table not_in that drops the packet; *at is 0 first. mark: the
 * comment of accepts that are ours, which never go twice into one chain.
 */
bool ruleset_drops(const struct ruleset *rs, const struct ruleset_packet *packet,
		   const char *not_in, const char *mark, size_t *at,
		   struct ruleset_block *ret_block);
/* Would this table drop it, whatever others do? */
bool ruleset_table_drops(const struct ruleset *rs, const struct ruleset_packet *packet,
			 const char *table);
/* The next rule with that comment; *at is 0 first. */
bool ruleset_marked(const struct ruleset *rs, const char *mark, size_t *at,
		    struct ruleset_mark *ret_mark);

#endif
