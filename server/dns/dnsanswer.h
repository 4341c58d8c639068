/* SPDX-License-Identifier: Apache-2.0 */
/* Query bytes and a zone in, answer bytes out; touches nothing else. */
#ifndef QM_DNSANSWER_H
#define QM_DNSANSWER_H

#include "server/dns/dnswire.h"
#include "server/dns/zone.h"

enum dnsanswer {
	DNSANSWER_SEND,    /* ret is the answer */
	DNSANSWER_FORWARD, /* not our names: ask elsewhere; limit, has_edns, wants_dnssec are set */
	DNSANSWER_DROP,    /* no query, or nothing that one could answer */
};

struct dnsanswer_packet {
	uint8_t bytes[LIMIT_DNS_UDP];
	size_t len;
	unsigned rcode; /* of the answer, all 12 bits */
	size_t limit;   /* what the client takes in one packet */
	bool has_edns, wants_dnssec;
};

/* By which way the query came. */
struct dnsanswer_terms {
	size_t max;    /* the transport's limit; 0 for UDP, where the query says what is taken */
	bool forwards; /* foreign names are asked elsewhere; else REFUSED */
};

enum dnsanswer dnsanswer_make(const struct zone *z, const uint8_t *query, size_t len,
			      const struct dnsanswer_terms *terms, struct dnsanswer_packet *ret);

#endif
