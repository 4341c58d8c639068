/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own nft table: traffic between mesh addresses is forwarded on the
 * interface and nothing else goes through it. Foreign rules are never touched,
 * only looked at.
 */
#ifndef QM_FIREWALL_H
#define QM_FIREWALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cidr.h"
#include "base/cleanup.h"

#define FIREWALL_TABLE "qmesh"
#define FIREWALL_REASON_LEN 300

struct firewall_rules {
	const char *interface;
	struct cidr range4, range6; /* family 0: none */
	bool mesh_input_only;       /* devices reach only the node's mesh services */
	uint16_t mesh_port;
};

/* Puts the table in place, replacing the one there, in one transaction. -ENOENT: no nft. */
int firewall_apply(const struct firewall_rules *rules) _must_check_;
/* Removes the table; 0 when there is none. */
int firewall_remove(void) _must_check_;
/* What others' rules do to us. */
struct firewall_look {
	bool is_ours_there;                /* our table is in place */
	char blocked[FIREWALL_REASON_LEN]; /* "blocked by chain FORWARD in table ip filter", or ""
					    */
	char helps[FIREWALL_REASON_LEN];   /* the command that would let us through, or "" */
};

/*
 * Best effort: base chains of the forward hook whose policy is drop and that
 * never accept by the interface's name. -ENOENT: no nft.
 */
int firewall_look(const char *interface, struct firewall_look *ret) _must_check_;
/* The reading part of it, on the text of `nft list ruleset`. */
void firewall_read(const char *ruleset, const char *interface, struct firewall_look *ret);

#endif
