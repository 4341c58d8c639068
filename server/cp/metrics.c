/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/metrics.h"

#include "server/cp/cp.h"
#include "server/cp/presence.h"
#include "server/store/tenant_row.h"

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

void metrics_add(void *owner, struct text *out)
{
	struct cp *cp = owner;
	uint64_t batches, writes;
	struct sums s = {0};

	store_counts(cp->store, &batches, &writes);
	text_addf(out, "qmesh_store_batches_total %llu\nqmesh_store_writes_total %llu\n",
		  (unsigned long long)batches, (unsigned long long)writes);
	if (store_read(cp->store, sum_up, &s))
		return;
	text_addf(out, "qmesh_tenants %llu\nqmesh_devices %llu\nqmesh_nodes %llu\n",
		  (unsigned long long)s.tenants, (unsigned long long)s.devices,
		  (unsigned long long)s.nodes);
	text_addf(out, "qmesh_presence_devices %zu\n", presence_count(cp->presence));
	text_addf(out, "qmesh_generations_total %llu\n", (unsigned long long)s.generations);
}
