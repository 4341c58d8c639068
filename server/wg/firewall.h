/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our own nft table: traffic between mesh addresses is forwarded on the
 * interface and nothing else goes through it. Rules of others: foreign.h.
 */
#ifndef QM_FIREWALL_H
#define QM_FIREWALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cidr.h"
#include "base/cleanup.h"

#define FIREWALL_TABLE_LEN 32

struct firewall_rules {
	const char *interface;
	struct cidr range4, range6; /* family 0: none */
	bool mesh_input_only;       /* devices reach only the node's mesh services */
	uint16_t mesh_port;         /* 0: none */
};

/*
 * The table's name: qmesh, and for an interface with another name than the usual one
 * qmesh-<interface>, so that nodes beside each other keep out of each other's rules.
 */
const char *firewall_table(const char *interface, char ret[FIREWALL_TABLE_LEN]);
/* Puts the table in place, replacing the one there, in one transaction. -ENOENT: no nft. */
int firewall_apply(const struct firewall_rules *rules) _must_check_;
/* Removes the interface's table; 0 when there is none. */
int firewall_remove(const char *interface) _must_check_;

#endif
