/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/overview.h"

#include <string.h>

#include "base/cidr.h"
#include "server/cp/fields.h"
#include "server/cp/laggards.h"
#include "server/cp/plan.h"
#include "server/store/node_row.h"
#include "server/store/tenant_row.h"

enum { NODES_MAX = 4094 };

struct look {
	struct uuid tenant_id;
	struct tenant_row tenant;
};

static int find_tenant(struct txn *txn, void *ctx)
{
	struct look *l = ctx;

	return tenant_row_get(txn, &l->tenant_id, &l->tenant);
}

/* A tenant with its nodes: the generation is the one that they are counted by. */
struct whole {
	struct cp *cp;
	struct arena *arena;
	struct look l;
	struct census census;
	Pb__State *state;
};

static int find_whole(struct txn *txn, void *ctx)
{
	struct whole *w = ctx;
	int r = find_tenant(txn, &w->l);

	if (r)
		return r;
	census_take(w->cp->progress, &w->l.tenant_id, w->l.tenant.generation, &w->census);
	return laggards_fill(txn, w->arena, &w->l.tenant_id, &w->census, w->state);
}

static char *cidr_in(struct arena *arena, struct cidr c)
{
	char *s = arena_alloc(arena, CIDR_TEXT_LEN + 1);

	if (s)
		cidr_text(&c, s);
	return s;
}

int overview_notices(const struct tenant_row *row, struct arena *arena, char ***ret, size_t *ret_n)
{
	char notices[PLANS_MAX_NOTICES][PLANS_TEXT_MAX];
	struct tenantrec tenant;
	char **list;
	size_t n;

	plan_record(row, &tenant);
	n = plans_notices(&tenant, row->devices, notices);
	list = arena_alloc(arena, PLANS_MAX_NOTICES * sizeof(*list));
	for (size_t i = 0; list && i < n; i++) {
		list[i] = arena_strdup(arena, notices[i]);
		if (!list[i])
			return -ENOMEM;
	}
	if (!list)
		return -ENOMEM;
	*ret = list;
	*ret_n = n;
	return 0;
}

static int fill_licence(struct arena *arena, const struct tenant_row *row, Pb__State *s)
{
	s->plan = (Pb__Plan)row->plan;
	s->plan_source = (Pb__PlanSource)row->plan_source;
	s->licence_state = (Pb__LicenceState)row->licence_state;
	s->licence_expires_at = fields_time_in(arena, row->licence_expires_ms);
	s->licence_grace_until = fields_time_in(arena, row->licence_grace_ms);
	s->devices_used = row->devices;
	s->devices_cap = row->cap;
	s->lease_s = row->lease_s;
	return overview_notices(row, arena, &s->notices, &s->n_notices);
}

int overview_make(struct cp *cp, struct arena *arena, const struct uuid *tenant, Pb__State **ret)
{
	Pb__State *s = arena_new(arena, Pb__State);
	struct whole w = {.cp = cp, .arena = arena, .l.tenant_id = *tenant, .state = s};
	const struct tenant_row *row = &w.l.tenant;
	char dns[CENSUS_DNS_MAX];
	uint32_t applied, live;
	int r;

	if (!s)
		return -ENOMEM;
	pb__state__init(s);
	r = store_read(cp->store, find_whole, &w);
	if (r)
		return r;
	progress_count(cp->progress, tenant, row->generation, &applied, &live);
	s->active = live > 0;
	s->peer_count = row->devices + row->nodes;
	census_dns(cp->progress, tenant, dns);
	s->dns_status = arena_strdup(arena, dns);
	s->generation = row->generation;
	s->converged = live && applied == live;
	s->range = cidr_in(arena, cidr_v4(row->range4, 16));
	s->range6 = cidr_in(arena, cidr_v6(row->range6, 48));
	s->cp_connected = true;
	if (!s->range || !s->range6 || !s->dns_status)
		return -ENOMEM;
	r = fill_licence(arena, row, s);
	if (!r)
		*ret = s;
	return r;
}

int overview_state(struct call *call, const Pb__GetStateRequest *in, Pb__GetStateResponse *out)
{
	(void)in;
	return overview_make(call->owner, &call->arena, &call->caller.tenant_id, &out->state);
}

static int add_feature(struct call *call, const struct tenantrec *tenant, uint32_t used, size_t i,
		       Pb__GetOrbitFeaturesResponse *out)
{
	Pb__GetOrbitFeaturesResponse__FeaturesEntry *entry =
		FIELDS_NEW(call, Pb__GetOrbitFeaturesResponse__FeaturesEntry,
			   pb__get_orbit_features_response__features_entry__init);
	Pb__Feature *value = FIELDS_NEW(call, Pb__Feature, pb__feature__init);
	char why[PLANS_TEXT_MAX];

	if (!entry || !value)
		return -ENOMEM;
	plans_why(tenant, i, used, why);
	entry->key = (char *)plans_features[i].name;
	entry->value = value;
	value->enabled = tenantrec_has(tenant, entry->key);
	value->why = arena_strdup(&call->arena, why);
	if (!strcmp(entry->key, "mesh_vpn")) {
		value->cap = tenant->cap;
		value->used = used;
	}
	out->features[out->n_features++] = entry;
	return value->why ? 0 : -ENOMEM;
}

int overview_features(struct call *call, const Pb__GetOrbitFeaturesRequest *in,
		      Pb__GetOrbitFeaturesResponse *out)
{
	struct look l = {.tenant_id = call->caller.tenant_id};
	struct cp *cp = call->owner;
	struct tenantrec tenant;
	int r;

	(void)in;
	r = store_read(cp->store, find_tenant, &l);
	if (r)
		return err_trace(r);
	plan_record(&l.tenant, &tenant);
	out->plan = (Pb__Plan)l.tenant.plan;
	out->features = call_alloc(call, PLANS_N_FEATURES * sizeof(*out->features));
	if (!out->features)
		return -ENOMEM;
	for (size_t i = 0; !r && i < PLANS_N_FEATURES; i++)
		r = add_feature(call, &tenant, l.tenant.devices, i, out);
	return r;
}

/* --- GetChange --- */

struct where {
	struct call *call;
	struct tenant_row tenant;
	uint64_t generation;
	Pb__GetChangeResponse *out;
};

static int add_node(void *arg, const struct node_row *row)
{
	struct where *w = arg;
	struct call *call = w->call;
	Pb__NodeProgress *n = FIELDS_NEW(call, Pb__NodeProgress, pb__node_progress__init);

	if (!n)
		return -ENOMEM;
	n->node_id = fields_uuid(call, &row->id);
	n->label = arena_strdup(&call->arena, row->label);
	if (!n->node_id || !n->label)
		return -ENOMEM;
	w->out->nodes[w->out->n_nodes++] = n;
	return 0;
}

static int read_nodes(struct txn *txn, void *ctx)
{
	static const struct uuid first;
	struct where *w = ctx;
	int r;

	r = tenant_row_get(txn, &w->call->caller.tenant_id, &w->tenant);
	if (r || w->generation > w->tenant.generation)
		return r ? r : ERR_NOT_FOUND;
	w->out->nodes = call_alloc(w->call, (w->tenant.nodes + 1) * sizeof(*w->out->nodes));
	if (!w->out->nodes)
		return -ENOMEM;
	w->out->n_nodes = 0;
	return node_row_list(txn, &w->tenant.id, &first,
			     w->tenant.nodes < NODES_MAX ? w->tenant.nodes : NODES_MAX, add_node,
			     w);
}

static void tell_node(struct call *call, Pb__NodeProgress *n, uint64_t generation)
{
	const struct uuid *tenant = &call->caller.tenant_id;
	struct cp *cp = call->owner;
	char words[LAG_WORDS_MAX];
	struct muster_node is;
	struct uuid id;
	struct lag lag;
	char *why;

	if (uuid_parse(n->node_id, &id))
		return;
	progress_get(cp->progress, tenant, &id, &is);
	lag = progress_lag(cp->progress, tenant, &id, generation);
	n->online = is.online;
	n->applied = lag.generation && lag.generation >= generation;
	n->applied_generation = is.applied;
	n->since = fields_time(call, is.since_ms);
	n->failed = is.failed;
	n->state = (Pb__NodeState)lag.state;
	if (lag.state != LAG_CURRENT)
		n->lags_since = fields_time(call, lag.since_ms);
	why = arena_strdup(&call->arena, lag_words(&lag, NULL, words));
	if (why)
		n->why = why;
}

/* As it is when the answer leaves, which may be later than when it was asked. */
static void tell(struct call *call)
{
	Pb__GetChangeResponse *out = (Pb__GetChangeResponse *)call->out;
	const struct uuid *tenant = &call->caller.tenant_id;
	struct cp *cp = call->owner;

	progress_count(cp->progress, tenant, out->generation, &out->applied, &out->live);
	out->converged = out->live && out->applied == out->live;
	if (out->converged)
		out->elapsed_ms = progress_elapsed(cp->progress, tenant, out->generation);
	for (size_t i = 0; i < out->n_nodes; i++)
		tell_node(call, out->nodes[i], out->generation);
}

int overview_change(struct call *call, const Pb__GetChangeRequest *in, Pb__GetChangeResponse *out)
{
	struct where w = {.call = call, .generation = in->generation, .out = out};
	struct cp *cp = call->owner;
	int r;

	r = store_read(cp->store, read_nodes, &w);
	if (r == ERR_NOT_FOUND)
		return call_fail(call, r, "There is no generation %llu yet.",
				 (unsigned long long)in->generation);
	if (r)
		return err_trace(r);
	out->generation = in->generation;
	out->epoch = w.tenant.epoch;
	if (!in->wait_ms) {
		tell(call);
		return 0;
	}
	return progress_answer(call, &(struct progress_wait){.generation = in->generation,
							     .wait_ms = in->wait_ms,
							     .done = tell});
}
