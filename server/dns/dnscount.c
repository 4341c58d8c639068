/* SPDX-License-Identifier: Apache-2.0 */
/* One row of names beside the enum; no order between two counters is promised. */
#include "server/dns/dnscount.h"

#define PREFIX "qmesh_node_dns_"

static const char *const names[DNSCOUNT_KINDS] = {
	[DNSCOUNT_NOERROR] = "answers_total{rcode=\"noerror\"}",
	[DNSCOUNT_FORMERR] = "answers_total{rcode=\"formerr\"}",
	[DNSCOUNT_SERVFAIL] = "answers_total{rcode=\"servfail\"}",
	[DNSCOUNT_NXDOMAIN] = "answers_total{rcode=\"nxdomain\"}",
	[DNSCOUNT_NOTIMP] = "answers_total{rcode=\"notimp\"}",
	[DNSCOUNT_REFUSED] = "answers_total{rcode=\"refused\"}",
	[DNSCOUNT_OTHER] = "answers_total{rcode=\"other\"}",
	[DNSCOUNT_FORWARDED] = "forwarded_total",
	[DNSCOUNT_FORWARD_ANSWERED] = "forward_answers_total",
	[DNSCOUNT_FORWARD_TIMEOUT] = "forward_timeouts_total",
	[DNSCOUNT_FORWARD_FAILED] = "forward_failed_total",
	[DNSCOUNT_TOO_MANY] = "not_forwarded_total{cause=\"too_many\"}",
	[DNSCOUNT_LOOP] = "not_forwarded_total{cause=\"loop\"}",
	[DNSCOUNT_NO_UPSTREAM] = "not_forwarded_total{cause=\"no_upstream\"}",
	[DNSCOUNT_OUTSIDE] = "dropped_total{cause=\"outside\"}",
	[DNSCOUNT_NO_QUERY] = "dropped_total{cause=\"no_query\"}",
	[DNSCOUNT_CONNECTIONS] = "dropped_total{cause=\"connections\"}",
};

void dnscount_add(struct dnscount *count, enum dnscount_kind kind)
{
	if (count)
		atomic_fetch_add_explicit(&count->n[kind], 1, memory_order_relaxed);
}

void dnscount_add_answer(struct dnscount *count, unsigned rcode)
{
	/* The first six RCODEs are in the order of the enum. */
	dnscount_add(count, rcode <= DNSCOUNT_REFUSED ? (enum dnscount_kind)rcode : DNSCOUNT_OTHER);
}

void dnscount_tell(const struct dnscount *count, struct text *out)
{
	for (size_t i = 0; i < DNSCOUNT_KINDS; i++)
		text_addf(out, PREFIX "%s %llu\n", names[i],
			  (unsigned long long)atomic_load_explicit(&count->n[i],
								   memory_order_relaxed));
}
