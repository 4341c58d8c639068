/* SPDX-License-Identifier: Apache-2.0 */
/* What is asked of a tenant's nodes together: who lags, mesh DNS, sums. Any thread. */
#ifndef QM_CENSUS_H
#define QM_CENSUS_H

#include "server/cp/progress.h"

/* The generation that was published last. */
#define CENSUS_NOW UINT64_MAX

/* Where one tenant's nodes are with a generation. */
struct census {
	uint64_t generation;
	uint32_t n_nodes, n_current;
	uint32_t n_lagging; /* and worth telling of; the rest is on the way */
	uint32_t n_named;   /* of these, the longest first */
	struct lag named[LAG_MAX_NAMED];
};

void census_take(struct progress *p, const struct uuid *tenant, uint64_t generation,
		 struct census *ret);

/* Differs when people should be told anew; time that goes by is no reason. */
uint64_t census_mark(const struct census *c);

#define CENSUS_DNS_MAX 201
/*
 * Mesh DNS by the live nodes: what they all say, "degraded: …" where they differ,
 * "off" without one.
 */
void census_dns(struct progress *p, const struct uuid *tenant, char ret[CENSUS_DNS_MAX]);

struct census_laggard {
	struct uuid tenant;
	struct lag lag;
};

/* Nodes of all tenants by state; the first cap laggards into ret, how many of them there are. */
size_t census_all(struct progress *p, uint64_t ret_states[LAG_N_STATES], struct census_laggard *ret,
		  size_t cap);

#endif
