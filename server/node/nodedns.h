/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mesh DNS of this node: the list's names handed to the name server, which runs
 * as long as the node has its addresses, or to a CoreDNS that has port 53 in its
 * place and asks by gRPC. Belongs to the keeper's thread.
 */
#ifndef QM_NODEDNS_H
#define QM_NODEDNS_H

#include <stdbool.h>

#include "server/dns/dnsprobe.h"
#include "server/node/node_conf.h"
#include "server/node/replica.h"

struct dnscount;
struct dnslisten;

struct nodedns {
	const struct node_conf *conf;
	struct replica *replica;
	struct dnscount *count;
	struct dnslisten *listen; /* NULL: off, it could not start, or CoreDNS has the port */
	struct cidr own[2];
	int refused;           /* why it could not start, -errno */
	struct dnsprobe probe; /* of CoreDNS */
	unsigned n_unheard;    /* questions to it in a row without the right answer */
};

void nodedns_init(struct nodedns *d, const struct node_conf *conf, struct replica *replica,
		  struct dnscount *count);
void nodedns_done(struct nodedns *d);
/* The interface is as the list has it: names follow. True: dns_status has changed. */
bool nodedns_apply(struct nodedns *d);
/* Now and then: tries again what could not start. True: dns_status has changed. */
bool nodedns_look(struct nodedns *d);
/* How long until it wants to be called again. */
uint64_t nodedns_look_in_ms(const struct nodedns *d);

#endif
