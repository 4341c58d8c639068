/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream that does not read is skipped and caught up by the next change: a
 * message says what changed since the last one it was sent.
 */
#include "server/node/watchers.h"

#include <errno.h>
#include <pthread.h>

#include "base/clock.h"
#include "base/err.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"
#include "server/node/node.h"
#include "server/node/show.h"

#define MAX_WATCHERS 1024
#define QUEUE_MAX 16
#define ENDED_AT_ONCE 64

struct watcher {
	struct call *call;
	unsigned unsent;
};

struct watchers {
	struct node *node;
	pthread_mutex_t lock;
	uint64_t version;
	struct watcher rows[MAX_WATCHERS];
	size_t n;
};

struct watchers *watchers_new(struct node *n)
{
	struct watchers *w = calloc(1, sizeof(*w));

	if (!w)
		return NULL;
	w->node = n;
	/* Larger than any of an earlier life: who was told of that one is told anew. */
	w->version = (uint64_t)clock_wall_ms();
	pthread_mutex_init(&w->lock, NULL);
	return w;
}

void watchers_free(struct watchers *w)
{
	if (!w)
		return;
	pthread_mutex_destroy(&w->lock);
	free(w);
}

/* With the lock held: one arena per call, one sender per stream. */
static void send_to(struct watchers *w, struct watcher *row)
{
	static const char *const names[] = {"state", "devices", "nodes"};
	Pb__WatchStateResponse out = PB__WATCH_STATE_RESPONSE__INIT;
	Pb__State state = PB__STATE__INIT;
	struct arena arena;
	char *topics[3];

	if (!row->unsent || call_queued(row->call) > QUEUE_MAX)
		return;
	for (unsigned i = 0; i < 3; i++)
		if (row->unsent & 1u << i)
			topics[out.n_topics++] = (char *)names[i];
	arena_init(&arena, 65536);
	out.topics = topics;
	out.version = w->version;
	out.state = &state;
	if (show_state(w->node, &arena, &state) == 0) {
		row->unsent = 0;
		(void)call_send(row->call, &out.base);
	}
	arena_done(&arena);
}

void watchers_publish(struct watchers *w, unsigned topics)
{
	pthread_mutex_lock(&w->lock);
	w->version++;
	for (size_t i = 0; i < w->n; i++) {
		w->rows[i].unsent |= topics;
		send_to(w, &w->rows[i]);
	}
	pthread_mutex_unlock(&w->lock);
}

static void on_end(struct call *call, void *arg)
{
	struct watchers *w = arg;
	bool found = false;

	pthread_mutex_lock(&w->lock);
	for (size_t i = 0; i < w->n && !found; i++) {
		found = w->rows[i].call == call;
		if (found)
			w->rows[i] = w->rows[--w->n];
	}
	pthread_mutex_unlock(&w->lock);
	if (found)
		call_unref(call);
}

int watchers_add(struct watchers *w, struct call *call, uint64_t version)
{
	pthread_mutex_lock(&w->lock);
	if (w->n == MAX_WATCHERS) {
		pthread_mutex_unlock(&w->lock);
		return call_fail(call, ERR_RATE_LIMITED, "Too many open streams at this node.");
	}
	w->rows[w->n++] = (struct watcher){
		.call = call_ref(call),
		.unsent = version == w->version ? 0 : WATCH_STATE | WATCH_DEVICES | WATCH_NODES};
	send_to(w, &w->rows[w->n - 1]);
	pthread_mutex_unlock(&w->lock);
	call_on_end(call, on_end, w);
	return 0;
}

size_t watchers_count(struct watchers *w)
{
	size_t n;

	pthread_mutex_lock(&w->lock);
	n = w->n;
	pthread_mutex_unlock(&w->lock);
	return n;
}

/* As many as ret has room for; referenced. */
static size_t find_revoked(struct watchers *w, struct call *ret[ENDED_AT_ONCE])
{
	struct replica *r = &w->node->replica;
	size_t n = 0;

	pthread_mutex_lock(&w->lock);
	pthread_rwlock_rdlock(&r->lock);
	for (size_t i = 0; i < w->n && n < ENDED_AT_ONCE; i++) {
		struct call *call = w->rows[i].call;

		if (!call_is_over(call) && replica_is_revoked(r, &call->caller.session_id))
			ret[n++] = call_ref(call);
	}
	pthread_rwlock_unlock(&r->lock);
	pthread_mutex_unlock(&w->lock);
	return n;
}

void watchers_end_revoked(struct watchers *w)
{
	struct call *ended[ENDED_AT_ONCE];
	size_t n;

	do {
		n = find_revoked(w, ended);
		for (size_t i = 0; i < n; i++) {
			call_finish(ended[i], call_fail(ended[i], ERR_TOKEN_INVALID,
							"The session has ended. Sign in again."));
			call_unref(ended[i]);
		}
	} while (n == ENDED_AT_ONCE);
}
