/* SPDX-License-Identifier: Apache-2.0 */
/* Members, states and the interface as the contract's messages. */
#include "server/node/show.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "server/node/keeper.h"
#include "server/node/node.h"
#include "server/peers/members.h"
#include "server/peers/plans.h"

#define DNS_SUFFIX ".quazzar.mesh"

static char *empty(void)
{
	return (char *)protobuf_c_empty_string;
}

static char *or_empty(char *s)
{
	return s ? s : empty();
}

Google__Protobuf__Timestamp *show_time(struct arena *a, int64_t ms)
{
	Google__Protobuf__Timestamp *t = ms > 0 ? arena_new(a, Google__Protobuf__Timestamp) : NULL;

	if (t) {
		google__protobuf__timestamp__init(t);
		t->seconds = ms / 1000;
		t->nanos = (int32_t)(ms % 1000) * 1000000;
	}
	return t;
}

static char *id_text(struct arena *a, const struct uuid *id)
{
	char text[UUID_TEXT_LEN + 1];

	return or_empty(arena_strdup(a, uuid_text(id, text)));
}

static char *key_copy(struct arena *a, const struct key *k)
{
	char text[KEY_TEXT_LEN + 1];

	return or_empty(arena_strdup(a, key_text(k, text)));
}

static char *ip4_text(struct arena *a, uint32_t ip4)
{
	const struct cidr c = cidr_v4(ip4, 32);
	char text[CIDR_TEXT_LEN + 1];

	return ip4 ? or_empty(arena_strdup(a, cidr_addr_text(&c, text))) : empty();
}

static char *ip6_text(struct arena *a, const struct member *m)
{
	const struct cidr c = cidr_v6(m->ip6, 128);
	char text[CIDR_TEXT_LEN + 1];

	return m->has_ip6 ? or_empty(arena_strdup(a, cidr_addr_text(&c, text))) : empty();
}

static char *range_text(struct arena *a, const struct cidr *range)
{
	char text[CIDR_TEXT_LEN + 1];

	return range->family ? or_empty(arena_strdup(a, cidr_text(range, text))) : empty();
}

/* What the Control Panel would say of the same record. */
static void fill_licence(struct arena *a, const struct tenantrec *t, Pb__State *s)
{
	char notices[PLANS_MAX_NOTICES][PLANS_TEXT_MAX];
	size_t n = plans_notices(t, s->devices_used, notices);

	s->plan_source = (Pb__PlanSource)t->plan_source;
	s->licence_state = (Pb__LicenceState)t->licence_state;
	s->licence_expires_at = show_time(a, t->licence_expires_ms);
	s->licence_grace_until = show_time(a, t->licence_grace_ms);
	s->notices = n ? arena_alloc(a, n * sizeof(char *)) : NULL;
	for (size_t i = 0; s->notices && i < n; i++)
		s->notices[s->n_notices++] = or_empty(arena_strdup(a, notices[i]));
}

static void fill_self(struct node *n, struct arena *a, Pb__State *s)
{
	const struct member *self = members_get(n->replica.list, &n->replica.self);
	const struct tenantrec *t = members_tenant(n->replica.list);

	s->node_id = id_text(a, &n->replica.self);
	s->range = range_text(a, &t->range4);
	s->range6 = range_text(a, &t->range6);
	s->plan = (Pb__Plan)t->plan;
	s->devices_cap = t->cap;
	s->devices_used = (uint32_t)members_devices(n->replica.list);
	s->lease_s = n->replica.lease.length_ms / 1000;
	s->lease_left_s = s->lease_s ? lease_left_ms(&n->replica.lease) / 1000 : 0;
	s->lease_over = lease_is_over(&n->replica.lease);
	fill_licence(a, t, s);
	if (!self)
		return;
	s->mesh_ip = ip4_text(a, self->ip4);
	s->mesh_ip6 = ip6_text(a, self);
	s->node_label = or_empty(arena_strdup(a, self->label));
	s->endpoint = or_empty(arena_strdup(a, self->node.endpoint));
}

/* Of itself a node knows better than what the Control Panel said last. */
static struct lag own_lag(const struct replica *r)
{
	const struct replica_interface *now = &r->interface;
	struct lag lag = {.node_id = r->self, .state = LAG_CURRENT, .generation = now->generation};

	if (!r->cp_connected) {
		lag.state = LAG_OFFLINE;
		lag.since_ms = r->cp_lost_at_ms;
	} else if (now->generation < r->head.generation || !now->active) {
		lag.state = LAG_BEHIND;
	} else if (now->n_failed) {
		lag.state = LAG_REFUSED;
		lag.failed = (uint32_t)now->n_failed;
		lag.failed_id = now->failed[0].id;
		lag.failed_errno = (uint32_t)now->failed[0].error;
	}
	return lag;
}

/* A node that is alone need not ask. */
static int fill_standing(const struct replica *r, struct arena *a, Pb__State *s)
{
	bool is_alone = members_count(r->list) - members_devices(r->list) == 1;
	struct standing alone = {.is_known = true, .n_nodes = 1};
	struct lag own = own_lag(r);

	if (!is_alone)
		return standing_fill(&r->standing, r->list, a, s);
	s->converged = r->cp_connected && r->interface.generation == r->head.generation;
	alone.n_current = own.state == LAG_CURRENT;
	alone.n_lagging = alone.n_named = !alone.n_current;
	alone.named[0] = own;
	return standing_fill(&alone, r->list, a, s);
}

int show_state(struct node *n, struct arena *a, Pb__State *ret)
{
	struct replica *r = &n->replica;
	int e;

	pthread_rwlock_rdlock(&r->lock);
	ret->active = r->interface.active;
	ret->listen_port = r->interface.listen_port;
	ret->peer_count = r->interface.n_peers;
	ret->backend = (char *)r->interface.backend;
	ret->backend_why = (char *)r->interface.backend_why;
	ret->dns_status = or_empty(arena_strdup(a, r->interface.dns_status));
	ret->https_status = or_empty(arena_strdup(a, r->https.status));
	ret->https_url = or_empty(arena_strdup(a, r->https.url));
	ret->https_pin = or_empty(arena_strdup(a, r->https.pin));
	ret->generation = r->head.generation;
	ret->converged =
		r->cp_connected && r->interface.generation == r->head.generation &&
		(r->converged_generation == 0 || r->converged_generation >= r->head.generation);
	ret->cp_connected = r->cp_connected;
	if (!r->cp_connected)
		ret->cp_lost_at = show_time(a, r->cp_lost_at_ms);
	ret->forwarding = or_empty(arena_strdup(a, r->interface.forwarding));
	fill_self(n, a, ret);
	e = fill_standing(r, a, ret);
	pthread_rwlock_unlock(&r->lock);
	return e ? e : a->used > a->budget ? err_origin(-ENOMEM) : 0;
}

static bool is_own(const struct node *n, const struct member *m)
{
	return uuid_equal(&m->device.home, &n->replica.self);
}

/* Ours: what the interface has. Others' homes tell only when something is wrong. */
static bool is_applied(const struct node *n, const struct member *m, const struct pill_row *row)
{
	const struct replica_interface *now = &n->replica.interface;

	if (!is_own(n, m))
		return !replica_is_down(&n->replica, &m->device.home);
	/* A device that was just added is there before it is looked at for the first time. */
	return now->active && !replica_failure(&n->replica, &m->id) &&
	       ((row && row->key_version) || now->generation >= n->replica.head.generation);
}

enum pill show_pill(struct node *n, const struct member *m)
{
	const struct pill_row *row = pill_get(&n->replica.pills, &m->id);
	const struct pill_view view = {
		.device = m,
		.row = row,
		.applied = is_applied(n, m, row),
		.home_down = replica_is_down(&n->replica, &m->device.home),
		.now_ms = clock_wall_ms(),
	};

	return pill_of(&view);
}

static void fill_traffic(struct node *n, struct arena *a, const struct member *m, Pb__Device *d)
{
	const struct pill_row *row = pill_get(&n->replica.pills, &m->id);

	d->last_seen = show_time(a, pill_last_seen_ms(row));
	d->applied = is_applied(n, m, row);
	if (row && tenantrec_has(members_tenant(n->replica.list), "peer_stats")) {
		d->rx_bytes = row->rx_bytes;
		d->tx_bytes = row->tx_bytes;
	}
}

Pb__Device *show_device(struct node *n, struct arena *a, const struct member *m)
{
	const struct member_key *newest = member_newest_key(m);
	Pb__Device *d = arena_new(a, Pb__Device);
	Pb__Owner *owner = arena_new(a, Pb__Owner);

	if (!d || !owner)
		return NULL;
	pb__device__init(d);
	pb__owner__init(owner);
	d->id = id_text(a, &m->id);
	d->label = or_empty(arena_strdup(a, m->label));
	d->slug = or_empty(arena_strdup(a, m->slug));
	d->type = (Pb__DeviceType)m->device.type;
	d->dns_name = or_empty(arena_printf(a, "%s" DNS_SUFFIX, m->slug));
	d->mesh_ip = ip4_text(a, m->ip4);
	d->mesh_ip6 = ip6_text(a, m);
	if (newest) {
		d->public_key = key_copy(a, &newest->public_key);
		d->key_version = newest->key_version;
	}
	owner->id = id_text(a, &m->device.owner_id);
	owner->name = or_empty(arena_strdup(a, m->device.owner_name));
	d->owner = owner;
	d->node_id = id_text(a, &m->device.home);
	d->status = (Pb__DeviceStatus)show_pill(n, m);
	d->created_at = show_time(a, m->created_at_ms);
	d->needs_new_config = m->device.needs_new_config;
	if (m->device.pending.key_version && !replica_is_promoted(&n->replica, m))
		d->pending_until = show_time(a, m->device.pending.until_ms);
	fill_traffic(n, a, m, d);
	return d;
}

static uint32_t count_homed(const struct node *n, const struct uuid *node_id)
{
	uint32_t homed = 0;

	for (size_t i = 0; i < members_count(n->replica.list); i++) {
		const struct member *m = members_at(n->replica.list, i);

		homed += m->kind == MEMBER_DEVICE && uuid_equal(&m->device.home, node_id);
	}
	return homed;
}

Pb__Node *show_node(struct node *n, struct arena *a, const struct member *m)
{
	const struct replica *r = &n->replica;
	Pb__Node *node = arena_new(a, Pb__Node);
	struct lag own;
	int e;

	if (!node)
		return NULL;
	pb__node__init(node);
	node->id = id_text(a, &m->id);
	node->label = or_empty(arena_strdup(a, m->label));
	node->slug = or_empty(arena_strdup(a, m->slug));
	node->dns_name = or_empty(arena_printf(a, "%s" DNS_SUFFIX, m->slug));
	node->mesh_ip = ip4_text(a, m->ip4);
	node->mesh_ip6 = ip6_text(a, m);
	node->endpoint = or_empty(arena_strdup(a, m->node.endpoint));
	node->public_key = key_copy(a, &m->node.public_key);
	node->created_at = show_time(a, m->created_at_ms);
	node->devices = count_homed(n, &m->id);
	if (uuid_equal(&m->id, &r->self)) {
		node->online = r->cp_connected;
		node->last_seen = show_time(a, clock_wall_ms());
		node->applied_generation = r->interface.generation;
		node->failed_peers = (uint32_t)r->interface.n_failed;
		node->forwarding = or_empty(arena_strdup(a, r->interface.forwarding));
		node->dns_status = or_empty(arena_strdup(a, r->interface.dns_status));
		node->https_status = or_empty(arena_strdup(a, r->https.status));
		own = own_lag(r);
		e = standing_words(r->list, a, &own, node);
	} else {
		node->online = !replica_is_down(r, &m->id);
		node->applied_generation = r->converged_generation;
		e = standing_node(&r->standing, r->list, a, &m->id, node);
	}
	return e ? NULL : node;
}
