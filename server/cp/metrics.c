/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/metrics.h"

#include <stdlib.h>

#include "base/clock.h"
#include "server/cp/census.h"
#include "server/cp/cp.h"
#include "server/cp/hub.h"
#include "server/cp/presence.h"
#include "server/store/node_row.h"
#include "server/store/tenant_row.h"

enum { NAMED_MAX = 256 };

struct sums {
	uint64_t tenants, devices, nodes, generations;
};

static int add_tenant(void *arg, const struct tenant_row *row)
{
	struct sums *s = arg;

	s->tenants++;
	s->devices += row->devices;
	s->nodes += row->nodes;
	s->generations += row->generation;
	return 0;
}

static int sum_up(struct txn *txn, void *ctx)
{
	static const struct uuid first;

	return tenant_row_list(txn, &first, UINT32_MAX, add_tenant, ctx);
}

/* --- convergence --- */

/* In seconds, as is the custom there. */
static void add_times(struct text *out, const struct muster_times *t)
{
	unsigned long long below = 0;

	text_addf(out, "# TYPE qmesh_propagation_seconds histogram\n");
	for (size_t i = 0; i < MUSTER_BUCKETS; i++) {
		below += t->n[i];
		if (muster_bucket_ms[i] == UINT32_MAX)
			text_addf(out, "qmesh_propagation_seconds_bucket{le=\"+Inf\"} %llu\n",
				  below);
		else
			text_addf(out, "qmesh_propagation_seconds_bucket{le=\"%g\"} %llu\n",
				  muster_bucket_ms[i] / 1000.0, below);
	}
	text_addf(out, "qmesh_propagation_seconds_sum %.3f\nqmesh_propagation_seconds_count %llu\n",
		  (double)t->sum_ms / 1000, (unsigned long long)t->count);
}

struct naming {
	struct census_laggard *laggards;
	size_t n;
	struct text *out;
	int64_t now_ms;
};

/* Slugs and names of tenants have no character that would need an escape. */
static int name_laggards(struct txn *txn, void *ctx)
{
	struct naming *w = ctx;
	struct tenant_row tenant;
	struct node_row node;
	int r = 0;

	for (size_t i = 0; !r && i < w->n; i++) {
		const struct census_laggard *l = &w->laggards[i];
		int64_t for_ms = l->lag.since_ms ? w->now_ms - l->lag.since_ms : 0;

		r = tenant_row_get(txn, &l->tenant, &tenant);
		if (!r)
			r = node_row_get(txn, &l->tenant, &l->lag.node_id, &node);
		if (!r)
			text_addf(w->out,
				  "qmesh_node_lag_seconds{tenant=\"%s\",node=\"%s\",state=\"%s\"} "
				  "%lld\n",
				  tenant.name, node.slug, lag_name(l->lag.state),
				  (long long)(for_ms > 0 ? for_ms / 1000 : 0));
		/* Removed a moment ago. */
		if (r == ERR_NOT_FOUND)
			r = 0;
	}
	return r;
}

static void add_convergence(struct cp *cp, struct text *out)
{
	struct muster_times times = progress_times(cp->progress);
	struct naming w = {.out = out, .now_ms = clock_wall_ms()};
	uint64_t states[LAG_N_STATES];
	size_t n;

	add_times(out, &times);
	w.laggards = calloc(NAMED_MAX, sizeof(*w.laggards));
	n = census_all(cp->progress, states, w.laggards, w.laggards ? NAMED_MAX : 0);
	for (int i = LAG_CURRENT; i < LAG_N_STATES; i++)
		text_addf(out, "qmesh_nodes_by_state{state=\"%s\"} %llu\n", lag_name(i),
			  (unsigned long long)states[i]);
	text_addf(out, "qmesh_nodes_lagging %zu\n", n);
	w.n = n < NAMED_MAX ? n : NAMED_MAX;
	if (w.laggards && w.n && store_read(cp->store, name_laggards, &w))
		log_warn("metrics", "nodes that lag could not be named");
	free(w.laggards);
}

void metrics_add(void *owner, struct text *out)
{
	struct cp *cp = owner;
	uint64_t batches, writes;
	struct sums s = {0};

	store_counts(cp->store, &batches, &writes);
	text_addf(out, "qmesh_store_batches_total %llu\nqmesh_store_writes_total %llu\n",
		  (unsigned long long)batches, (unsigned long long)writes);
	add_convergence(cp, out);
	hub_metrics(cp->hub, out);
	if (store_read(cp->store, sum_up, &s))
		return;
	text_addf(out, "qmesh_tenants %llu\nqmesh_devices %llu\nqmesh_nodes %llu\n",
		  (unsigned long long)s.tenants, (unsigned long long)s.devices,
		  (unsigned long long)s.nodes);
	text_addf(out, "qmesh_presence_devices %zu\n", presence_count(cp->presence));
	text_addf(out, "qmesh_generations_total %llu\n", (unsigned long long)s.generations);
}
