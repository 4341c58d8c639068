/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/watch.h"

#include <pthread.h>
#include <string.h>

#include "base/clock.h"
#include "server/cp/overview.h"
#include "server/cp/sessions.h"

enum { GATHER_MS = 100, PER_SESSION = 4, QUEUE_MAX = 64 };

struct stream {
	struct call *call;
	unsigned changed;
	uint64_t changed_at_ms; /* since when something waits to be told */
	struct stream *next;
};

struct watch {
	struct cp *cp;
	pthread_mutex_t lock;
	uint64_t version;
	struct stream *streams; /* newest first */
};

struct watch *watch_new(struct cp *cp)
{
	struct watch *w = calloc(1, sizeof(*w));

	if (w) {
		w->cp = cp;
		/* Larger than any of an earlier life of this daemon. */
		w->version = (uint64_t)clock_wall_ms();
		pthread_mutex_init(&w->lock, NULL);
	}
	return w;
}

void watch_free(struct watch *w)
{
	if (!w)
		return;
	for (struct stream *s = w->streams, *next; s; s = next) {
		next = s->next;
		call_unref(s->call);
		free(s);
	}
	pthread_mutex_destroy(&w->lock);
	free(w);
}

static int tell(struct watch *w, struct call *call, uint64_t version, unsigned topics)
{
	static const char *const names[] = {"state", "devices", "nodes"};
	_cleanup_(arena_done) struct arena arena;
	Pb__WatchStateResponse out = PB__WATCH_STATE_RESPONSE__INIT;
	char *list[ARRAY_LEN(names)];
	int r;

	arena_init(&arena, 65536);
	out.version = version;
	out.topics = list;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (topics & 1u << i)
			list[out.n_topics++] = (char *)names[i];
	}
	r = overview_make(w->cp, &arena, &call->caller.tenant_id, &out.state);
	return r ? r : call_send(call, &out.base);
}

static void on_gone(struct call *call, void *arg)
{
	struct watch *w = arg;
	struct stream *found = NULL;

	pthread_mutex_lock(&w->lock);
	for (struct stream **at = &w->streams; *at; at = &(*at)->next) {
		if ((*at)->call == call) {
			found = *at;
			*at = found->next;
			break;
		}
	}
	pthread_mutex_unlock(&w->lock);
	if (found)
		call_unref(found->call);
	free(found);
}

/* The oldest stream of a session beyond its four; referenced. Under the lock. */
static struct call *one_too_many(struct watch *w, const struct uuid *session)
{
	struct stream *oldest = NULL;
	unsigned n = 0;

	for (struct stream *s = w->streams; s; s = s->next) {
		if (uuid_equal(&s->call->caller.session_id, session)) {
			oldest = s;
			n++;
		}
	}
	return n > PER_SESSION ? call_ref(oldest->call) : NULL;
}

int watch_state(struct call *call, const Pb__WatchStateRequest *in)
{
	struct cp *cp = call->owner;
	struct watch *w = cp->watch;
	struct stream *s = calloc(1, sizeof(*s));
	struct call *surplus;
	uint64_t version;
	int r;

	if (!s)
		return -ENOMEM;
	s->call = call_ref(call);
	pthread_mutex_lock(&w->lock);
	version = w->version;
	s->next = w->streams;
	w->streams = s;
	surplus = one_too_many(w, &call->caller.session_id);
	pthread_mutex_unlock(&w->lock);
	call_on_end(call, on_gone, w);
	if (surplus) {
		call_finish(surplus, ERR_CANCELLED);
		call_unref(surplus);
	}
	/* It may have ended between the guards and now: then nobody ends the stream. */
	r = sessions_check(call);
	if (r)
		return r;
	r = in->version < version
		    ? tell(w, call, version, WATCH_STATE | WATCH_DEVICES | WATCH_NODES)
		    : 0;
	return r ? r : CALL_PARKED;
}

void watch_changed(struct watch *w, const struct uuid *tenant, unsigned topics)
{
	uint64_t now = clock_boot_ms();

	pthread_mutex_lock(&w->lock);
	w->version++;
	for (struct stream *s = w->streams; s; s = s->next) {
		if (!uuid_equal(&s->call->caller.tenant_id, tenant))
			continue;
		if (!s->changed)
			s->changed_at_ms = now;
		s->changed |= topics;
	}
	pthread_mutex_unlock(&w->lock);
}

/* A stream that is due; referenced. */
static struct call *take_due(struct watch *w, unsigned *ret_topics, uint64_t *ret_version)
{
	uint64_t now = clock_boot_ms();
	struct call *call = NULL;

	pthread_mutex_lock(&w->lock);
	for (struct stream *s = w->streams; s && !call; s = s->next) {
		if (!s->changed || now < s->changed_at_ms + GATHER_MS)
			continue;
		*ret_topics = s->changed;
		*ret_version = w->version;
		s->changed = 0;
		call = call_ref(s->call);
	}
	pthread_mutex_unlock(&w->lock);
	return call;
}

void watch_flush(struct watch *w)
{
	struct call *call;
	uint64_t version;
	unsigned topics;
	int r;

	while ((call = take_due(w, &topics, &version))) {
		r = call_queued(call) > QUEUE_MAX ? ERR_DRAINING : tell(w, call, version, topics);
		if (r)
			call_finish(call, r);
		call_unref(call);
	}
}

void watch_revoked(struct watch *w, const struct uuid *session)
{
	struct call *call;

	do {
		call = NULL;
		pthread_mutex_lock(&w->lock);
		for (struct stream *s = w->streams; s && !call; s = s->next) {
			if (uuid_equal(&s->call->caller.session_id, session) &&
			    !call_is_over(s->call))
				call = call_ref(s->call);
		}
		pthread_mutex_unlock(&w->lock);
		if (call) {
			call_finish(call, call_fail(call, ERR_TOKEN_INVALID,
						    "The session has ended. Sign in again."));
			call_unref(call);
		}
	} while (call);
}
