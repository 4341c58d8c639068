/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/progress.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/cp/hub.h"

enum { MARKS = 256, BUCKETS = 1024 };

struct node {
	struct progress_node is;
	struct node *next;
};

/* A generation that was committed here: when, and how long until all had it. */
struct mark {
	uint64_t generation, at_ms;
	uint32_t elapsed_ms; /* 0: not yet */
};

struct waiter {
	struct progress *progress;
	struct call *call;
	struct progress_wait wait;
	bool done;
	struct waiter *next;
};

struct room {
	struct uuid tenant;
	struct node *nodes;
	uint64_t epoch, generation, told_converged;
	struct mark marks[MARKS];
	size_t next_mark;
	struct waiter *waiters;
	struct room *next;
};

struct progress {
	struct cp *cp;
	pthread_mutex_t lock;
	struct room *rooms[BUCKETS];
};

struct progress *progress_new(struct cp *cp)
{
	struct progress *p = calloc(1, sizeof(*p));

	if (p) {
		p->cp = cp;
		pthread_mutex_init(&p->lock, NULL);
	}
	return p;
}

void progress_free(struct progress *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct room *room = p->rooms[i], *next; room; room = next) {
			next = room->next;
			while (room->nodes) {
				struct node *n = room->nodes;

				room->nodes = n->next;
				free(n);
			}
			free(room);
		}
	}
	pthread_mutex_destroy(&p->lock);
	free(p);
}

/* Ids end in random bytes. */
static struct room **bucket(struct progress *p, const struct uuid *tenant)
{
	return &p->rooms[(tenant->b[14] << 8 | tenant->b[15]) % BUCKETS];
}

static struct room *room_of(struct progress *p, const struct uuid *tenant)
{
	struct room *room;

	for (room = *bucket(p, tenant); room; room = room->next) {
		if (uuid_equal(&room->tenant, tenant))
			return room;
	}
	room = calloc(1, sizeof(*room));
	if (room) {
		room->tenant = *tenant;
		room->next = *bucket(p, tenant);
		*bucket(p, tenant) = room;
	}
	return room;
}

static struct node *node_of(struct room *room, const struct uuid *id, bool make)
{
	struct node *n;

	for (n = room ? room->nodes : NULL; n; n = n->next) {
		if (uuid_equal(&n->is.id, id))
			return n;
	}
	n = room && make ? calloc(1, sizeof(*n)) : NULL;
	if (n) {
		n->is.id = *id;
		n->next = room->nodes;
		room->nodes = n;
	}
	return n;
}

static bool has(const struct room *room, const struct node *n, uint64_t generation)
{
	/* Before anything was published since the start, any epoch of a report may be right. */
	return n->is.applied >= generation && (!room->epoch || n->is.epoch == room->epoch);
}

static void count(const struct room *room, uint64_t generation, uint32_t *ret_applied,
		  uint32_t *ret_live)
{
	*ret_applied = *ret_live = 0;
	for (const struct node *n = room->nodes; n; n = n->next) {
		if (!n->is.online)
			continue;
		++*ret_live;
		*ret_applied += has(room, n, generation);
	}
}

/* The publication that carried a generation: the first one not before it. */
static const struct mark *mark_of(const struct room *room, uint64_t generation)
{
	const struct mark *found = NULL;
	bool older = false;

	for (size_t i = 0; i < MARKS; i++) {
		const struct mark *m = &room->marks[i];

		if (m->generation >= generation && (!found || m->generation < found->generation))
			found = m;
		older = older || (m->generation && m->generation < generation);
	}
	/* Without an older one the memory may have begun after it. */
	return found && (older || found->generation == generation) ? found : NULL;
}

/* --- waiting calls --- */

static bool satisfied(const struct room *room, const struct progress_wait *wait)
{
	const struct node *home = node_of((struct room *)room, &wait->home, false);
	uint32_t applied, live;

	if (wait->wait_ms) {
		count(room, wait->generation, &applied, &live);
		return live && applied == live;
	}
	return home && has(room, home, wait->generation);
}

/* Nobody there who could make it come true. */
static bool hopeless(const struct room *room, const struct progress_wait *wait)
{
	const struct node *home = node_of((struct room *)room, &wait->home, false);
	uint32_t applied, live;

	count(room, wait->generation, &applied, &live);
	return wait->wait_ms ? !live : !home || !home->is.online;
}

/* Headers as they are now; under the lock. */
static void describe(struct room *room, struct call *call, const struct progress_wait *wait)
{
	const struct node *home = node_of(room, &wait->home, false);
	bool at_home = home && has(room, home, wait->generation);
	const struct mark *mark = mark_of(room, wait->generation);
	uint32_t applied, live;

	count(room, wait->generation, &applied, &live);
	if (wait->ret_device) {
		wait->ret_device->applied = at_home;
		if (at_home)
			wait->ret_device->status = wait->status;
	}
	call_header(call, "qmesh-generation", "%llu", (unsigned long long)wait->generation);
	call_header(call, "qmesh-applied", at_home ? "true" : "false");
	if (wait->wait_ms && live && applied == live && mark && mark->elapsed_ms)
		call_header(call, "qmesh-converged", "%u/%u;ms=%u", applied, live,
			    mark->elapsed_ms);
	else
		call_header(call, "qmesh-converged", "%u/%u", applied, live);
}

/* Off the list; false when another was first. Under the lock. */
static bool take_waiter(struct room *room, struct waiter *w)
{
	if (w->done)
		return false;
	w->done = true;
	for (struct waiter **at = &room->waiters; *at; at = &(*at)->next) {
		if (*at == w) {
			*at = w->next;
			break;
		}
	}
	return true;
}

static void let_go(struct waiter *w)
{
	if (w->wait.done)
		w->wait.done(w->call);
	call_finish(w->call, 0);
	call_unref(w->call);
}

static void on_time_up(struct call *call, void *arg)
{
	struct waiter *w = arg;
	struct progress *p = w->progress;
	struct room *room;
	bool mine;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, &call->caller.tenant_id);
	mine = room && take_waiter(room, w);
	if (mine)
		describe(room, call, &w->wait);
	pthread_mutex_unlock(&p->lock);
	if (mine)
		let_go(w);
}

static void on_caller_gone(struct call *call, void *arg)
{
	struct waiter *w = arg;
	struct progress *p = w->progress;
	struct room *room;
	bool mine;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, &call->caller.tenant_id);
	mine = room && take_waiter(room, w);
	pthread_mutex_unlock(&p->lock);
	if (mine)
		call_unref(call);
}

int progress_answer(struct call *call, const struct progress_wait *wait)
{
	struct cp *cp = call->owner;
	struct progress *p = cp->progress;
	uint64_t at_most_ms = wait->wait_ms ? wait->wait_ms : cp->conf.apply_wait_ms;
	struct waiter *w = call_alloc(call, sizeof(*w));
	struct room *room;
	bool wait_on;

	if (!w)
		return -ENOMEM;
	pthread_mutex_lock(&p->lock);
	room = room_of(p, &call->caller.tenant_id);
	wait_on = room && !satisfied(room, wait) && !hopeless(room, wait) && at_most_ms;
	if (!room) {
		pthread_mutex_unlock(&p->lock);
		return -ENOMEM;
	}
	if (!wait_on) {
		describe(room, call, wait);
		pthread_mutex_unlock(&p->lock);
		if (wait->done)
			wait->done(call);
		return 0;
	}
	*w = (struct waiter){.progress = p, .call = call_ref(call), .wait = *wait};
	w->next = room->waiters;
	room->waiters = w;
	/* Before anybody can let the call go: the timer and the hook need it alive. */
	call_ref(call);
	pthread_mutex_unlock(&p->lock);
	call_on_end(call, on_caller_gone, w);
	call_after(call, at_most_ms, on_time_up, w);
	call_unref(call);
	return CALL_PARKED;
}

/* Collects those that may go; they are let go without the lock. */
static struct waiter *collect(struct room *room)
{
	struct waiter *ready = NULL;

	for (struct waiter **at = &room->waiters; *at;) {
		struct waiter *w = *at;

		if (!satisfied(room, &w->wait)) {
			at = &w->next;
			continue;
		}
		*at = w->next;
		w->done = true;
		describe(room, w->call, &w->wait);
		w->next = ready;
		ready = w;
	}
	return ready;
}

static void let_go_all(struct waiter *ready)
{
	for (struct waiter *next; ready; ready = next) {
		next = ready->next;
		let_go(ready);
	}
}

/* --- what the hub and reports say --- */

static uint64_t lowest(const struct room *room)
{
	uint64_t low = UINT64_MAX;

	for (const struct node *n = room->nodes; n; n = n->next) {
		if (!n->is.online)
			continue;
		if (!has(room, n, n->is.applied))
			return 0;
		if (n->is.applied < low)
			low = n->is.applied;
	}
	return low == UINT64_MAX ? 0 : low;
}

/* True: all live nodes have more than was told last. */
static bool settle_marks(struct room *room)
{
	uint64_t low = lowest(room), now = clock_boot_ms();
	bool news = low > room->told_converged;

	for (size_t i = 0; i < MARKS; i++) {
		struct mark *m = &room->marks[i];

		if (m->generation && m->generation <= low && !m->elapsed_ms)
			m->elapsed_ms = now > m->at_ms ? (uint32_t)(now - m->at_ms) : 1;
	}
	room->told_converged = low;
	return news;
}

static void after_change(struct progress *p, const struct uuid *tenant, struct room *room)
{
	bool news = settle_marks(room);
	struct waiter *ready = collect(room);

	pthread_mutex_unlock(&p->lock);
	let_go_all(ready);
	if (news)
		hub_converged(p->cp->hub, tenant);
}

void progress_know(struct progress *p, const struct uuid *tenant, const struct uuid *node)
{
	pthread_mutex_lock(&p->lock);
	node_of(room_of(p, tenant), node, true);
	pthread_mutex_unlock(&p->lock);
}

void progress_online(struct progress *p, const struct uuid *tenant, const struct uuid *node,
		     bool online)
{
	struct room *room;
	struct node *n;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	/* The stream of a node that was removed ends after it was forgotten. */
	n = node_of(room, node, online);
	if (!n) {
		pthread_mutex_unlock(&p->lock);
		return;
	}
	n->is.online = online;
	after_change(p, tenant, room);
}

void progress_published(struct progress *p, const struct uuid *tenant, uint64_t epoch,
			uint64_t generation)
{
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	if (room) {
		room->epoch = epoch;
		room->generation = generation;
		room->marks[room->next_mark] =
			(struct mark){.generation = generation, .at_ms = clock_boot_ms()};
		room->next_mark = (room->next_mark + 1) % MARKS;
	}
	pthread_mutex_unlock(&p->lock);
}

void progress_report(struct progress *p, const struct uuid *tenant, const struct uuid *node,
		     const Pb__ReportRequest *report)
{
	int64_t now = clock_wall_ms();
	struct room *room;
	struct node *n;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	n = node_of(room, node, true);
	if (!n) {
		pthread_mutex_unlock(&p->lock);
		return;
	}
	if (n->is.applied != report->applied_generation || n->is.epoch != report->epoch)
		n->is.since_ms = now;
	n->is.epoch = report->epoch;
	n->is.applied = report->applied_generation;
	n->is.reported_ms = now;
	n->is.failed = (uint32_t)report->n_failed;
	n->is.listen_port = report->listen_port;
	snprintf(n->is.backend, sizeof(n->is.backend), "%s", report->backend);
	snprintf(n->is.forwarding, sizeof(n->is.forwarding), "%s", report->forwarding);
	snprintf(n->is.dns_status, sizeof(n->is.dns_status), "%s", report->dns_status);
	after_change(p, tenant, room);
}

void progress_forget(struct progress *p, const struct uuid *tenant, const struct uuid *node)
{
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	for (struct node **at = room ? &room->nodes : NULL; at && *at; at = &(*at)->next) {
		struct node *n = *at;

		if (uuid_equal(&n->is.id, node)) {
			*at = n->next;
			free(n);
			break;
		}
	}
	if (room)
		after_change(p, tenant, room);
	else
		pthread_mutex_unlock(&p->lock);
}

/* --- what answers need --- */

bool progress_get(struct progress *p, const struct uuid *tenant, const struct uuid *node,
		  struct progress_node *ret)
{
	struct node *n;

	pthread_mutex_lock(&p->lock);
	n = node_of(room_of(p, tenant), node, false);
	*ret = n ? n->is : (struct progress_node){.id = *node};
	pthread_mutex_unlock(&p->lock);
	return n != NULL;
}

void progress_count(struct progress *p, const struct uuid *tenant, uint64_t generation,
		    uint32_t *ret_applied, uint32_t *ret_live)
{
	struct room *room;

	*ret_applied = *ret_live = 0;
	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	if (room)
		count(room, generation, ret_applied, ret_live);
	pthread_mutex_unlock(&p->lock);
}

static bool serves(const struct node *n)
{
	return !strcmp(n->is.dns_status, "serving") || !strcmp(n->is.dns_status, "coredns");
}

void progress_dns(struct progress *p, const struct uuid *tenant, char ret[PROGRESS_DNS_MAX])
{
	unsigned n_live = 0, n_serving = 0, n_same = 0;
	const struct node *first = NULL;
	struct room *room;

	strcpy(ret, "off");
	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	for (const struct node *n = room ? room->nodes : NULL; n; n = n->next) {
		/* One that is online and has not reported yet says nothing. */
		if (!n->is.online || !*n->is.dns_status)
			continue;
		first = first ? first : n;
		n_live++;
		n_serving += serves(n);
		n_same += !strcmp(n->is.dns_status, first->is.dns_status);
	}
	if (n_live && n_same == n_live)
		memcpy(ret, first->is.dns_status, PROGRESS_DNS_MAX);
	else if (n_live && n_serving == n_live)
		strcpy(ret, "serving");
	else if (n_live)
		snprintf(ret, PROGRESS_DNS_MAX, "degraded: %u of %u nodes serve names", n_serving,
			 n_live);
	pthread_mutex_unlock(&p->lock);
}

uint64_t progress_converged(struct progress *p, const struct uuid *tenant)
{
	struct room *room;
	uint64_t low;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	low = room ? lowest(room) : 0;
	pthread_mutex_unlock(&p->lock);
	return low;
}

uint32_t progress_elapsed(struct progress *p, const struct uuid *tenant, uint64_t generation)
{
	const struct mark *mark;
	uint32_t elapsed;
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	mark = room ? mark_of(room, generation) : NULL;
	elapsed = mark ? mark->elapsed_ms : 0;
	pthread_mutex_unlock(&p->lock);
	return elapsed;
}

size_t progress_down(struct progress *p, const struct uuid *tenant, struct uuid *ret, size_t cap)
{
	struct room *room;
	size_t n_down = 0;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	for (struct node *n = room ? room->nodes : NULL; n && n_down < cap; n = n->next) {
		if (!n->is.online)
			ret[n_down++] = n->is.id;
	}
	pthread_mutex_unlock(&p->lock);
	return n_down;
}
