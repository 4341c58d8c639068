/* SPDX-License-Identifier: Apache-2.0 */
#include "server/node/fence.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "server/node/applier.h"
#include "server/peers/why.h"
#include "server/wg/firewall.h"
#include "server/wg/foreign.h"

#define NO_TABLE "no firewall table: "

/* What others drop is not known then: said once, and no device is told to be blocked by it. */
static void note_unread(struct applier *a, int error)
{
	char words[REPLICA_REASON_LEN];

	/* The same lack, as it was found before. */
	if (strncmp(a->forwarding, NO_TABLE, strlen(NO_TABLE)) == 0)
		return;
	snprintf(words, sizeof(words), WHY_BLOCK_UNKNOWN "the rules of others cannot be read: %s",
		 error == -ENOENT ? "nft is not installed: install nftables"
		 : error == -EIO  ? "nft does not list them, or more than 4 MiB"
				  : strerror(-error));
	if (strcmp(words, a->forwarding) != 0)
		log_warn("wg", "traffic of members: %s", words);
	strcpy(a->forwarding, words);
}

bool fence_look(struct applier *a)
{
	const struct tenantrec *t = members_tenant(a->replica->list);
	const struct foreign_wish wish = {
		.interface = a->conf->wg_interface,
		.range4 = t->range4,
		.range6 = t->range6,
		.wg_port = (uint16_t)a->conf->wg_port,
		.mesh_ports = {(uint16_t)a->conf->mesh_port},
		.dns = a->conf->dns,
		.integrate = a->conf->firewall == NODE_FIREWALL_INTEGRATE,
	};
	struct foreign_look look = {0};
	int r = foreign_look(&wish, &look);

	if (r) {
		note_unread(a, r);
		return false;
	}
	if (strncmp(a->forwarding, WHY_BLOCK_UNKNOWN, strlen(WHY_BLOCK_UNKNOWN)) == 0)
		log_info("wg", "the rules of others are read again");
	if (look.blocked[0] && strcmp(look.blocked, a->forwarding) != 0)
		log_warn("wg", "traffic of members: %s", look.blocked);
	memcpy(a->forwarding, look.blocked, sizeof(a->forwarding));
	if (look.refused[0] && strcmp(look.refused, a->not_integrated) != 0)
		log_warn("wg", "%s", look.refused);
	memcpy(a->not_integrated, look.refused, sizeof(a->not_integrated));
	return !look.is_table_there;
}

void fence_set(struct applier *a)
{
	const struct tenantrec *t = members_tenant(a->replica->list);
	const struct firewall_rules rules = {
		.interface = a->conf->wg_interface,
		.range4 = t->range4,
		.range6 = t->range6,
		.mesh_input_only = a->conf->mesh_input == NODE_INPUT_MESH_ONLY,
		.mesh_port = (uint16_t)a->conf->mesh_port,
	};
	int r;

	a->forwarding[0] = '\0';
	if (a->conf->firewall == NODE_FIREWALL_OFF) {
		if (foreign_clear(a->conf->wg_interface))
			log_warn("wg", "rules of an earlier start are left");
		return;
	}
	r = firewall_apply(&rules);
	if (r) {
		snprintf(a->forwarding, sizeof(a->forwarding), NO_TABLE "%s",
			 r == -ENOENT ? "nft is not installed: install nftables"
				      : "nft refused it: see the log");
		log_warn("wg", "%s", a->forwarding);
		return;
	}
	(void)fence_look(a);
}
