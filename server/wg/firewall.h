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
/*
 * Which foreign chain drops what we forward: "blocked by chain FORWARD in table
 * ip filter", or "". Best effort: base chains of the forward hook whose policy
 * is drop and that never name the interface.
 */
void firewall_blocked_by(const char *interface, char ret[FIREWALL_REASON_LEN]);
/* The reading part of it, on the text of `nft list ruleset`; for tests. */
void firewall_find_block(const char *ruleset, const char *interface, char ret[FIREWALL_REASON_LEN]);

#endif
