/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread owns all streams. Others leave messages: a commit touched these
 * tenants, a node subscribes, a stream ended, a session was revoked. So there
 * is no order to get wrong: what is committed is published once per tenant, in
 * the order of generations. What a stream is given is room.c's business.
 */
#include "server/cp/hub.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/sign.h"
#include "server/cp/epoch.h"
#include "server/cp/events.h"
#include "server/cp/interest.h"
#include "server/cp/manners.h"
#include "server/cp/misdeeds.h"
#include "server/cp/progress.h"
#include "server/cp/room.h"
#include "server/cp/watch.h"
#include "server/store/node_row.h"

enum { TICK_MS = 1000, RETRY_MS = 2000, SPREAD_FROM = 64, SPREAD_MAX_MS = 30000 };

enum kind {
	TOUCH,
	TOUCH_ALL,
	SUBSCRIBE,
	GONE,
	EXTEND,
	CUT,
	REVOKED, /* frame to all streams of the tenant */
	SEND_TO, /* frame to one node */
	RELAY,
	INTEREST,
	CONVERGED,
	DRAIN_ALL,
	CUT_ALL,
	TELL_KEYS,
};

struct message {
	enum kind kind;
	struct uuid tenant, node;
	int64_t expires_ms;
	uint64_t ticket;
	struct call *call;
	struct epoch_position from;
	struct frame *frame;
	struct message *next;
};

struct hub {
	struct cp *cp;
	pthread_t thread;
	pthread_mutex_t lock; /* the inbox */
	pthread_cond_t filled, told;
	uint64_t asked, answered; /* tickets of TELL_KEYS */
	struct message *first, **last;
	bool closing;
	atomic_bool lost;    /* a message: there was no memory for it */
	bool ending;         /* all streams, for that */
	struct rooms *rooms; /* the hub's thread only */
	uint64_t next_tick_ms;
	atomic_size_t n_hellos;            /* that wait for the thread */
	atomic_size_t n_streams, n_behind; /* for others to read, and of the last tick: */
	atomic_size_t n_queued, n_longest; /* events that wait, in all and of one stream */
	size_t queued, longest;            /* as they are counted */
};

/* --- inbox --- */

static int post(struct hub *hub, const struct message *message)
{
	struct message *m = malloc(sizeof(*m));

	if (!m)
		return -ENOMEM;
	*m = *message;
	m->next = NULL;
	pthread_mutex_lock(&hub->lock);
	*hub->last = m;
	hub->last = &m->next;
	pthread_cond_signal(&hub->filled);
	pthread_mutex_unlock(&hub->lock);
	return 0;
}

static void post_or_log(struct hub *hub, const struct message *message)
{
	if (post(hub, message)) {
		log_error("hub", "out of memory: a message was lost");
		frame_unref(message->frame);
		hub->lost = true;
	}
}

/* --- messages --- */

static void tell_gone(struct call *call, void *arg)
{
	struct message m = {.kind = GONE,
			    .tenant = call->caller.tenant_id,
			    .node = call->caller.node_id,
			    .call = call};

	post_or_log(arg, &m);
}

/* Later, and not all at once. */
static int later(struct call *call, uint64_t ms)
{
	_cleanup_(status_done) struct status status = {0};
	uint16_t dice;

	sign_random(&dice, sizeof(dice));
	status_set(&status, ERR_DRAINING, "The Control Panel is busy. Come again.");
	status_retry(&status, ms + dice % ms);
	return call_fail_status(call, &status);
}

static void refuse_later(struct call *call)
{
	call_finish(call, later(call, RETRY_MS));
}

/* A second stream of a node ends the first. */
static void end_earlier(struct hub *hub, const struct uuid *tenant, const struct uuid *node)
{
	struct stream *earlier = rooms_stream(hub->rooms, tenant, node);

	if (!earlier)
		return;
	call_finish(earlier->call, ERR_CANCELLED);
	room_leave(earlier);
}

static void begin(struct hub *hub, struct stream *stream, const struct message *m)
{
	int r;

	stream->expires_ms = m->expires_ms;
	stream->epoch = m->from.epoch;
	stream->sent = m->from.generation;
	r = room_greet(stream);
	if (r == ERR_NOT_FOUND)
		call_finish(stream->call, ERR_TOKEN_INVALID);
	else if (r < 0)
		refuse_later(stream->call);
	progress_online(hub->cp->progress, &m->tenant, &m->node, true);
	call_on_end(stream->call, tell_gone, hub);
	room_tell_liveness(stream->room);
}

static int read_node(struct txn *txn, void *ctx)
{
	const struct message *m = ctx;
	struct node_row row;

	return node_row_get(txn, &m->tenant, &m->node, &row);
}

static void on_subscribe(struct hub *hub, struct message *m)
{
	struct room *room = rooms_get(hub->rooms, &m->tenant, true);
	struct stream *stream = NULL;
	int r = room ? 0 : -ENOMEM;

	atomic_fetch_sub(&hub->n_hellos, 1);
	end_earlier(hub, &m->tenant, &m->node);
	/* It may have been removed since it was let in, and cut before it was here. */
	if (room)
		r = store_read(hub->cp->store, read_node, m);
	/* Where the newcomer begins to follow. With streams it is known. */
	if (!r && (!room->published || !room->streams))
		r = room_publish(room);
	if (!r)
		stream = room_enter(room, m->call, &m->node);
	if (stream) {
		begin(hub, stream, m);
		return;
	}
	if (r == ERR_NOT_FOUND)
		call_finish(m->call, ERR_TOKEN_INVALID);
	else
		refuse_later(m->call);
	call_unref(m->call);
	progress_online(hub->cp->progress, &m->tenant, &m->node, false);
}

static void leave_room(struct hub *hub, struct stream *stream)
{
	struct room *room = stream->room;
	struct uuid node = stream->node;

	room_leave(stream);
	progress_online(hub->cp->progress, &room->tenant, &node, false);
	room_tell_liveness(room);
}

static void on_gone(struct hub *hub, struct message *m)
{
	struct stream *s = rooms_stream(hub->rooms, &m->tenant, &m->node);

	if (s && s->call == m->call)
		leave_room(hub, s);
}

static void on_stream(struct stream *s, struct message *m)
{
	if (!s)
		return;
	if (m->kind == EXTEND) {
		s->expires_ms = m->expires_ms;
	} else if (m->kind == CUT) {
		call_finish(s->call, ERR_TOKEN_INVALID);
	} else if (room_send(s, m->frame)) {
		log_debug("hub", "a node is asked to fetch everything anew");
	} else {
		/* Behind: once it has read, it is given everything without being asked. */
		s->epoch = s->sent = 0;
	}
}

static void touch_one(struct room *room, void *arg)
{
	(void)arg;
	(void)!room_publish(room); /* else it is done later */
}

static void drain_one(struct room *room, void *arg)
{
	room_send_all(room, arg);
}

static void count_queue(struct hub *hub, const struct stream *stream)
{
	size_t queued = call_queued(stream->call);

	hub->queued += queued;
	if (queued > hub->longest)
		hub->longest = queued;
}

/* When a message was lost all end, not only those out of time: they come back and hear all. */
static void look_one(struct room *room, void *arg)
{
	struct hub *hub = arg;
	int64_t now_ms = clock_wall_ms();

	if (hub->ending) {
		room_forget_revocations(room);
		touch_one(room, NULL);
	}
	for (struct stream *s = room->streams, *next; s; s = next) {
		next = s->next;
		count_queue(hub, s);
		if (s->expires_ms <= now_ms)
			call_finish(s->call, ERR_TOKEN_INVALID);
		else if (hub->ending)
			refuse_later(s->call);
		if (hub->ending)
			leave_room(hub, s);
	}
}

static void handle_room(struct hub *hub, struct message *m)
{
	struct room *room = rooms_get(hub->rooms, &m->tenant, m->kind == TOUCH);

	if (!room) {
		hub->lost = hub->lost || m->kind == TOUCH;
		return;
	}
	switch (m->kind) {
	case TOUCH:
		touch_one(room, NULL);
		break;
	case RELAY:
		interest_relay(room, &m->node, m->frame);
		break;
	case INTEREST:
		interest_shown(room, &m->node);
		break;
	case CONVERGED:
		room_tell_convergence(room);
		break;
	case REVOKED:
		room_forget_revocations(room);
		room_send_all(room, m->frame);
		break;
	default:
		on_stream(rooms_stream(hub->rooms, &m->tenant, &m->node), m);
	}
}

static void tell_keys_one(struct room *room, void *arg)
{
	(void)arg;
	room_tell_keys(room);
	room_tell_cas(room);
}

static void on_tell_keys(struct hub *hub, const struct message *m)
{
	rooms_each(hub->rooms, tell_keys_one, NULL);
	pthread_mutex_lock(&hub->lock);
	if (hub->answered < m->ticket)
		hub->answered = m->ticket;
	pthread_cond_broadcast(&hub->told);
	pthread_mutex_unlock(&hub->lock);
}

static void cut_one(struct room *room, void *arg)
{
	(void)arg;
	for (struct stream *s = room->streams; s; s = s->next)
		call_finish(s->call, ERR_TOKEN_INVALID);
}

static void handle(struct hub *hub, struct message *m)
{
	switch (m->kind) {
	case TOUCH_ALL:
		rooms_each(hub->rooms, touch_one, NULL);
		break;
	case SUBSCRIBE:
		on_subscribe(hub, m);
		break;
	case GONE:
		on_gone(hub, m);
		break;
	case DRAIN_ALL:
		rooms_each(hub->rooms, drain_one, m->frame);
		break;
	case CUT_ALL:
		rooms_each(hub->rooms, cut_one, NULL);
		break;
	case TELL_KEYS:
		on_tell_keys(hub, m);
		break;
	default:
		handle_room(hub, m);
	}
}

static void tick(struct hub *hub)
{
	hub->next_tick_ms = clock_boot_ms() + TICK_MS;
	hub->ending = atomic_exchange(&hub->lost, false);
	hub->queued = hub->longest = 0;
	rooms_each(hub->rooms, look_one, hub);
	atomic_store(&hub->n_queued, hub->queued);
	atomic_store(&hub->n_longest, hub->longest);
}

static void wait_filled(struct hub *hub)
{
	struct timespec until;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += 100 * 1000000;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	pthread_cond_timedwait(&hub->filled, &hub->lock, &until);
}

/* Touches of one tenant that wait together are one publication. */
static bool touched_later(const struct message *m)
{
	for (const struct message *n = m->next; m->kind == TOUCH && n; n = n->next) {
		if (n->kind == TOUCH && uuid_equal(&n->tenant, &m->tenant))
			return true;
		if (n->kind != TOUCH)
			return false;
	}
	return false;
}

static struct message *take(struct hub *hub, bool wait, bool *ret_closing)
{
	struct message *m;

	pthread_mutex_lock(&hub->lock);
	if (wait && !hub->first && !hub->closing)
		wait_filled(hub);
	m = hub->first;
	hub->first = NULL;
	hub->last = &hub->first;
	*ret_closing = hub->closing;
	pthread_mutex_unlock(&hub->lock);
	return m;
}

static bool turn(struct hub *hub, bool wait)
{
	bool closing;
	struct message *m = take(hub, wait, &closing), *next;

	for (; m; m = next) {
		next = m->next;
		if (!touched_later(m))
			handle(hub, m);
		frame_unref(m->frame);
		free(m);
	}
	if (clock_boot_ms() >= hub->next_tick_ms)
		tick(hub);
	rooms_turn(hub->rooms);
	atomic_store(&hub->n_streams, rooms_streams(hub->rooms));
	atomic_store(&hub->n_behind, rooms_behind(hub->rooms));
	watch_flush(hub->cp->watch);
	return closing;
}

static void *hub_main(void *arg)
{
	while (!turn(arg, true))
		;
	return NULL;
}

/* --- what others call --- */

static void leave(struct hub *hub, enum kind kind, const struct uuid *tenant,
		  const struct uuid *node, struct frame *frame)
{
	struct message m = {.kind = kind, .tenant = *tenant, .node = *node, .frame = frame};

	post_or_log(hub, &m);
}

void hub_touch(struct hub *hub, const struct uuid *tenants, size_t n)
{
	for (size_t i = 0; i < n; i++)
		leave(hub, TOUCH, &tenants[i], &tenants[i], NULL);
}

void hub_touch_all(struct hub *hub)
{
	struct message m = {.kind = TOUCH_ALL};

	post_or_log(hub, &m);
}

int hub_subscribe(struct call *call, const Pb__SubscribeRequest *in)
{
	struct cp *cp = call->owner;
	struct message m = {.kind = SUBSCRIBE,
			    .tenant = call->caller.tenant_id,
			    .node = call->caller.node_id,
			    .expires_ms = call->caller.expires_at_ms};
	uint64_t wait_ms;
	int r;

	wait_ms = manners_admit(cp->manners, &m.node, MANNERS_HELLO, 1);
	if (wait_ms)
		misdeeds_note(cp->misdeeds, call, "node.streams", "begins streams too often");
	if (wait_ms || atomic_fetch_add(&cp->hub->n_hellos, 1) >= LIMIT_HELLOS) {
		if (!wait_ms)
			atomic_fetch_sub(&cp->hub->n_hellos, 1);
		tally_add(&cp->tally, TALLY_HELLOS_LATER, 1);
		return later(call, wait_ms ? wait_ms : RETRY_MS);
	}
	r = epoch_check(call, in, &m.from);
	if (!r) {
		m.call = call_ref(call);
		r = post(cp->hub, &m);
		if (r)
			call_unref(m.call);
	}
	if (r)
		atomic_fetch_sub(&cp->hub->n_hellos, 1);
	return r ? r : CALL_PARKED;
}

void hub_extend(struct hub *hub, const struct uuid *tenant, const struct uuid *node,
		int64_t expires_ms)
{
	struct message m = {
		.kind = EXTEND, .tenant = *tenant, .node = *node, .expires_ms = expires_ms};

	post_or_log(hub, &m);
}

void hub_cut(struct hub *hub, const struct uuid *tenant, const struct uuid *node)
{
	leave(hub, CUT, tenant, node, NULL);
}

void hub_revoke(struct hub *hub, const struct uuid *tenant, const uint8_t (*ids)[16], size_t n)
{
	struct frame *frame = n ? events_revocations(ids, n) : NULL;

	if (frame)
		leave(hub, REVOKED, tenant, tenant, frame);
	else if (n)
		hub->lost = true;
	for (size_t i = 0; i < n; i++) {
		struct uuid id;

		memcpy(id.b, ids[i], 16);
		watch_revoked(hub->cp->watch, &id);
	}
}

void hub_refresh(struct hub *hub, const struct uuid *tenant, const struct uuid *node)
{
	struct frame *frame = events_refresh();

	if (frame)
		leave(hub, SEND_TO, tenant, node, frame);
}

void hub_interest(struct hub *hub, const struct uuid *tenant, const struct uuid *node)
{
	leave(hub, INTEREST, tenant, node, NULL);
}

void hub_relay(struct hub *hub, const struct uuid *tenant, const struct uuid *from,
	       struct frame *frame)
{
	leave(hub, RELAY, tenant, from, frame);
}

void hub_converged(struct hub *hub, const struct uuid *tenant)
{
	leave(hub, CONVERGED, tenant, tenant, NULL);
}

uint32_t hub_spread(struct hub *hub)
{
	size_t n = atomic_load(&hub->n_streams);

	/* Few are no storm. */
	if (n < SPREAD_FROM)
		return 0;
	return n < SPREAD_MAX_MS ? (uint32_t)n * 4 / 5 : SPREAD_MAX_MS;
}

int hub_tell_keys(struct hub *hub)
{
	struct message m = {.kind = TELL_KEYS};
	int r;

	pthread_mutex_lock(&hub->lock);
	m.ticket = ++hub->asked;
	pthread_mutex_unlock(&hub->lock);
	r = post(hub, &m);
	if (r)
		return r;
	pthread_mutex_lock(&hub->lock);
	while (hub->answered < m.ticket && !hub->closing)
		pthread_cond_wait(&hub->told, &hub->lock);
	r = hub->answered < m.ticket ? -ESHUTDOWN : 0;
	pthread_mutex_unlock(&hub->lock);
	return r;
}

void hub_cut_all(struct hub *hub)
{
	struct message m = {.kind = CUT_ALL};

	post_or_log(hub, &m);
}

void hub_drain(struct hub *hub, uint32_t reconnect_after_ms)
{
	struct message m = {.kind = DRAIN_ALL,
			    .frame = events_drain(reconnect_after_ms, hub_spread(hub))};

	if (m.frame)
		post_or_log(hub, &m);
}

void hub_metrics(struct hub *hub, struct text *out)
{
	struct cp *cp = hub->cp;

	tally_print(&cp->tally, out);
	text_addf(out, "qmesh_agent_streams %zu\nqmesh_agent_streams_behind %zu\n",
		  atomic_load(&hub->n_streams), atomic_load(&hub->n_behind));
	text_addf(out, "qmesh_agent_queued %zu\nqmesh_agent_queue_longest %zu\n",
		  atomic_load(&hub->n_queued), atomic_load(&hub->n_longest));
	text_addf(out, "qmesh_nodes_differing %zu\n", manners_differing(cp->manners));
}

int hub_new(struct cp *cp, struct hub **ret_hub)
{
	struct hub *hub = calloc(1, sizeof(*hub));
	pthread_condattr_t attr;
	int r;

	if (!hub)
		return -ENOMEM;
	hub->cp = cp;
	hub->last = &hub->first;
	hub->rooms = rooms_new(cp);
	if (!hub->rooms) {
		free(hub);
		return -ENOMEM;
	}
	pthread_mutex_init(&hub->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&hub->filled, &attr);
	pthread_condattr_destroy(&attr);
	pthread_cond_init(&hub->told, NULL);
	r = pthread_create(&hub->thread, NULL, hub_main, hub);
	if (r) {
		rooms_free(hub->rooms);
		free(hub);
		return err_origin(-r);
	}
	*ret_hub = hub;
	return 0;
}

void hub_free(struct hub *hub)
{
	struct message *m;

	if (!hub)
		return;
	pthread_mutex_lock(&hub->lock);
	hub->closing = true;
	pthread_cond_signal(&hub->filled);
	pthread_cond_broadcast(&hub->told);
	pthread_mutex_unlock(&hub->lock);
	pthread_join(hub->thread, NULL);
	while ((m = hub->first)) {
		hub->first = m->next;
		if (m->kind == SUBSCRIBE)
			call_unref(m->call);
		frame_unref(m->frame);
		free(m);
	}
	rooms_free(hub->rooms);
	pthread_cond_destroy(&hub->filled);
	pthread_cond_destroy(&hub->told);
	pthread_mutex_destroy(&hub->lock);
	free(hub);
}
