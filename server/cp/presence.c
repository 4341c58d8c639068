/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/presence.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "server/cp/census.h"
#include "server/cp/events.h"
#include "server/cp/fields.h"
#include "server/cp/hub.h"
#include "server/cp/watch.h"
#include "server/store/presence_row.h"

enum {
	BUCKETS = 4096,
	DOWN_MAX = 4094,
	FULL_MAX = 4096, /* of one update */
	ARENA_BUDGET = 4 << 20,
	CONNECTED_MS = 180000,
	RX_FRESH_MS = 30000,
	IDLE_MS = 600000,
	FLUSH_BATCH = 256,
};

struct entry {
	struct uuid tenant, device;
	struct presence_status is;
	bool changed;
	struct entry *next;
};

struct presence {
	struct cp *cp;
	pthread_mutex_t lock;
	struct entry *buckets[BUCKETS];
};

static struct entry **bucket(struct presence *p, const struct uuid *device)
{
	return &p->buckets[(device->b[14] << 8 | device->b[15]) % BUCKETS];
}

static struct entry *entry_of(struct presence *p, const struct uuid *tenant,
			      const struct uuid *device, bool make)
{
	struct entry *e;

	for (e = *bucket(p, device); e; e = e->next) {
		if (uuid_equal(&e->device, device) && uuid_equal(&e->tenant, tenant))
			return e;
	}
	e = make ? calloc(1, sizeof(*e)) : NULL;
	if (e) {
		e->tenant = *tenant;
		e->device = *device;
		e->next = *bucket(p, device);
		*bucket(p, device) = e;
	}
	return e;
}

static int load(void *arg, const struct presence_row *row)
{
	struct entry *e = entry_of(arg, &row->tenant, &row->device, true);

	if (!e)
		return -ENOMEM;
	e->is = (struct presence_status){.handshake_ms = row->handshake_ms,
					 .rx_at_ms = row->seen_ms,
					 .rx = row->rx,
					 .tx = row->tx};
	return 0;
}

static int load_all(struct txn *txn, void *ctx)
{
	return presence_row_all(txn, load, ctx);
}

int presence_new(struct cp *cp, struct presence **ret_presence)
{
	struct presence *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->cp = cp;
	pthread_mutex_init(&p->lock, NULL);
	r = store_read(cp->store, load_all, p);
	if (r) {
		presence_free(p);
		return err_trace(r);
	}
	*ret_presence = p;
	return 0;
}

void presence_free(struct presence *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct entry *e = p->buckets[i], *next; e; e = next) {
			next = e->next;
			free(e);
		}
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}

static void take(struct presence *p, const struct uuid *tenant, const Pb__PeerStatus *s)
{
	struct uuid device;
	struct entry *e;

	if (s->device_id.len != sizeof(device.b))
		return;
	memcpy(device.b, s->device_id.data, sizeof(device.b));
	e = entry_of(p, tenant, &device, true);
	if (!e)
		return;
	e->is.key_version = s->key_version;
	e->is.rx = s->rx_bytes;
	e->is.tx = s->tx_bytes;
	if (fields_ms(s->latest_handshake) > e->is.handshake_ms)
		e->is.handshake_ms = fields_ms(s->latest_handshake);
	if (fields_ms(s->last_rx) > e->is.rx_at_ms)
		e->is.rx_at_ms = fields_ms(s->last_rx);
	e->changed = true;
}

void presence_report(struct presence *p, const struct uuid *tenant, const struct uuid *node,
		     Pb__PeerStatus *const *statuses, size_t n)
{
	struct frame *frame;

	if (!n)
		return;
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < n; i++)
		take(p, tenant, statuses[i]);
	pthread_mutex_unlock(&p->lock);
	frame = presence_update(p->cp, tenant, statuses, n);
	if (frame)
		hub_relay(p->cp->hub, tenant, node, frame);
	watch_changed(p->cp->watch, tenant, WATCH_DEVICES);
}

void presence_get(struct presence *p, const struct uuid *tenant, const struct uuid *device,
		  struct presence_status *ret)
{
	struct entry *e;

	pthread_mutex_lock(&p->lock);
	e = entry_of(p, tenant, device, false);
	*ret = e ? e->is : (struct presence_status){0};
	pthread_mutex_unlock(&p->lock);
}

size_t presence_count(struct presence *p)
{
	size_t n = 0;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (const struct entry *e = p->buckets[i]; e; e = e->next)
			n++;
	}
	pthread_mutex_unlock(&p->lock);
	return n;
}

void presence_forget(struct presence *p, const struct uuid *tenant, const struct uuid *device)
{
	pthread_mutex_lock(&p->lock);
	for (struct entry **at = bucket(p, device); *at; at = &(*at)->next) {
		struct entry *e = *at;

		if (uuid_equal(&e->device, device) && uuid_equal(&e->tenant, tenant)) {
			*at = e->next;
			free(e);
			break;
		}
	}
	pthread_mutex_unlock(&p->lock);
}

Pb__DeviceStatus presence_pill(const struct presence_status *s, int64_t now_ms)
{
	if (!s->handshake_ms)
		return PB__DEVICE_STATUS__DEVICE_STATUS_WAITING;
	if (now_ms - s->handshake_ms <= CONNECTED_MS ||
	    (s->rx_at_ms && now_ms - s->rx_at_ms <= RX_FRESH_MS))
		return PB__DEVICE_STATUS__DEVICE_STATUS_CONNECTED;
	return now_ms - s->handshake_ms <= IDLE_MS ? PB__DEVICE_STATUS__DEVICE_STATUS_IDLE
						   : PB__DEVICE_STATUS__DEVICE_STATUS_OFFLINE;
}

/* --- updates for nodes --- */

struct all {
	struct arena *arena;
	Pb__PeerStatus **statuses;
	size_t n;
};

static Google__Protobuf__Timestamp *stamp(struct arena *arena, int64_t ms)
{
	Google__Protobuf__Timestamp *t = ms ? arena_new(arena, Google__Protobuf__Timestamp) : NULL;

	if (!t)
		return NULL;
	google__protobuf__timestamp__init(t);
	t->seconds = ms / 1000;
	t->nanos = (int32_t)(ms % 1000) * 1000000;
	return t;
}

static bool add_entry(struct all *all, struct entry *e)
{
	Pb__PeerStatus *s = arena_new(all->arena, Pb__PeerStatus);

	if (!s)
		return false;
	pb__peer_status__init(s);
	s->device_id.data = arena_memdup(all->arena, e->device.b, sizeof(e->device.b));
	if (!s->device_id.data)
		return false;
	s->device_id.len = sizeof(e->device.b);
	s->latest_handshake = stamp(all->arena, e->is.handshake_ms);
	s->last_rx = stamp(all->arena, e->is.rx_at_ms);
	s->rx_bytes = e->is.rx;
	s->tx_bytes = e->is.tx;
	s->key_version = e->is.key_version;
	all->statuses[all->n++] = s;
	return true;
}

static size_t count_of(const struct entry *e, const struct uuid *tenant)
{
	size_t n = 0;

	for (; e; e = e->next)
		n += uuid_equal(&e->tenant, tenant);
	return n;
}

/* Whole buckets from there on, as many as fit; the first that did not, 0: all did. */
static int add_part(struct presence *p, const struct uuid *tenant, struct all *all, size_t *at)
{
	size_t i;
	int r = 0;

	pthread_mutex_lock(&p->lock);
	for (i = *at; !r && i < BUCKETS; i++) {
		if (all->n && all->n + count_of(p->buckets[i], tenant) > FULL_MAX)
			break;
		for (struct entry *e = p->buckets[i]; e && all->n < FULL_MAX; e = e->next) {
			if (uuid_equal(&e->tenant, tenant) && !add_entry(all, e))
				r = -ENOMEM;
		}
	}
	pthread_mutex_unlock(&p->lock);
	*at = i < BUCKETS ? i : 0;
	return r;
}

static Pb__NodeLag *make_lag(struct arena *arena, const struct lag *lag)
{
	Pb__NodeLag *l = arena_new(arena, Pb__NodeLag);
	Pb__FailedPeer *failed = lag->failed ? arena_new(arena, Pb__FailedPeer) : NULL;

	if (!l || (lag->failed && !failed))
		return NULL;
	pb__node_lag__init(l);
	l->node_id = (ProtobufCBinaryData){.data = (uint8_t *)lag->node_id.b, .len = 16};
	l->state = (Pb__NodeState)lag->state;
	l->since = stamp(arena, lag->since_ms);
	l->applied_generation = lag->generation;
	l->silent_s = lag->silent_s;
	l->failed = lag->failed;
	l->first_failed = failed;
	if (failed) {
		pb__failed_peer__init(failed);
		failed->id = (ProtobufCBinaryData){.data = (uint8_t *)lag->failed_id.b, .len = 16};
		failed->errno_code = lag->failed_errno;
	}
	return l;
}

/* In the arena; NULL: out of memory. */
static Pb__Convergence *make_convergence(struct cp *cp, struct arena *arena,
					 const struct uuid *tenant)
{
	Pb__Convergence *c = arena_new(arena, Pb__Convergence);
	struct census *census = arena_new(arena, struct census);

	if (!c || !census)
		return NULL;
	pb__convergence__init(c);
	census_take(cp->progress, tenant, CENSUS_NOW, census);
	c->generation = census->generation;
	c->nodes = census->n_nodes;
	c->current = census->n_current;
	c->lagging = census->n_lagging;
	c->named = arena_alloc(arena, (census->n_named + 1) * sizeof(*c->named));
	for (size_t i = 0; c->named && i < census->n_named; i++) {
		c->named[i] = make_lag(arena, &census->named[i]);
		if (!c->named[c->n_named++])
			return NULL;
	}
	return c->named ? c : NULL;
}

static int add_nodes(struct cp *cp, struct arena *arena, const struct uuid *tenant,
		     Pb__DeviceStatusUpdate *update)
{
	struct uuid *down = arena_alloc(arena, DOWN_MAX * sizeof(*down));

	update->convergence = make_convergence(cp, arena, tenant);
	if (!down || !update->convergence)
		return -ENOMEM;
	update->n_nodes_down = progress_down(cp->progress, tenant, down, DOWN_MAX);
	update->nodes_down =
		arena_alloc(arena, (update->n_nodes_down + 1) * sizeof(*update->nodes_down));
	if (!update->nodes_down)
		return -ENOMEM;
	for (size_t i = 0; i < update->n_nodes_down; i++)
		update->nodes_down[i] = (ProtobufCBinaryData){.data = down[i].b, .len = 16};
	return 0;
}

static struct frame *encode(struct cp *cp, const struct uuid *tenant,
			    Pb__DeviceStatusUpdate *update)
{
	Pb__AgentEvent event = PB__AGENT_EVENT__INIT;

	update->converged_generation = progress_converged(cp->progress, tenant);
	event.type = (char *)"mesh.device.status";
	event.body_case = PB__AGENT_EVENT__BODY_DEVICE_STATUS;
	event.device_status = update;
	return events_frame(&event, false);
}

struct frame *presence_update(struct cp *cp, const struct uuid *tenant,
			      Pb__PeerStatus *const *statuses, size_t n)
{
	_cleanup_(arena_done) struct arena arena;
	Pb__DeviceStatusUpdate update = PB__DEVICE_STATUS_UPDATE__INIT;

	arena_init(&arena, ARENA_BUDGET);
	update.statuses = (Pb__PeerStatus **)statuses;
	update.n_statuses = n;
	/* What a node reported of its devices changes nothing of this, and costs no look at all
	 * nodes. */
	if (!n && add_nodes(cp, &arena, tenant, &update))
		return NULL;
	return encode(cp, tenant, &update);
}

struct frame *presence_part(struct cp *cp, const struct uuid *tenant, size_t *at)
{
	_cleanup_(arena_done) struct arena arena;
	Pb__DeviceStatusUpdate update = PB__DEVICE_STATUS_UPDATE__INIT;
	struct all all = {.arena = &arena};

	arena_init(&arena, ARENA_BUDGET);
	all.statuses = arena_alloc(&arena, FULL_MAX * sizeof(*all.statuses));
	if (!all.statuses || add_part(cp->presence, tenant, &all, at))
		return NULL;
	update.statuses = all.statuses;
	update.n_statuses = all.n;
	update.full = *at == 0;
	if (update.full && add_nodes(cp, &arena, tenant, &update))
		return NULL;
	return encode(cp, tenant, &update);
}

/* --- to disk --- */

struct batch {
	struct presence_row rows[FLUSH_BATCH];
	size_t n;
};

static int write_batch(struct txn *txn, void *ctx)
{
	struct batch *b = ctx;
	int r = 0;

	for (size_t i = 0; !r && i < b->n; i++)
		r = presence_row_put(txn, &b->rows[i]);
	return r;
}

static void fill_batch(struct presence *p, struct batch *b)
{
	b->n = 0;
	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct entry *e = p->buckets[i]; e && b->n < FLUSH_BATCH; e = e->next) {
			if (!e->changed)
				continue;
			e->changed = false;
			b->rows[b->n++] = (struct presence_row){.tenant = e->tenant,
								.device = e->device,
								.handshake_ms = e->is.handshake_ms,
								.seen_ms = e->is.rx_at_ms,
								.rx = e->is.rx,
								.tx = e->is.tx};
		}
	}
	pthread_mutex_unlock(&p->lock);
}

void presence_flush(struct presence *p)
{
	struct batch *b = malloc(sizeof(*b));

	while (b) {
		fill_batch(p, b);
		if (!b->n)
			break;
		if (store_write(p->cp->store, write_batch, NULL, b)) {
			log_warn("presence", "last-seen times could not be written");
			break;
		}
	}
	free(b);
}
