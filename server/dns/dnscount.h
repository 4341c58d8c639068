/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the name server of a node did since its start, for /metrics. It outlives the name
 * server, which is made anew where the node gets another address. Any thread.
 */
#ifndef QM_DNSCOUNT_H
#define QM_DNSCOUNT_H

#include <stdatomic.h>
#include <stdint.h>

#include "base/text.h"

enum dnscount_kind {
	/* Questions that we answered by ourselves, by RCODE. */
	DNSCOUNT_NOERROR,
	DNSCOUNT_FORMERR,
	DNSCOUNT_SERVFAIL,
	DNSCOUNT_NXDOMAIN,
	DNSCOUNT_NOTIMP,
	DNSCOUNT_REFUSED,
	DNSCOUNT_OTHER,
	/* Foreign names. */
	DNSCOUNT_FORWARDED,
	DNSCOUNT_FORWARD_ANSWERED,
	DNSCOUNT_FORWARD_TIMEOUT, /* of one try */
	DNSCOUNT_FORWARD_FAILED,  /* of all tries of one question */
	/* Not looked at: foreign questions that get SERVFAIL at once, ... */
	DNSCOUNT_TOO_MANY,
	DNSCOUNT_LOOP,
	DNSCOUNT_NO_UPSTREAM,
	/* ... and what is dropped: from outside the mesh, no query, a connection too many. */
	DNSCOUNT_OUTSIDE,
	DNSCOUNT_NO_QUERY,
	DNSCOUNT_CONNECTIONS,
	DNSCOUNT_KINDS,
};

struct dnscount {
	_Atomic uint64_t n[DNSCOUNT_KINDS];
};

/* count NULL: nobody counts. */
void dnscount_add(struct dnscount *count, enum dnscount_kind kind);
/* An answer of our own; rcode: all 12 bits. */
void dnscount_add_answer(struct dnscount *count, unsigned rcode);
/* Appends "name value\n" lines. */
void dnscount_tell(const struct dnscount *count, struct text *out);

#endif
