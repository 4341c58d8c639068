/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/metrics.h"

#include <string.h>

#include "server/store/tenant_row.h"

enum { TEXT_MAX = 262144, STOP_MS = 200 };

struct metrics {
	struct cp *cp;
	struct server *watched, *own;
	struct services *services;
};

static bool claims(const struct exchange *x)
{
	(void)x;
	return true;
}

static void fail(struct exchange *x, unsigned status)
{
	exchange_head(x, status, NULL, 0);
	exchange_finish(x, NULL, 0);
}

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

static void add_sums(struct metrics *m, struct text *out)
{
	uint64_t batches, writes;
	struct sums s = {0};

	store_counts(m->cp->store, &batches, &writes);
	text_addf(out, "qmesh_store_batches_total %llu\nqmesh_store_writes_total %llu\n",
		  (unsigned long long)batches, (unsigned long long)writes);
	if (store_read(m->cp->store, sum_up, &s))
		return;
	text_addf(out, "qmesh_tenants %llu\nqmesh_devices %llu\nqmesh_nodes %llu\n",
		  (unsigned long long)s.tenants, (unsigned long long)s.devices,
		  (unsigned long long)s.nodes);
	text_addf(out, "qmesh_generations_total %llu\n", (unsigned long long)s.generations);
}

static void open_exchange(struct exchange *x, void *owner)
{
	static const struct header type = {"content-type", "text/plain; version=0.0.4", 25};
	_cleanup_(text_done) struct text out = TEXT_INIT(TEXT_MAX);
	struct metrics *m = owner;

	if (strcmp(x->path, "/metrics")) {
		fail(x, 404);
		return;
	}
	if (strcmp(x->method, "GET")) {
		fail(x, 405);
		return;
	}
	server_metrics(m->watched, &out);
	add_sums(m, &out);
	if (out.failed) {
		fail(x, 500);
		return;
	}
	exchange_head(x, 200, &type, 1);
	exchange_write(x, out.s, out.len);
	exchange_finish(x, NULL, 0);
}

static void ignore_data(struct exchange *x, const uint8_t *p, size_t len)
{
	(void)x;
	(void)p;
	(void)len;
}

static void ignore(struct exchange *x)
{
	(void)x;
}

static const struct door door = {
	.name = "metrics",
	.claims = claims,
	.open = open_exchange,
	.data = ignore_data,
	.end = ignore,
	.gone = ignore,
};

int metrics_new(struct cp *cp, struct server *watched, struct metrics **ret_metrics)
{
	_cleanup_(metrics_freep) struct metrics *m = calloc(1, sizeof(*m));
	const struct listener_options listener = {
		.kind = LISTENER_PLAIN, .address = cp->conf.metrics, .name = "metrics"};
	const struct service_hooks none = {0};
	struct server_options options = {.loops = 1, .workers = 1};
	int r;

	if (!m)
		return -ENOMEM;
	m->cp = cp;
	m->watched = watched;
	m->services = services_new(&none);
	if (!m->services)
		return -ENOMEM;
	options.services = m->services;
	r = server_new(&options, &m->own);
	if (!r)
		r = server_add_door(m->own, &door, m);
	if (!r)
		r = server_listen(m->own, &listener, NULL);
	if (!r)
		r = server_start(m->own);
	if (r)
		return err_trace(r);
	*ret_metrics = TAKE(m);
	return 0;
}

void metrics_free(struct metrics *m)
{
	if (!m)
		return;
	if (m->own)
		server_stop(m->own, STOP_MS);
	server_free(m->own);
	services_free(m->services);
	free(m);
}
