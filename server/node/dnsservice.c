/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DNS bytes in, DNS bytes out, with the zone that port 53 answers from. CoreDNS
 * shows no credentials, so the address of the caller says whether they may
 * know names: whoever is in the mesh gets the same from port 53.
 */
#include "server/node/dnsservice.h"

#include <errno.h>
#include <string.h>

#include "server/dns/dnsanswer.h"
#include "server/node/node.h"
#include "server/rpc/call.h"

#define MESSAGE_MAX 65535

static bool is_loopback(const struct cidr *address)
{
	static const uint8_t one[16] = {[15] = 1};

	return address->family == CIDR_V4 ? address->addr[0] == 127
					  : memcmp(address->addr, one, sizeof(one)) == 0;
}

/* The socket, this host by loopback, or an address of the mesh. */
static bool is_near(const struct zone *z, const char *address)
{
	struct cidr from;

	if (strncmp(address, "unix:", 5) == 0)
		return true;
	return cidr_parse(address, &from) == 0 && (is_loopback(&from) || zone_is_mesh(z, &from));
}

static struct zone *take_zone(struct replica *r)
{
	struct zone *z;

	pthread_rwlock_rdlock(&r->lock);
	z = r->zone ? zone_ref(r->zone) : NULL;
	pthread_rwlock_unlock(&r->lock);
	return z;
}

int dnsservice_query(struct call *call, const Coredns__Dns__DnsPacket *in,
		     Coredns__Dns__DnsPacket *out)
{
	const struct dnsanswer_terms terms = {.max = MESSAGE_MAX};
	struct node *n = call->owner;
	_cleanup_(zone_freep) struct zone *z = take_zone(&n->replica);
	struct dnsanswer_packet answer;

	if (!z)
		return call_fail(call, ERR_CP_UNREACHABLE,
				 "This node has no names: dns is off, or it has no list yet.");
	if (!is_near(z, call->caller.address)) {
		dnscount_add(&n->dns_count, DNSCOUNT_OUTSIDE);
		return call_fail(call, ERR_ROLE_REQUIRED,
				 "Names are told on this host and to members of the mesh.");
	}
	if (dnsanswer_make(z, in->msg.data, in->msg.len, &terms, &answer) != DNSANSWER_SEND) {
		dnscount_add(&n->dns_count, DNSCOUNT_NO_QUERY);
		return call_field(call, "msg", "must be a DNS query");
	}
	dnscount_add_answer(&n->dns_count, answer.rcode);
	out->msg.data = call_alloc(call, answer.len);
	if (!out->msg.data)
		return err_origin(-ENOMEM);
	out->msg.len = answer.len;
	memcpy(out->msg.data, answer.bytes, answer.len);
	return 0;
}
