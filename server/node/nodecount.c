/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over the replica and the interface; on the loop of /metrics. */
#include "server/node/nodecount.h"

#include "server/node/node.h"
#include "server/node/show.h"
#include "server/node/watchers.h"

static uint64_t count_connected(struct node *n)
{
	const struct members *list = n->replica.list;
	uint64_t connected = 0;

	for (size_t i = 0; i < members_count(list); i++) {
		const struct member *m = members_at(list, i);

		connected += m->kind == MEMBER_DEVICE && show_pill(n, m) == PILL_CONNECTED;
	}
	return connected;
}

static void add(struct text *out, const char *name, uint64_t value)
{
	text_addf(out, "qmesh_node_%s %llu\n", name, (unsigned long long)value);
}

void nodecount_add(void *owner, struct text *out)
{
	struct node *n = owner;
	struct replica *r = &n->replica;

	pthread_rwlock_rdlock(&r->lock);
	add(out, "up", r->interface.active);
	add(out, "cp_connected", r->cp_connected);
	add(out, "generation", r->head.generation);
	add(out, "applied_generation", r->interface.generation);
	add(out, "peers", r->interface.n_peers);
	add(out, "failed_peers", r->interface.n_failed);
	add(out, "members", members_count(r->list));
	add(out, "devices", members_devices(r->list));
	add(out, "list_gaps_total", r->n_gaps);
	add(out, "list_differing_total", r->n_differing);
	add(out, "list_old_total", r->n_old);
	add(out, "list_refused_total", r->n_refused);
	add(out, "lease_seconds", r->lease.length_ms / 1000);
	if (r->lease.length_ms)
		add(out, "lease_left_seconds", lease_left_ms(&r->lease) / 1000);
	add(out, "lease_over", lease_is_over(&r->lease));
	add(out, "devices_connected", count_connected(n));
	pthread_rwlock_unlock(&r->lock);
	add(out, "watchers", watchers_count(n->watchers));
	dnscount_tell(&n->dns_count, out);
}
