/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread owns all streams. Others leave messages: a commit touched these
 * tenants, a node subscribes, a stream ended, a session was revoked. So there
 * is no order to get wrong: what is committed is published once per tenant, in
 * the order of generations, to streams that are at that generation or behind.
 *
 * A stream that does not keep up is ended: the node comes back and gets a
 * snapshot, which costs less than its backlog.
 */
#include "server/cp/hub.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/killpoint.h"
#include "server/cp/epoch.h"
#include "server/cp/events.h"
#include "server/cp/presence.h"
#include "server/cp/progress.h"
#include "server/cp/publish.h"
#include "server/cp/watch.h"

enum { QUEUE_MAX = 256, INTEREST_MS = 60000, TICK_MS = 1000, BUCKETS = 1024 };

enum kind {
	TOUCH,
	TOUCH_ALL,
	SUBSCRIBE,
	GONE,
	EXTEND,
	CUT,
	SEND,    /* frame to all streams of the tenant */
	SEND_TO, /* frame to one node */
	RELAY,
	INTEREST,
	CONVERGED,
	DRAIN_ALL,
};

struct message {
	enum kind kind;
	struct uuid tenant, node;
	int64_t expires_ms;
	struct call *call;
	struct frame *frame;
	struct message *next;
};

struct stream {
	struct call *call;
	struct uuid node;
	int64_t expires_ms;
	uint64_t interest_until_ms;
	struct stream *next;
};

struct room {
	struct uuid tenant;
	uint64_t epoch, published;
	struct stream *streams;
	struct publish_frames snapshot;
	struct room *next;
};

struct hub {
	struct cp *cp;
	pthread_t thread;
	pthread_mutex_t lock; /* the inbox */
	pthread_cond_t filled;
	struct message *first, **last;
	bool closing;
	atomic_bool lost;            /* a message: there was no memory for it */
	bool ending;                 /* all streams, for that */
	struct room *rooms[BUCKETS]; /* the hub's thread only */
	uint64_t next_tick_ms;
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

/* --- streams --- */

/* Ids end in random bytes. */
static struct room *room_of(struct hub *hub, const struct uuid *tenant, bool make)
{
	struct room **bucket = &hub->rooms[(tenant->b[14] << 8 | tenant->b[15]) % BUCKETS];
	struct room *room;

	for (room = *bucket; room; room = room->next) {
		if (uuid_equal(&room->tenant, tenant))
			return room;
	}
	room = make ? calloc(1, sizeof(*room)) : NULL;
	if (room) {
		room->tenant = *tenant;
		room->next = *bucket;
		*bucket = room;
	}
	return room;
}

static void send_to(struct stream *stream, struct frame *frame)
{
	if (call_queued(stream->call) >= QUEUE_MAX) {
		log_line(LOG_LEVEL_WARN, "hub", &stream->call->log,
			 "a node does not keep up: its stream ends");
		call_finish(stream->call, ERR_DRAINING);
		return;
	}
	if (call_send_frame(stream->call, frame))
		log_debug("hub", "a stream is over already");
}

static void send_all(struct room *room, struct frame *frame)
{
	for (struct stream *s = room->streams; frame && s; s = s->next)
		send_to(s, frame);
}

static void free_stream(struct stream *stream)
{
	call_unref(stream->call);
	free(stream);
}

/* Heads of homes that are away, and the generation all live nodes have. */
static void send_liveness(struct hub *hub, struct room *room)
{
	struct frame *frame = presence_update(hub->cp, &room->tenant, NULL, 0, false);

	send_all(room, frame);
	frame_unref(frame);
	watch_changed(hub->cp->watch, &room->tenant, WATCH_STATE | WATCH_NODES | WATCH_DEVICES);
}

static void drop_stream(struct hub *hub, struct room *room, struct stream **at)
{
	struct stream *stream = *at;

	*at = stream->next;
	progress_online(hub->cp->progress, &room->tenant, &stream->node, false);
	free_stream(stream);
}

/* --- publishing --- */

static void drop_snapshot(struct room *room)
{
	publish_frames_done(&room->snapshot);
}

static void send_refresh(struct room *room)
{
	_cleanup_(frame_unrefp) struct frame *frame = events_refresh();

	send_all(room, frame);
}

static void publish_room(struct hub *hub, struct room *room)
{
	struct publish_frames delta;
	bool too_big = false;
	int r;

	if (!room->streams) {
		r = publish_generation(hub->cp, &room->tenant, &room->epoch, &room->published);
		drop_snapshot(room);
		watch_changed(hub->cp->watch, &room->tenant,
			      WATCH_STATE | WATCH_NODES | WATCH_DEVICES);
		if (r)
			log_error("hub", "the store does not answer: %d", r);
		return;
	}
	r = publish_delta(hub->cp, &room->tenant, room->published, &delta, &too_big);
	if (r) {
		/* Streams must not go on as if nothing had happened: they come back. */
		log_error("hub", "a change could not be published: %d", r);
		for (struct stream *s = room->streams; s; s = s->next)
			call_finish(s->call, ERR_DRAINING);
		return;
	}
	KILL_POINT("hub.before_publish");
	/* Streams of another epoch have nothing that a change could build on. */
	if (room->epoch && delta.epoch != room->epoch)
		too_big = true;
	if (too_big)
		send_refresh(room);
	for (size_t i = 0; !too_big && i < delta.n; i++)
		send_all(room, delta.frames[i]);
	KILL_POINT("hub.after_publish");
	if (delta.generation != room->published) {
		drop_snapshot(room);
		progress_published(hub->cp->progress, &room->tenant, delta.epoch, delta.generation);
		watch_changed(hub->cp->watch, &room->tenant,
			      WATCH_STATE | WATCH_NODES | WATCH_DEVICES);
	}
	room->epoch = delta.epoch;
	room->published = delta.generation;
	publish_frames_done(&delta);
}

static int send_keys(struct hub *hub, struct stream *stream)
{
	_cleanup_(frame_unrefp) struct frame *frame = publish_keys_frame(hub->cp, &stream->node);

	if (!frame)
		return -ENOMEM;
	send_to(stream, frame);
	return 0;
}

static int send_snapshot(struct hub *hub, struct room *room, struct stream *stream)
{
	struct publish_frames *snapshot = &room->snapshot;
	int r;

	if (!snapshot->n) {
		r = publish_snapshot(hub->cp, &room->tenant, snapshot);
		if (r)
			return r;
	}
	/* Chunks are one answer, not a backlog: the bound does not count them. */
	for (size_t i = 0; i < snapshot->n; i++) {
		if (call_send_frame(stream->call, snapshot->frames[i]))
			return ERR_CANCELLED;
	}
	/* Nobody holds 256 chunks in memory for a node that may never come. */
	if (snapshot->n > 64)
		drop_snapshot(room);
	return 0;
}

/* The stream is in the room when its first frame goes out, so it misses nothing. */
static void greet(struct hub *hub, struct room *room, struct stream *stream)
{
	struct frame *frame = NULL;
	int r;

	r = send_keys(hub, stream);
	if (!r)
		r = publish_revocations(hub->cp, &room->tenant, &frame);
	if (!r) {
		send_to(stream, frame);
		frame_unref(frame);
		r = send_snapshot(hub, room, stream);
	}
	if (r)
		call_finish(stream->call, r == ERR_NOT_FOUND ? ERR_TOKEN_INVALID : r);
}

/* --- messages --- */

static void tell_gone(struct call *call, void *arg)
{
	struct message m = {.kind = GONE, .tenant = call->caller.tenant_id, .call = call};

	post_or_log(arg, &m);
}

static void on_subscribe(struct hub *hub, struct message *m)
{
	struct room *room = room_of(hub, &m->tenant, true);
	struct stream *stream = calloc(1, sizeof(*stream));

	if (!room || !stream) {
		call_finish(m->call, -ENOMEM);
		call_unref(m->call);
		free(stream);
		return;
	}
	for (struct stream **at = &room->streams; *at;) {
		if (uuid_equal(&(*at)->node, &m->node)) {
			call_finish((*at)->call, ERR_CANCELLED);
			drop_stream(hub, room, at);
		} else {
			at = &(*at)->next;
		}
	}
	/* Streams that are there go first: the newcomer starts at the same generation. */
	publish_room(hub, room);
	stream->call = m->call;
	stream->node = m->node;
	stream->expires_ms = m->expires_ms;
	stream->next = room->streams;
	room->streams = stream;
	greet(hub, room, stream);
	progress_online(hub->cp->progress, &m->tenant, &m->node, true);
	call_on_end(stream->call, tell_gone, hub);
	send_liveness(hub, room);
}

static void on_gone(struct hub *hub, struct message *m)
{
	struct room *room = room_of(hub, &m->tenant, false);

	for (struct stream **at = room ? &room->streams : NULL; at && *at; at = &(*at)->next) {
		if ((*at)->call == m->call) {
			drop_stream(hub, room, at);
			send_liveness(hub, room);
			return;
		}
	}
}

static void send_interest(struct room *room, const struct uuid *except)
{
	_cleanup_(frame_unrefp) struct frame *frame = events_interest(INTEREST_MS);

	for (struct stream *s = room->streams; frame && s; s = s->next) {
		if (!uuid_equal(&s->node, except))
			send_to(s, frame);
	}
}

static void on_interest(struct hub *hub, struct room *room, const struct uuid *node)
{
	uint64_t now = clock_boot_ms();
	struct frame *full;
	struct stream *s;

	for (s = room->streams; s && !uuid_equal(&s->node, node); s = s->next)
		;
	if (!s) {
		send_interest(room, node);
		return;
	}
	/* Asserted again only when half of it is over. */
	if (s->interest_until_ms > now + INTEREST_MS / 2)
		return;
	if (s->interest_until_ms <= now) {
		full = presence_update(hub->cp, &room->tenant, NULL, 0, true);
		if (full)
			send_to(s, full);
		frame_unref(full);
	}
	s->interest_until_ms = now + INTEREST_MS;
	send_interest(room, node);
}

static void on_relay(struct room *room, const struct uuid *from, struct frame *frame)
{
	uint64_t now = clock_boot_ms();

	for (struct stream *s = room->streams; s; s = s->next) {
		if (s->interest_until_ms > now && !uuid_equal(&s->node, from))
			send_to(s, frame);
	}
}

static void on_room(struct room *room, struct message *m)
{
	for (struct stream *s = room->streams, *next; s; s = next) {
		next = s->next;
		if (m->kind != SEND && !uuid_equal(&s->node, &m->node))
			continue;
		if (m->kind == EXTEND)
			s->expires_ms = m->expires_ms;
		else if (m->kind == CUT)
			call_finish(s->call, ERR_TOKEN_INVALID);
		else
			send_to(s, m->frame);
	}
}

static void each_room(struct hub *hub, void (*fn)(struct hub *hub, struct room *room, void *arg),
		      void *arg)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct room *room = hub->rooms[i]; room; room = room->next)
			fn(hub, room, arg);
	}
}

static void touch_one(struct hub *hub, struct room *room, void *arg)
{
	(void)arg;
	publish_room(hub, room);
}

static void drain_one(struct hub *hub, struct room *room, void *arg)
{
	(void)hub;
	send_all(room, arg);
}

/* When a message was lost all end, not only those out of time: they come back and hear all. */
static void look_one(struct hub *hub, struct room *room, void *arg)
{
	const int64_t *now_ms = arg;
	struct stream **at = &room->streams;

	if (hub->ending)
		publish_room(hub, room);
	while (*at) {
		if ((*at)->expires_ms <= *now_ms)
			call_finish((*at)->call, ERR_TOKEN_INVALID);
		else if (hub->ending)
			call_finish((*at)->call, ERR_DRAINING);
		if (hub->ending)
			drop_stream(hub, room, at);
		else
			at = &(*at)->next;
	}
}

static void handle(struct hub *hub, struct message *m)
{
	struct room *room;

	switch (m->kind) {
	case TOUCH_ALL:
		each_room(hub, touch_one, NULL);
		return;
	case SUBSCRIBE:
		on_subscribe(hub, m);
		return;
	case GONE:
		on_gone(hub, m);
		return;
	case DRAIN_ALL:
		each_room(hub, drain_one, m->frame);
		return;
	default:
		break;
	}
	room = room_of(hub, &m->tenant, m->kind == TOUCH);
	if (!room)
		hub->lost = hub->lost || m->kind == TOUCH;
	else if (m->kind == TOUCH)
		publish_room(hub, room);
	else if (m->kind == RELAY)
		on_relay(room, &m->node, m->frame);
	else if (m->kind == INTEREST)
		on_interest(hub, room, &m->node);
	else if (m->kind == CONVERGED)
		send_liveness(hub, room);
	else
		on_room(room, m);
}

static void tick(struct hub *hub)
{
	int64_t now_ms = clock_wall_ms();

	hub->next_tick_ms = clock_boot_ms() + TICK_MS;
	hub->ending = atomic_exchange(&hub->lost, false);
	each_room(hub, look_one, &now_ms);
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

static void *hub_main(void *arg)
{
	struct hub *hub = arg;

	for (;;) {
		struct message *m, *next;
		bool closing;

		pthread_mutex_lock(&hub->lock);
		if (!hub->first && !hub->closing)
			wait_filled(hub);
		m = hub->first;
		hub->first = NULL;
		hub->last = &hub->first;
		closing = hub->closing;
		pthread_mutex_unlock(&hub->lock);
		for (; m; m = next) {
			next = m->next;
			if (!touched_later(m))
				handle(hub, m);
			frame_unref(m->frame);
			free(m);
		}
		if (clock_boot_ms() >= hub->next_tick_ms)
			tick(hub);
		watch_flush(hub->cp->watch);
		if (closing)
			return NULL;
	}
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
	int r;

	r = epoch_check(call, in);
	if (r)
		return r;
	m.call = call_ref(call);
	r = post(cp->hub, &m);
	if (r)
		call_unref(m.call);
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
		leave(hub, SEND, tenant, tenant, frame);
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

void hub_drain(struct hub *hub, uint32_t reconnect_after_ms)
{
	struct message m = {.kind = DRAIN_ALL, .frame = events_drain(reconnect_after_ms)};

	if (m.frame)
		post_or_log(hub, &m);
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
	pthread_mutex_init(&hub->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&hub->filled, &attr);
	pthread_condattr_destroy(&attr);
	r = pthread_create(&hub->thread, NULL, hub_main, hub);
	if (r) {
		free(hub);
		return err_origin(-r);
	}
	*ret_hub = hub;
	return 0;
}

static void free_room(struct room *room)
{
	while (room->streams) {
		struct stream *s = room->streams;

		room->streams = s->next;
		free_stream(s);
	}
	drop_snapshot(room);
	free(room);
}

void hub_free(struct hub *hub)
{
	struct message *m;
	struct room *room;

	if (!hub)
		return;
	pthread_mutex_lock(&hub->lock);
	hub->closing = true;
	pthread_cond_signal(&hub->filled);
	pthread_mutex_unlock(&hub->lock);
	pthread_join(hub->thread, NULL);
	while ((m = hub->first)) {
		hub->first = m->next;
		if (m->kind == SUBSCRIBE)
			call_unref(m->call);
		frame_unref(m->frame);
		free(m);
	}
	for (size_t i = 0; i < BUCKETS; i++) {
		while ((room = hub->rooms[i])) {
			hub->rooms[i] = room->next;
			free_room(room);
		}
	}
	pthread_cond_destroy(&hub->filled);
	pthread_mutex_destroy(&hub->lock);
	free(hub);
}
