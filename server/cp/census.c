/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/census.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

/* --- who lags --- */

/* Those that lag longest; 0 is longer than anything. */
static void name(struct census *c, const struct lag *lag)
{
	size_t at = c->n_named;

	c->n_lagging++;
	if (c->n_named < LAG_MAX_NAMED)
		c->n_named++;
	for (; at > 0 && lag->since_ms < c->named[at - 1].since_ms; at--) {
		if (at < LAG_MAX_NAMED)
			c->named[at] = c->named[at - 1];
	}
	if (at < LAG_MAX_NAMED)
		c->named[at] = *lag;
}

static void count_nodes(void *arg, const struct muster *m)
{
	int64_t now_ms = clock_wall_ms();
	struct census *c = arg;
	const struct muster_node *n;
	size_t at = 0;

	if (c->generation == CENSUS_NOW)
		c->generation = m->generation;
	while ((n = muster_next(m, &at))) {
		struct lag lag = muster_lag(m, n, c->generation);

		c->n_nodes++;
		c->n_current += lag.state == LAG_CURRENT;
		if (lag_is_told(&lag, now_ms))
			name(c, &lag);
	}
}

void census_take(struct progress *p, const struct uuid *tenant, uint64_t generation,
		 struct census *ret)
{
	*ret = (struct census){.generation = generation};
	progress_look(p, tenant, count_nodes, ret);
}

static uint64_t mix(uint64_t mark, const void *p, size_t len)
{
	const uint8_t *bytes = p;

	for (size_t i = 0; i < len; i++)
		mark = (mark ^ bytes[i]) * UINT64_C(1099511628211);
	return mark;
}

uint64_t census_mark(const struct census *c)
{
	const uint32_t counts[] = {c->n_nodes, c->n_current, c->n_lagging};
	uint64_t mark = mix(UINT64_C(14695981039346656037), counts, sizeof(counts));

	for (size_t i = 0; i < c->n_named; i++) {
		const uint32_t what[] = {(uint32_t)c->named[i].state, c->named[i].failed};

		mark = mix(mark, c->named[i].node_id.b, sizeof(c->named[i].node_id.b));
		mark = mix(mark, what, sizeof(what));
	}
	return mark;
}

/* --- mesh DNS --- */

static bool serves(const struct muster_node *n)
{
	return !strcmp(n->dns_status, "serving") || !strcmp(n->dns_status, "coredns");
}

static void sum_dns(void *arg, const struct muster *m)
{
	char *ret = arg;
	unsigned n_live = 0, n_serving = 0, n_same = 0;
	const struct muster_node *n, *first = NULL;
	size_t at = 0;

	while ((n = muster_next(m, &at))) {
		/* One that is online and has not reported yet says nothing. */
		if (!n->online || !*n->dns_status)
			continue;
		first = first ? first : n;
		n_live++;
		n_serving += serves(n);
		n_same += !strcmp(n->dns_status, first->dns_status);
	}
	if (n_live && n_same == n_live)
		memcpy(ret, first->dns_status, CENSUS_DNS_MAX);
	else if (n_live && n_serving == n_live)
		strcpy(ret, "serving");
	else if (n_live)
		snprintf(ret, CENSUS_DNS_MAX, "degraded: %u of %u nodes serve names", n_serving,
			 n_live);
}

void census_dns(struct progress *p, const struct uuid *tenant, char ret[CENSUS_DNS_MAX])
{
	strcpy(ret, "off");
	progress_look(p, tenant, sum_dns, ret);
}

/* --- all tenants --- */

struct count {
	uint64_t *states;
	struct census_laggard *laggards;
	size_t cap, n;
	int64_t now_ms;
};

static bool count_tenant(void *arg, const struct uuid *tenant, const struct muster *m)
{
	struct count *c = arg;
	const struct muster_node *n;
	size_t at = 0;

	while ((n = muster_next(m, &at))) {
		struct lag lag = muster_lag(m, n, m->generation);

		c->states[lag.state]++;
		if (!lag_is_told(&lag, c->now_ms))
			continue;
		if (c->n < c->cap)
			c->laggards[c->n] = (struct census_laggard){.tenant = *tenant, .lag = lag};
		c->n++;
	}
	return true;
}

size_t census_all(struct progress *p, uint64_t ret_states[LAG_N_STATES], struct census_laggard *ret,
		  size_t cap)
{
	struct count c = {
		.states = ret_states, .laggards = ret, .cap = cap, .now_ms = clock_wall_ms()};

	memset(ret_states, 0, LAG_N_STATES * sizeof(*ret_states));
	progress_look_all(p, count_tenant, &c);
	return c.n;
}
