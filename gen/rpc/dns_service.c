/* SPDX-License-Identifier: Apache-2.0 */
/* coredns.dns.DnsService: methods and policy. Made from proto/ by scripts/gen; never edited. */
#include "gen/rpc/dns_service.h"

const struct method dns_service_methods[1] = {
	[METHOD_DNS_QUERY] = {
		.path = "/coredns.dns.DnsService/Query",
		.name = "Query",
		.service = &dns_service_desc,
		.index = METHOD_DNS_QUERY,
		.kind = METHOD_UNARY,
		.in = &coredns__dns__dns_packet__descriptor,
		.out = &coredns__dns__dns_packet__descriptor,
		.policy = {
			.audience = AUDIENCE_PUBLIC,
			.runs_on = RUNS_ON_NODE,
			.rate = RATE_WINDOW_NONE,
			.lane = LANE_INLINE,
			.body_limit = 65600,
			.deadline_ms = 15000,
			.http_status = 200,
			.idempotent = true,
			.no_side_effects = true,
		},
	},
};

const struct service dns_service_desc = {
	.name = "coredns.dns.DnsService",
	.methods = dns_service_methods,
	.n_methods = 1,
};
