/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream is given what it lacks in the cheapest way there is: nothing, the
 * events of the log from its generation on, one event made from the store, the
 * whole list. Each is encoded and signed once, however many streams take it: a
 * snapshot stands until the log no longer leads from it to the newest list.
 */
#include "server/cp/room.h"

#include <string.h>

#include "base/clock.h"
#include "base/killpoint.h"
#include "server/cp/census.h"
#include "server/cp/certdesk.h"
#include "server/cp/interest.h"
#include "server/cp/presence.h"
#include "server/cp/watch.h"

enum {
	BUCKETS = 1024,
	NODE_BUCKETS = 4096,
	RESUME_EVENTS = 64,       /* more of them are told shorter by one from the store */
	SNAPSHOT_REST_MS = 10000, /* then nobody holds it in memory for one who may come */
	REVOCATIONS_MS = 60000,
	LOOK_MS = 1000,
	LOOK_BEHIND_MS = 50,
	LIVENESS_MS = 100, /* between two, and a quarter of one for each stream */
};

struct rooms {
	struct cp *cp;
	struct room *buckets[BUCKETS];
	struct stream *nodes[NODE_BUCKETS];
	size_t n_streams, n_behind, n_liveness_due;
	size_t n_showing; /* streams with statuses to come, at the last look */
	uint64_t looked_ms;
};

/* Ids end in random bytes. */
static size_t spread(const struct uuid *id, size_t n)
{
	return (size_t)(id->b[14] << 8 | id->b[15]) % n;
}

/* --- all of them --- */

struct rooms *rooms_new(struct cp *cp)
{
	struct rooms *rooms = calloc(1, sizeof(*rooms));

	if (rooms)
		rooms->cp = cp;
	return rooms;
}

static void drop_deltas(struct room *room)
{
	for (size_t i = 0; i < ROOM_DELTAS; i++)
		publish_frames_done(&room->deltas[i]);
	memset(room->delta_from, 0, sizeof(room->delta_from));
}

/* What an earlier key of lists has signed is signed anew, before that key retires. */
static void drop_signed_by_others(struct room *room, const char *kid)
{
	if (!strcmp(room->kid, kid))
		return;
	eventlog_done(&room->log);
	publish_frames_done(&room->snapshot);
	drop_deltas(room);
	snprintf(room->kid, sizeof(room->kid), "%s", kid);
}

static void free_room(struct room *room)
{
	while (room->streams)
		room_leave(room->streams);
	eventlog_done(&room->log);
	publish_frames_done(&room->snapshot);
	drop_deltas(room);
	frame_unref(room->revocations);
	free(room);
}

void rooms_free(struct rooms *rooms)
{
	struct room *room;

	if (!rooms)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		while ((room = rooms->buckets[i])) {
			rooms->buckets[i] = room->next;
			free_room(room);
		}
	}
	free(rooms);
}

struct room *rooms_get(struct rooms *rooms, const struct uuid *tenant, bool make)
{
	struct room **bucket = &rooms->buckets[spread(tenant, BUCKETS)];
	struct room *room;

	for (room = *bucket; room; room = room->next) {
		if (uuid_equal(&room->tenant, tenant))
			return room;
	}
	room = make ? calloc(1, sizeof(*room)) : NULL;
	if (room) {
		room->all = rooms;
		room->tenant = *tenant;
		room->next = *bucket;
		*bucket = room;
	}
	return room;
}

void rooms_each(struct rooms *rooms, void (*fn)(struct room *room, void *arg), void *arg)
{
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct room *room = rooms->buckets[i]; room; room = room->next)
			fn(room, arg);
	}
}

struct stream *rooms_stream(struct rooms *rooms, const struct uuid *tenant, const struct uuid *node)
{
	struct stream *s = rooms->nodes[spread(node, NODE_BUCKETS)];

	while (s && (!uuid_equal(&s->node, node) || !uuid_equal(&s->room->tenant, tenant)))
		s = s->next_same;
	return s;
}

size_t rooms_streams(const struct rooms *rooms)
{
	return rooms->n_streams;
}

size_t rooms_behind(const struct rooms *rooms)
{
	return rooms->n_behind;
}

struct cp *room_cp(const struct room *room)
{
	return room->all->cp;
}

/* --- who is in --- */

struct stream *room_enter(struct room *room, struct call *call, const struct uuid *node)
{
	struct stream **bucket = &room->all->nodes[spread(node, NODE_BUCKETS)];
	struct stream *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->call = call;
	s->room = room;
	s->node = *node;
	s->next = room->streams;
	if (s->next)
		s->next->prev = s;
	room->streams = s;
	s->next_same = *bucket;
	*bucket = s;
	room->n_streams++;
	room->all->n_streams++;
	return s;
}

void room_leave(struct stream *stream)
{
	struct room *room = stream->room;
	struct stream **at = &room->all->nodes[spread(&stream->node, NODE_BUCKETS)];

	while (*at != stream)
		at = &(*at)->next_same;
	*at = stream->next_same;
	if (stream->prev)
		stream->prev->next = stream->next;
	else
		room->streams = stream->next;
	if (stream->next)
		stream->next->prev = stream->prev;
	room->n_streams--;
	room->all->n_streams--;
	room->all->n_behind -= stream->behind;
	call_unref(stream->call);
	free(stream);
}

/* --- sending --- */

static struct tally *tally_of(const struct room *room)
{
	return &room->all->cp->tally;
}

static void fall_behind(struct stream *stream, enum tally_row cause)
{
	if (stream->behind)
		return;
	stream->behind = true;
	stream->room->all->n_behind++;
	tally_add(tally_of(stream->room), cause, 1);
	if (cause == TALLY_RESYNC_QUEUE)
		log_line(LOG_LEVEL_INFO, "hub", &stream->call->log,
			 "a node does not keep up: it hears the rest when it has read");
}

/* Whatever waits already: for what is one answer and not a backlog. */
static int push(struct stream *stream, struct frame *frame)
{
	stream->queued_bytes += frame->len;
	return call_send_frame(stream->call, frame);
}

bool room_send(struct stream *stream, struct frame *frame)
{
	size_t queued;
	int r;

	if (stream->behind)
		return false;
	queued = call_queued(stream->call);
	if (!queued)
		stream->queued_bytes = 0;
	if (queued >= LIMIT_EVENT_QUEUE ||
	    (queued && stream->queued_bytes + frame->len > LIMIT_EVENT_QUEUE_BYTES)) {
		fall_behind(stream, TALLY_RESYNC_QUEUE);
		return false;
	}
	r = push(stream, frame);
	/* It must not go on as if nothing had happened. */
	if (r < 0)
		fall_behind(stream, TALLY_RESYNC_GAP);
	return r >= 0;
}

void room_send_all(struct room *room, struct frame *frame)
{
	for (struct stream *s = room->streams; frame && s; s = s->next)
		room_send(s, frame);
}

static void send_liveness(struct room *room)
{
	struct cp *cp = room->all->cp;
	struct frame *frame = presence_update(cp, &room->tenant, NULL, 0);
	uint64_t now = clock_boot_ms();

	for (struct stream *s = room->streams; frame && s; s = s->next) {
		if (room->liveness_to_all || s->interest_until_ms > now)
			room_send(s, frame);
	}
	frame_unref(frame);
	room->all->n_liveness_due--;
	room->liveness_due_ms = 0;
	room->liveness_sent_ms = now;
	room->liveness_to_all = false;
	watch_changed(cp->watch, &room->tenant, WATCH_STATE | WATCH_NODES | WATCH_DEVICES);
}

/* In a storm of streams that begin, each would else be told of each other. */
void room_tell_convergence(struct room *room)
{
	uint64_t at = room->liveness_sent_ms + LIVENESS_MS + room->n_streams / 4;
	uint64_t now = clock_boot_ms();

	if (room->liveness_due_ms)
		return;
	room->liveness_due_ms = at > now ? at : now;
	room->all->n_liveness_due++;
}

void room_tell_liveness(struct room *room)
{
	room->liveness_to_all = true;
	room_tell_convergence(room);
}

void room_forget_revocations(struct room *room)
{
	frame_unref(TAKE(room->revocations));
}

/* --- the list --- */

static int send_events(struct stream *stream, size_t at)
{
	struct room *room = stream->room;
	int r = 0;

	for (; !r && at < room->log.n; at++) {
		const struct eventlog_entry *e = eventlog_at(&room->log, at);

		r = push(stream, e->frame);
		stream->sent = e->to;
	}
	return r;
}

/* The log leads from there to the newest list in a few events. */
static bool log_leads(const struct room *room, uint64_t epoch, uint64_t generation, size_t *ret_at)
{
	if (!generation || epoch != room->epoch)
		return false;
	*ret_at = room->log.n;
	if (generation >= room->published)
		return true;
	return eventlog_find(&room->log, generation, ret_at) &&
	       room->log.n - *ret_at <= RESUME_EVENTS;
}

static int find_snapshot(struct room *room)
{
	size_t at;
	int r;

	room->snapshot_used_ms = clock_boot_ms();
	/* One chunk is made anew as fast as events are sent after it. */
	if (room->snapshot.n > (room->snapshot.generation < room->published) &&
	    log_leads(room, room->snapshot.epoch, room->snapshot.generation, &at))
		return 0;
	publish_frames_done(&room->snapshot);
	r = publish_snapshot(room->all->cp, &room->tenant, &room->snapshot);
	if (!r)
		tally_add(tally_of(room), TALLY_SNAPSHOTS, 1);
	return r;
}

static int send_snapshot(struct stream *stream)
{
	struct room *room = stream->room;
	size_t at;
	int r;

	r = find_snapshot(room);
	for (size_t i = 0; !r && i < room->snapshot.n; i++)
		r = push(stream, room->snapshot.frames[i]);
	if (r)
		return r;
	stream->epoch = room->snapshot.epoch;
	stream->sent = room->snapshot.generation;
	tally_add(tally_of(room), TALLY_SNAPSHOTS_SENT, 1);
	return log_leads(room, stream->epoch, stream->sent, &at) ? send_events(stream, at) : 0;
}

/* One event from a generation that the log does not reach to the newest one. */
static struct publish_frames *find_delta(struct room *room, uint64_t from)
{
	struct publish_frames *slot;
	bool too_big = false;

	for (size_t i = 0; i < ROOM_DELTAS; i++) {
		if (room->deltas[i].n && room->delta_from[i] == from)
			return &room->deltas[i];
	}
	slot = &room->deltas[room->next_delta];
	publish_frames_done(slot);
	if (publish_delta(room->all->cp, &room->tenant, from, slot, &too_big))
		return NULL;
	if (!slot->n || too_big || slot->epoch != room->epoch) {
		publish_frames_done(slot);
		return NULL;
	}
	room->delta_from[room->next_delta] = from;
	room->next_delta = (room->next_delta + 1) % ROOM_DELTAS;
	tally_add(tally_of(room), TALLY_DELTAS, 1);
	return slot;
}

static int send_list(struct stream *stream)
{
	struct room *room = stream->room;
	const struct publish_frames *delta;
	struct keyring_info key;
	size_t at;
	int r;

	keyring_active(room->all->cp->keyring, KEYRING_LISTS, &key);
	drop_signed_by_others(room, key.kid);
	if (log_leads(room, stream->epoch, stream->sent, &at)) {
		tally_add(tally_of(room), at < room->log.n ? TALLY_RESUMED : TALLY_CURRENT, 1);
		return send_events(stream, at);
	}
	delta = stream->sent && stream->epoch == room->epoch ? find_delta(room, stream->sent)
							     : NULL;
	if (!delta)
		return send_snapshot(stream);
	r = push(stream, delta->frames[0]);
	stream->sent = delta->generation;
	tally_add(tally_of(room), TALLY_RESUMED, 1);
	return r;
}

static int send_keys(struct stream *stream)
{
	_cleanup_(frame_unrefp) struct frame *frame =
		publish_keys_frame(stream->room->all->cp, &stream->node);

	return frame ? push(stream, frame) : -ENOMEM;
}

void room_tell_keys(struct room *room)
{
	for (struct stream *s = room->streams; s; s = s->next) {
		struct frame *frame = NULL;

		/* Who is behind hears of them first thing when it has read. */
		if (!s->behind)
			frame = publish_keys_frame(room->all->cp, &s->node);
		if (frame)
			room_send(s, frame);
		else
			fall_behind(s, TALLY_RESYNC_GAP);
		frame_unref(frame);
	}
}

static int send_certificate(struct stream *stream)
{
	_cleanup_(frame_unrefp) struct frame *frame = certdesk_frame(stream->room->all->cp);

	return frame ? push(stream, frame) : -ENOMEM;
}

void room_tell_cas(struct room *room)
{
	_cleanup_(frame_unrefp) struct frame *frame = certdesk_frame(room->all->cp);

	if (frame)
		room_send_all(room, frame);
}

static int send_revocations(struct stream *stream)
{
	struct room *room = stream->room;
	uint64_t now = clock_boot_ms();
	int r;

	if (room->revocations && now - room->revocations_ms >= REVOCATIONS_MS)
		room_forget_revocations(room);
	if (!room->revocations) {
		r = publish_revocations(room->all->cp, &room->tenant, &room->revocations);
		if (r)
			return r;
		room->revocations_ms = now;
	}
	return push(stream, room->revocations);
}

int room_greet(struct stream *stream)
{
	int r;

	stream->queued_bytes = 0;
	r = send_keys(stream);
	if (!r)
		r = send_revocations(stream);
	if (!r)
		r = send_certificate(stream);
	if (!r)
		r = send_list(stream);
	if (!r)
		interest_greet(stream);
	return r;
}

/* --- publishing --- */

static void send_change(struct stream *stream, uint64_t from, uint64_t to, struct frame *frame)
{
	const struct room *room = stream->room;

	/* Its snapshot was read from the store when this was committed already. */
	if (stream->behind || (stream->epoch == room->epoch && stream->sent >= to))
		return;
	if (stream->epoch != room->epoch || stream->sent < from) {
		fall_behind(stream, TALLY_RESYNC_GAP);
		return;
	}
	if (!room_send(stream, frame))
		return;
	stream->sent = to;
	tally_add(tally_of(room), TALLY_SENT, 1);
}

/* Nothing that was published before can be built upon. */
static void begin_epoch(struct room *room, uint64_t epoch)
{
	eventlog_done(&room->log);
	room->epoch = epoch;
	for (struct stream *s = room->streams; s; s = s->next) {
		if (s->epoch != epoch)
			fall_behind(s, TALLY_RESYNC_EPOCH);
	}
}

static void too_much(struct room *room)
{
	eventlog_done(&room->log);
	for (struct stream *s = room->streams; s; s = s->next)
		fall_behind(s, TALLY_RESYNC_GAP);
}

static void tell_watchers(struct room *room)
{
	watch_changed(room->all->cp->watch, &room->tenant,
		      WATCH_STATE | WATCH_NODES | WATCH_DEVICES);
}

/* Nobody listens: what happens meanwhile is told from the store when somebody does. */
static int look_up(struct room *room)
{
	uint64_t epoch = room->epoch, published = room->published;
	int r = publish_generation(room->all->cp, &room->tenant, &room->epoch, &room->published);

	if (r)
		return r;
	progress_epoch(room->all->cp->progress, &room->tenant, room->epoch);
	if (epoch != room->epoch || published != room->published) {
		eventlog_done(&room->log);
		drop_deltas(room);
	}
	tell_watchers(room);
	return 0;
}

static void publish(struct room *room, const struct publish_frames *delta, bool too_big)
{
	KILL_POINT("hub.before_publish");
	if (delta->epoch != room->epoch) {
		begin_epoch(room, delta->epoch);
	} else if (too_big) {
		too_much(room);
	} else if (delta->n) {
		tally_add(tally_of(room), TALLY_EVENTS, 1);
		drop_signed_by_others(room, delta->kid);
		eventlog_add(&room->log, room->published, delta->generation, delta->frames[0]);
		for (struct stream *s = room->streams; s; s = s->next)
			send_change(s, room->published, delta->generation, delta->frames[0]);
	}
	KILL_POINT("hub.after_publish");
}

int room_publish(struct room *room)
{
	struct cp *cp = room->all->cp;
	struct publish_frames delta;
	bool too_big = false, news;
	int r;

	r = room->streams ? publish_delta(cp, &room->tenant, room->published, &delta, &too_big)
			  : look_up(room);
	room->must_publish = r < 0;
	if (r || !room->streams) {
		if (r < 0)
			log_error("hub", "the store does not answer, a change waits: %d", r);
		return r;
	}
	news = delta.generation != room->published || delta.epoch != room->epoch;
	publish(room, &delta, too_big);
	room->published = delta.generation;
	if (news) {
		drop_deltas(room);
		progress_published(cp->progress, &room->tenant, delta.epoch, delta.generation);
		tell_watchers(room);
	}
	publish_frames_done(&delta);
	return 0;
}

/* --- what time brings --- */

/* What a stream that was behind missed, all in one. False: it could not be made, tried again. */
static bool catch_up(struct stream *stream, uint64_t now)
{
	int r;

	if (call_queued(stream->call))
		return true;
	if (stream->failed_ms && now - stream->failed_ms < LOOK_MS)
		return true;
	stream->behind = false;
	stream->room->all->n_behind--;
	r = room_greet(stream);
	if (r < 0) {
		stream->behind = true;
		stream->room->all->n_behind++;
		stream->failed_ms = now;
		return false;
	}
	stream->failed_ms = 0;
	if (r == ERR_NOT_FOUND)
		call_finish(stream->call, ERR_TOKEN_INVALID);
	/* Statuses that were dropped meanwhile come with the next interest. */
	stream->interest_until_ms = 0;
	stream->status_at = 0;
	room_tell_liveness(stream->room);
	return true;
}

/* Who is up to date may change by time alone: a node that says nothing. */
static void look_census(struct room *room, uint64_t now)
{
	struct census census;
	uint64_t mark;

	if (!room->streams || now - room->census_ms < LOOK_MS)
		return;
	room->census_ms = now;
	census_take(room->all->cp->progress, &room->tenant, CENSUS_NOW, &census);
	mark = census_mark(&census);
	if (mark != room->census_mark)
		room_tell_convergence(room);
	room->census_mark = mark;
}

/*
 * A failure ends this look at this tenant: with a store that does not answer it costs one attempt
 * each. The next look begins with others, so that one stream keeps nobody waiting.
 */
static void look(struct room *room, void *arg)
{
	uint64_t now = clock_boot_ms();
	size_t *n_showing = arg;
	bool goes_on;

	if (room->must_publish && now - room->failed_ms >= LOOK_MS) {
		room->failed_ms = now;
		(void)!room_publish(room);
	}
	goes_on = !room->must_publish;
	for (struct stream *s = room->streams; s && goes_on; s = s->next) {
		if (s->behind)
			goes_on = catch_up(s, now);
		else if (s->status_at)
			*n_showing += interest_go_on(s);
	}
	if (room->snapshot.n && now - room->snapshot_used_ms >= SNAPSHOT_REST_MS)
		publish_frames_done(&room->snapshot);
	look_census(room, now);
}

static void look_liveness(struct room *room, void *arg)
{
	const uint64_t *now = arg;

	if (room->liveness_due_ms && *now >= room->liveness_due_ms)
		send_liveness(room);
}

void rooms_turn(struct rooms *rooms)
{
	uint64_t now = clock_boot_ms();

	if (rooms->n_liveness_due)
		rooms_each(rooms, look_liveness, &now);
	if (now - rooms->looked_ms <
	    (rooms->n_behind || rooms->n_showing ? LOOK_BEHIND_MS : LOOK_MS))
		return;
	rooms->looked_ms = now;
	rooms->n_showing = 0;
	rooms_each(rooms, look, &rooms->n_showing);
}
