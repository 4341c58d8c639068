/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node's parts, as handlers find them in call->owner. Threads: the
 * server's loops and workers (handlers), the keeper (list, WireGuard, cache),
 * the link (token, stream, reports), libqmesh's own.
 */
#ifndef QM_NODE_H
#define QM_NODE_H

#include "server/dns/dnscount.h"
#include "server/node/identity.h"
#include "server/node/node_conf.h"
#include "server/node/replica.h"
#include "server/rpc/service.h"

struct health;
struct keeper;
struct link;
struct rings;
struct watchers;

struct node {
	struct node_conf conf;
	struct identity identity;
	struct replica replica;
	struct keeper *keeper;
	struct link *link;
	struct watchers *watchers;
	struct rings *rings;
	struct health *health; /* the daemon's; before node_services */
	struct dnscount dns_count;
	bool has_replica;
};

/* Everything but the server: identity, Enroll when there is none yet (stop: give up), cache,
 * threads. > 0: refused by the Control Panel. */
int node_start(struct node *n, bool (*stop)(void)) _must_check_;
void node_stop(struct node *n);
/* Methods and hooks of this daemon. NULL: out of memory. */
struct services *node_services(struct node *n);

#endif
