/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The name server of a node: UDP and TCP on its mesh addresses, one thread.
 * Only sources inside the mesh are answered, and only what came in by the
 * mesh's interface or from this host: no open resolver.
 */
#ifndef QM_DNSLISTEN_H
#define QM_DNSLISTEN_H

#include "server/dns/dnscount.h"
#include "server/dns/dnsforward.h"
#include "server/dns/zone.h"

#define DNSLISTEN_PORT 53

struct dnslisten_options {
	struct cidr own[2]; /* addresses to listen on; family 0: none */
	const char *interface;
	uint16_t port;
	const char *upstream;   /* as upstreams_parse takes it; empty: resolv.conf */
	struct dnscount *count; /* borrowed; NULL: nobody counts */
};

struct dnslisten;

/* Takes the zone. -EADDRINUSE: the port is somebody else's; -EINVAL: upstream. */
int dnslisten_new(const struct dnslisten_options *options, struct zone *zone,
		  struct dnslisten **ret_listen) _must_check_;
void dnslisten_free(struct dnslisten *l);

/* Takes the zone; from any thread. */
void dnslisten_publish(struct dnslisten *l, struct zone *zone);
/* What is wrong, or "". */
void dnslisten_why(struct dnslisten *l, char ret[DNSFORWARD_REASON_LEN]);

#endif
