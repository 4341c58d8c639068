/* SPDX-License-Identifier: Apache-2.0 */
/* coredns.dns.DnsService: a CoreDNS in front of this node asks for our names. Calls' loops only. */
#ifndef QM_DNSSERVICE_H
#define QM_DNSSERVICE_H

#include "gen/c/coredns/dns.pb-c.h"

struct call;

/* The zone alone answers: nothing is asked elsewhere on behalf of whoever calls. */
int dnsservice_query(struct call *call, const Coredns__Dns__DnsPacket *in,
		     Coredns__Dns__DnsPacket *out);

#endif
