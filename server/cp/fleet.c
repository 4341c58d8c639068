/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/fleet.h"

#include <string.h>

#include "base/clock.h"
#include "server/cp/audit.h"
#include "server/cp/change.h"
#include "server/cp/fields.h"
#include "server/cp/hub.h"
#include "server/cp/inspection.h"
#include "server/cp/ipam.h"
#include "server/cp/laggards.h"
#include "server/cp/manners.h"
#include "server/cp/presence.h"
#include "server/cp/tenants.h"

enum { PAGE_DEFAULT = 500, PAGE_MAX = 1000 };

struct listing {
	struct call *call;
	struct txn *txn;
	const char *tenant_name; /* NULL: the caller's */
	struct tenant_row tenant;
	struct uuid after, last;
	uint32_t limit;
	Pb__Node **nodes;
	size_t n;
};

static int fill_lag(struct listing *l, const struct node_row *row, Pb__Node *n)
{
	const struct tenant_row *tenant = &l->tenant;
	struct cp *cp = l->call->owner;
	char words[LAG_WORDS_MAX];
	struct lag lag;
	int r;

	lag = progress_lag(cp->progress, &tenant->id, &row->id, tenant->generation);
	r = laggards_words(l->txn, &tenant->id, &lag, words);
	if (r)
		return err_trace(r);
	n->state = (Pb__NodeState)lag.state;
	if (lag.state != LAG_CURRENT)
		n->state_since = fields_time(l->call, lag.since_ms);
	n->why = arena_strdup(&l->call->arena, words);
	return n->why ? 0 : -ENOMEM;
}

static Pb__Node *fill(struct call *call, const struct tenant_row *tenant,
		      const struct node_row *row)
{
	Pb__Node *n = FIELDS_NEW(call, Pb__Node, pb__node__init);
	struct cp *cp = call->owner;
	struct muster_node is;
	uint8_t ip6[16];

	if (!n)
		return NULL;
	progress_get(cp->progress, &tenant->id, &row->id, &is);
	ipam_address6(tenant, row->ip4, ip6);
	n->id = fields_uuid(call, &row->id);
	n->label = arena_strdup(&call->arena, row->label);
	n->slug = arena_strdup(&call->arena, row->slug);
	n->dns_name = arena_printf(&call->arena, "%s.quazzar.mesh", row->slug);
	n->mesh_ip = fields_ip4(call, row->ip4);
	n->mesh_ip6 = fields_ip6(call, ip6);
	n->endpoint = arena_strdup(&call->arena, row->endpoint);
	n->public_key = fields_key(call, row->public_key.b);
	n->online = is.online;
	n->last_seen = fields_time(call, is.reported_ms);
	n->applied_generation = is.applied;
	n->failed_peers = is.failed;
	n->forwarding = arena_strdup(&call->arena, is.forwarding);
	n->dns_status = arena_strdup(&call->arena, is.dns_status);
	n->https_status = arena_strdup(&call->arena, is.https_status);
	n->created_at = fields_time(call, row->created_ms);
	return n->id && n->label && n->slug && n->dns_name && n->mesh_ip && n->mesh_ip6 &&
			       n->endpoint && n->public_key && n->forwarding && n->dns_status &&
			       n->https_status
		       ? n
		       : NULL;
}

static int add(void *arg, const struct node_row *row)
{
	struct listing *l = arg;
	int r;

	l->nodes[l->n] = fill(l->call, &l->tenant, row);
	if (!l->nodes[l->n])
		return -ENOMEM;
	r = fill_lag(l, row, l->nodes[l->n]);
	if (r)
		return r;
	l->last = row->id;
	return node_row_count_devices(l->txn, &l->tenant.id, &row->id, &l->nodes[l->n++]->devices);
}

static int read_page(struct txn *txn, void *ctx)
{
	struct listing *l = ctx;
	int r;

	l->txn = txn;
	l->n = 0;
	if (l->tenant_name)
		r = tenants_find(txn, l->tenant_name, &l->tenant);
	else
		r = tenant_row_get(txn, &l->call->caller.tenant_id, &l->tenant);
	return r ? r : node_row_list(txn, &l->tenant.id, &l->after, l->limit, add, l);
}

/* A page into l; *ret_next is "" after the last. */
static int list_page(struct listing *l, uint32_t page_size, const char *page_token, char **ret_next)
{
	struct call *call = l->call;
	struct cp *cp = call->owner;
	int r;

	l->limit = page_size ? page_size : PAGE_DEFAULT;
	if (l->limit > PAGE_MAX)
		l->limit = PAGE_MAX;
	r = fields_page(call, page_token, &l->after);
	if (r)
		return r;
	l->nodes = call_alloc(call, l->limit * sizeof(*l->nodes));
	if (!l->nodes)
		return -ENOMEM;
	r = store_read(cp->store, read_page, l);
	if (!r && l->n == l->limit)
		*ret_next = fields_page_token(call, &l->last);
	return err_trace(r);
}

int fleet_list(struct call *call, const Pb__ListNodesRequest *in, Pb__ListNodesResponse *out)
{
	struct listing l = {.call = call};
	int r;

	r = list_page(&l, in->page_size, in->page_token, &out->next_page_token);
	out->nodes = l.nodes;
	out->n_nodes = l.n;
	return r;
}

int fleet_list_tenant(struct call *call, const Pb__ListTenantNodesRequest *in,
		      Pb__ListTenantNodesResponse *out)
{
	struct listing l = {.call = call, .tenant_name = in->tenant};
	int r;

	r = list_page(&l, in->page_size, in->page_token, &out->next_page_token);
	if (r == ERR_NOT_FOUND)
		return tenants_missing(call, in->tenant);
	out->nodes = l.nodes;
	out->n_nodes = l.n;
	return r;
}

/* --- start --- */

struct start {
	struct cp *cp;
	struct uuid after;
	struct tenant_row tenant;
	bool found;
};

static int keep_tenant(void *arg, const struct tenant_row *row)
{
	struct start *s = arg;

	s->tenant = *row;
	s->found = true;
	return 0;
}

static int know(void *arg, const struct node_row *row)
{
	struct start *s = arg;

	progress_know(s->cp->progress, &row->tenant, &row->id);
	return 0;
}

static int load_next(struct txn *txn, void *ctx)
{
	static const struct uuid first;
	struct start *s = ctx;
	int r;

	s->found = false;
	r = tenant_row_list(txn, &s->after, 1, keep_tenant, s);
	if (r || !s->found)
		return r;
	s->after = s->tenant.id;
	progress_load(s->cp->progress, &s->tenant.id, s->tenant.epoch, s->tenant.generation);
	return node_row_list(txn, &s->tenant.id, &first, UINT32_MAX, know, s);
}

int fleet_load(struct cp *cp)
{
	struct start s = {.cp = cp};
	int r;

	do {
		r = store_read(cp->store, load_next, &s);
	} while (!r && s.found);
	return err_trace(r);
}

/* --- leaving --- */

struct removal {
	const char *tenant_name, *node_name, *heir_name;
	bool force, known; /* known: the node that leaves */
	int64_t now_ms;
	struct change change;
	struct uuid node, heir;
	uint32_t node_ip4;
	struct device_row *rows;
	size_t n_rows, cap_rows;
	struct audit_row audit;
};

struct search {
	const char *name;
	struct uuid id;
	uint32_t ip4;
	char label[257];
};

static int match(void *arg, const struct node_row *row)
{
	struct search *s = arg;
	char id[UUID_TEXT_LEN + 1];

	if (strcmp(row->slug, s->name) && strcmp(uuid_text(&row->id, id), s->name))
		return 0;
	s->id = row->id;
	s->ip4 = row->ip4;
	memcpy(s->label, row->label, sizeof(s->label));
	return 1;
}

static int find_node(struct txn *txn, const struct uuid *tenant, struct search *ret)
{
	static const struct uuid first;
	int r = node_row_list(txn, tenant, &first, UINT32_MAX, match, ret);

	return r == 1 ? 0 : r ? r : ERR_NOT_FOUND;
}

static int keep_row(void *arg, const struct device_row *row)
{
	struct removal *m = arg;

	if (m->n_rows == m->cap_rows) {
		size_t cap = m->cap_rows ? m->cap_rows * 2 : 16;
		void *more = realloc(m->rows, cap * sizeof(*m->rows));

		if (!more)
			return -ENOMEM;
		m->rows = more;
		m->cap_rows = cap;
	}
	m->rows[m->n_rows++] = *row;
	return 0;
}

/* Devices of the node: moved to the heir, or gone with it. */
static int settle_devices(struct txn *txn, struct removal *m)
{
	struct device_filter homed = {.home = m->node, .limit = UINT32_MAX};
	int r;

	m->n_rows = 0;
	r = device_row_list(txn, &m->change.tenant.id, &homed, keep_row, m);
	if (r)
		return err_trace(r);
	if (m->n_rows && !m->force && uuid_is_nil(&m->heir))
		return ERR_NEEDS_REHOME;
	for (size_t i = 0; !r && i < m->n_rows; i++) {
		struct device_row *d = &m->rows[i];

		if (uuid_is_nil(&m->heir)) {
			r = change_remove(txn, &m->change, &d->id, d->ip4);
			continue;
		}
		d->home = m->heir;
		d->needs_new_config = true;
		d->pending = (struct key_row){0};
		r = change_save_device(txn, &m->change, d);
	}
	return r;
}

static int remove_in_txn(struct txn *txn, void *ctx)
{
	struct removal *m = ctx;
	struct search leaver = {.name = m->node_name}, heir = {.name = m->heir_name};
	struct tenant_row tenant;
	int r;

	r = tenants_find(txn, m->tenant_name, &tenant);
	if (r)
		return r;
	m->audit.tenant = tenant.id;
	r = change_begin(txn, &tenant.id, m->now_ms, &m->change);
	if (!r)
		r = find_node(txn, &tenant.id, &leaver);
	m->known = !r;
	if (!r && *m->heir_name)
		r = find_node(txn, &tenant.id, &heir);
	if (r)
		return r;
	m->node = leaver.id;
	m->heir = heir.id;
	if (uuid_equal(&m->node, &m->heir))
		return ERR_FIELD_INVALID;
	audit_object(&m->audit, &leaver.id, leaver.label);
	r = settle_devices(txn, m);
	if (!r)
		r = change_remove(txn, &m->change, &leaver.id, leaver.ip4);
	if (!r)
		r = change_end(txn, &m->change);
	if (!r)
		r = audit_end(txn, &m->audit, 0);
	return r;
}

static int deny(struct txn *txn, void *ctx, int refusal)
{
	struct removal *m = ctx;

	return audit_end(txn, &m->audit, refusal);
}

int fleet_remove(struct call *call, const Pb__RemoveNodeRequest *in, Pb__RemoveNodeResponse *out)
{
	struct removal m = {.tenant_name = in->tenant,
			    .node_name = in->node,
			    .heir_name = in->rehome_to,
			    .force = in->force,
			    .now_ms = clock_wall_ms()};
	struct cp *cp = call->owner;
	int r;

	audit_begin(call, "node.remove", &m.audit);
	r = audit_write(call, remove_in_txn, deny, &m);
	for (size_t i = 0; !r && uuid_is_nil(&m.heir) && i < m.n_rows; i++)
		presence_forget(cp->presence, &m.change.tenant.id, &m.rows[i].id);
	free(m.rows);
	if (r == ERR_NOT_FOUND && uuid_is_nil(&m.audit.tenant))
		return tenants_missing(call, in->tenant);
	if (r == ERR_NOT_FOUND)
		return call_fail(call, r, "There is no node %s in tenant %s.",
				 m.known ? in->rehome_to : in->node, in->tenant);
	if (r == ERR_FIELD_INVALID)
		return call_field(call, "rehome_to", "must be another node");
	if (r == ERR_NEEDS_REHOME) {
		call_fail(call, r,
			  "%zu devices live there. Move them with rehome_to, or remove them with "
			  "force.",
			  m.n_rows);
		status_meta(&call->status, "devices", "%zu", m.n_rows);
		return r;
	}
	if (r)
		return err_trace(r);
	hub_cut(cp->hub, &m.change.tenant.id, &m.node);
	progress_forget(cp->progress, &m.change.tenant.id, &m.node);
	manners_forget(cp->manners, &m.node);
	inspection_forget(cp->inspection, &m.node);
	progress_header(call, &m.change.tenant.id, m.change.tenant.generation);
	out->devices = (uint32_t)m.n_rows;
	return 0;
}
