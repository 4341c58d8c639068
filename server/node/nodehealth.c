/* SPDX-License-Identifier: Apache-2.0 */
/* Read from the replica alone: what the keeper last saw. */
#include "server/node/nodehealth.h"

#include <string.h>

#include "server/node/node.h"
#include "server/peers/why.h"

/* What keeps the node from carrying the mesh. With the replica's lock held. */
static void say_what_blocks(const struct replica *r, struct health_report *report)
{
	const struct replica_interface *interface = &r->interface;

	if (!interface->active)
		health_say(report, "INTERFACE_DOWN", true, "The WireGuard interface is not up.");
	if (!r->head.generation)
		health_say(report, "LIST_MISSING", true,
			   "The Control Panel has not sent the list of members yet.");
	else if (!interface->generation)
		health_say(report, "LIST_NOT_APPLIED", true,
			   "The list of members is here and not yet applied.");
}

/* What is carried on with. With the replica's lock held. */
static void say_what_ails(const struct replica *r, struct health_report *report)
{
	const struct replica_interface *interface = &r->interface;

	if (!r->cp_connected)
		health_say(report, "CP_UNREACHABLE", false,
			   "The Control Panel cannot be reached. What is applied stays in force; "
			   "changes have to wait.");
	if (interface->generation &&
	    (interface->generation != r->head.generation || interface->epoch != r->head.epoch))
		health_say(report, "LIST_NOT_APPLIED", false,
			   "Generation %llu of the list is applied, %llu is known.",
			   (unsigned long long)interface->generation,
			   (unsigned long long)r->head.generation);
	if (r->cache_error)
		health_say(report, "LIST_NOT_SAVED", false,
			   "The list on disk is older than the one in force: %s. A start would "
			   "begin with it.",
			   strerror(r->cache_error));
	if (interface->n_failed)
		health_say(report, "PEERS_REFUSED", false,
			   "The interface refused %zu of its peers.", interface->n_failed);
	if (strncmp(interface->forwarding, WHY_BLOCK_UNKNOWN, strlen(WHY_BLOCK_UNKNOWN)) == 0)
		health_say(report, "FORWARDING_UNKNOWN", false, "%s", interface->forwarding);
	else if (interface->forwarding[0])
		health_say(report, "FORWARDING_BLOCKED", false, "%s", interface->forwarding);
	if (interface->overlap[0])
		health_say(report, "ADDRESS_OVERLAP", false, "On this host %s.",
			   interface->overlap);
	if (strncmp(interface->dns_status, "degraded", 8) == 0)
		health_say(report, "DNS_DEGRADED", false, "Names of the mesh: %s",
			   interface->dns_status);
	if (strncmp(r->https.status, "degraded", 8) == 0)
		health_say(report, "HTTPS_DEGRADED", false, "HTTPS on the mesh: %s",
			   r->https.status);
}

void nodehealth_probe(void *owner, struct health_report *report)
{
	struct node *n = owner;

	pthread_rwlock_rdlock(&n->replica.lock);
	say_what_blocks(&n->replica, report);
	say_what_ails(&n->replica, report);
	pthread_rwlock_unlock(&n->replica.lock);
}
