/* SPDX-License-Identifier: Apache-2.0 */
/* coredns.dns.DnsService: typed handlers. Made from proto/ by scripts/gen; never edited. */
#ifndef QM_GEN_DNS_SERVICE_H
#define QM_GEN_DNS_SERVICE_H

#include "base/method.h"
#include "coredns/dns.pb-c.h"

struct call;

/* Who answers each method; NULL: nobody. */
struct dns_service {
	int (*query)(struct call *call, const Coredns__Dns__DnsPacket *in,
		Coredns__Dns__DnsPacket *out);
};

/* Indices in dns_service_methods. */
enum dns_service_method {
	METHOD_DNS_QUERY = 0,
};

extern const struct method dns_service_methods[1];
extern const struct service dns_service_desc;

_Static_assert(sizeof(struct dns_service) == 1 * sizeof(int (*)(void)),
	       "handlers are an array of function pointers");

static inline const void *dns_service_handlers(const struct dns_service *h)
{
	return h;
}

#endif
