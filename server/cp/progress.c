/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/progress.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/cp/hub.h"

enum { BUCKETS = 1024 };

struct waiter {
	struct progress *progress;
	struct call *call;
	struct progress_wait wait;
	bool done;
	struct waiter *next;
};

struct room {
	struct uuid tenant;
	struct muster muster;
	uint64_t told_converged;
	struct waiter *waiters;
	struct room *next;
};

struct progress {
	struct cp *cp;
	pthread_mutex_t lock;
	struct muster_times times;
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
			muster_done(&room->muster);
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

/* NULL: it is not known here, or there is no memory for it. */
static struct muster_node *node_of(struct room *room, const struct uuid *id, bool make)
{
	if (!room)
		return NULL;
	return make ? muster_add(&room->muster, id) : muster_find(&room->muster, id);
}

static bool has(const struct room *room, const struct muster_node *n, uint64_t generation)
{
	return muster_has(&room->muster, n) >= generation;
}

static bool all_have(const struct room *room, uint64_t generation)
{
	return room->muster.n_live && muster_low(&room->muster) >= generation;
}

/* --- waiting calls --- */

static bool satisfied(const struct room *room, const struct progress_wait *wait)
{
	const struct muster_node *home = muster_find(&room->muster, &wait->home);

	return wait->wait_ms ? all_have(room, wait->generation)
			     : home && has(room, home, wait->generation);
}

/* Nobody there who could make it come true. */
static bool hopeless(const struct room *room, const struct progress_wait *wait)
{
	const struct muster_node *home = muster_find(&room->muster, &wait->home);

	return wait->wait_ms ? !room->muster.n_live : !home || !home->online;
}

static void tell_converged(struct room *room, struct call *call, uint64_t generation, bool waited)
{
	const struct muster_mark *mark = muster_mark(&room->muster, generation);
	uint32_t applied = muster_count(&room->muster, generation), live = room->muster.n_live;

	if (waited && live && applied == live && mark && mark->elapsed_ms)
		call_header(call, "qmesh-converged", "%u/%u;ms=%u", applied, live,
			    mark->elapsed_ms);
	else
		call_header(call, "qmesh-converged", "%u/%u", applied, live);
}

/* Headers as they are now; under the lock. */
static void describe(struct room *room, struct call *call, const struct progress_wait *wait)
{
	const struct muster_node *home = muster_find(&room->muster, &wait->home);
	bool at_home = home && has(room, home, wait->generation);

	if (wait->ret_device) {
		wait->ret_device->applied = at_home;
		if (at_home)
			wait->ret_device->status = wait->status;
	}
	call_header(call, "qmesh-generation", "%llu", (unsigned long long)wait->generation);
	call_header(call, "qmesh-applied", at_home ? "true" : "false");
	tell_converged(room, call, wait->generation, wait->wait_ms);
}

void progress_header(struct call *call, const struct uuid *tenant, uint64_t generation)
{
	struct cp *cp = call->owner;
	struct progress *p = cp->progress;
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	call_header(call, "qmesh-generation", "%llu", (unsigned long long)generation);
	if (room)
		tell_converged(room, call, generation, false);
	pthread_mutex_unlock(&p->lock);
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

/*
 * Collects those that may go, because it is done or because nobody is left who could do it; they
 * are let go without the lock.
 */
static struct waiter *collect(struct room *room)
{
	struct waiter *ready = NULL;

	for (struct waiter **at = &room->waiters; *at;) {
		struct waiter *w = *at;

		if (!satisfied(room, &w->wait) && !hopeless(room, &w->wait)) {
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

/* Unlocks. People and nodes hear of it when all live nodes have more than was told last. */
static void after_change(struct progress *p, const struct uuid *tenant, struct room *room)
{
	uint64_t low = muster_low(&room->muster);
	bool news = low > room->told_converged;
	struct waiter *ready = collect(room);

	room->told_converged = low;
	pthread_mutex_unlock(&p->lock);
	let_go_all(ready);
	if (news)
		hub_converged(p->cp->hub, tenant);
}

void progress_load(struct progress *p, const struct uuid *tenant, uint64_t epoch,
		   uint64_t generation)
{
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	if (room)
		muster_load(&room->muster, epoch, generation);
	pthread_mutex_unlock(&p->lock);
}

void progress_epoch(struct progress *p, const struct uuid *tenant, uint64_t epoch)
{
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	/* Epochs grow; whoever read an older one was late. */
	if (room && epoch > room->muster.epoch)
		muster_load(&room->muster, epoch, room->muster.generation);
	pthread_mutex_unlock(&p->lock);
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
	struct muster_node *n;
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	/* The stream of a node that was removed ends after it was forgotten. */
	n = node_of(room, node, online);
	if (!n) {
		pthread_mutex_unlock(&p->lock);
		return;
	}
	muster_online(&room->muster, n, online, &p->times);
	after_change(p, tenant, room);
}

void progress_touched(struct progress *p, const struct uuid *tenant)
{
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	if (room)
		muster_touch(&room->muster);
	pthread_mutex_unlock(&p->lock);
}

void progress_published(struct progress *p, const struct uuid *tenant, uint64_t epoch,
			uint64_t generation)
{
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	if (room)
		muster_publish(&room->muster, epoch, generation);
	pthread_mutex_unlock(&p->lock);
}

static void note_failed(struct muster_node *n, const Pb__ReportRequest *report)
{
	const Pb__FailedPeer *first = report->n_failed ? report->failed[0] : NULL;

	if (report->n_failed && !n->failed)
		n->failed_since_ms = clock_wall_ms();
	n->failed = (uint32_t)report->n_failed;
	n->failed_id = (struct uuid){{0}};
	if (first && first->id.len == sizeof(n->failed_id.b))
		memcpy(n->failed_id.b, first->id.data, sizeof(n->failed_id.b));
	n->failed_errno = first ? first->errno_code : 0;
	n->n_refused = 0;
	for (size_t i = 0; i < report->n_failed && n->n_refused < MUSTER_REFUSED; i++) {
		struct muster_refused *to = &n->refused[n->n_refused];

		if (report->failed[i]->id.len != sizeof(to->id.b))
			continue;
		memcpy(to->id.b, report->failed[i]->id.data, sizeof(to->id.b));
		to->error = report->failed[i]->errno_code;
		n->n_refused++;
	}
}

/* Of one that does not tell, or tells nonsense, nothing is known. */
static int64_t clock_off(const Google__Protobuf__Timestamp *there, int64_t here_ms)
{
	if (!there || there->seconds <= 0 || there->seconds > INT64_MAX / 2000)
		return 0;
	return there->seconds * 1000 - here_ms;
}

/* What is of use to who asks why a device is not reached. */
static void note_ways(struct muster_node *n, const Pb__ReportRequest *report)
{
	n->n_unreached = 0;
	for (size_t i = 0; i < report->n_unreached && n->n_unreached < MUSTER_UNREACHED; i++)
		if (report->unreached[i].len == sizeof(n->unreached->b))
			memcpy(n->unreached[n->n_unreached++].b, report->unreached[i].data,
			       sizeof(n->unreached->b));
	n->clock_off_ms = clock_off(report->time, n->reported_ms);
	n->lease_over = report->lease_over;
	snprintf(n->overlap, sizeof(n->overlap), "%s", report->overlap);
}

void progress_report(struct progress *p, const struct uuid *tenant, const struct uuid *node,
		     const Pb__ReportRequest *report, enum lag_differs differs)
{
	struct muster_node *n;
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	/* Not known any more: it was removed while this report was on its way. */
	n = node_of(room, node, false);
	if (!n) {
		pthread_mutex_unlock(&p->lock);
		return;
	}
	muster_applied(&room->muster, n, report->epoch, report->applied_generation, &p->times);
	n->differs = differs;
	n->reported_ms = clock_wall_ms();
	note_failed(n, report);
	note_ways(n, report);
	n->listen_port = report->listen_port;
	snprintf(n->backend, sizeof(n->backend), "%s", report->backend);
	snprintf(n->forwarding, sizeof(n->forwarding), "%s", report->forwarding);
	snprintf(n->dns_status, sizeof(n->dns_status), "%s", report->dns_status);
	snprintf(n->https_status, sizeof(n->https_status), "%s", report->https_status);
	after_change(p, tenant, room);
}

void progress_forget(struct progress *p, const struct uuid *tenant, const struct uuid *node)
{
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	if (!room) {
		pthread_mutex_unlock(&p->lock);
		return;
	}
	muster_remove(&room->muster, node);
	after_change(p, tenant, room);
}

int progress_nodes(struct progress *p, const struct uuid *tenant, struct uuid **ret_nodes,
		   size_t *ret_n)
{
	const struct muster_node *node;
	struct uuid *nodes = NULL;
	struct room *room;
	size_t at = 0, n = 0;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	nodes = calloc(room ? room->muster.n_nodes + 1 : 1, sizeof(*nodes));
	while (nodes && room && (node = muster_next(&room->muster, &at)))
		nodes[n++] = node->id;
	pthread_mutex_unlock(&p->lock);
	if (!nodes)
		return -ENOMEM;
	*ret_nodes = nodes;
	*ret_n = n;
	return 0;
}

/* --- what answers need --- */

bool progress_get(struct progress *p, const struct uuid *tenant, const struct uuid *node,
		  struct muster_node *ret)
{
	struct muster_node *n;

	pthread_mutex_lock(&p->lock);
	n = node_of(room_of(p, tenant), node, false);
	*ret = n ? *n : (struct muster_node){.id = *node};
	pthread_mutex_unlock(&p->lock);
	return n != NULL;
}

struct lag progress_lag(struct progress *p, const struct uuid *tenant, const struct uuid *node,
			uint64_t generation)
{
	struct lag lag = {.node_id = *node, .state = LAG_OFFLINE};
	struct muster_node *n;
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	n = node_of(room, node, false);
	if (n)
		lag = muster_lag(&room->muster, n, generation);
	pthread_mutex_unlock(&p->lock);
	return lag;
}

void progress_count(struct progress *p, const struct uuid *tenant, uint64_t generation,
		    uint32_t *ret_applied, uint32_t *ret_live)
{
	struct room *room;

	*ret_applied = *ret_live = 0;
	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	if (room) {
		*ret_applied = muster_count(&room->muster, generation);
		*ret_live = room->muster.n_live;
	}
	pthread_mutex_unlock(&p->lock);
}

uint64_t progress_converged(struct progress *p, const struct uuid *tenant)
{
	struct room *room;
	uint64_t low;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	low = room ? muster_low(&room->muster) : 0;
	pthread_mutex_unlock(&p->lock);
	return low;
}

uint32_t progress_elapsed(struct progress *p, const struct uuid *tenant, uint64_t generation)
{
	const struct muster_mark *mark;
	uint32_t elapsed;
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	mark = room ? muster_mark(&room->muster, generation) : NULL;
	elapsed = mark ? mark->elapsed_ms : 0;
	pthread_mutex_unlock(&p->lock);
	return elapsed;
}

size_t progress_down(struct progress *p, const struct uuid *tenant, struct uuid *ret, size_t cap)
{
	const struct muster_node *n;
	size_t n_down = 0, at = 0;
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	while (room && n_down < cap && (n = muster_next(&room->muster, &at))) {
		if (!n->online)
			ret[n_down++] = n->id;
	}
	pthread_mutex_unlock(&p->lock);
	return n_down;
}

/* --- looks --- */

void progress_look(struct progress *p, const struct uuid *tenant,
		   void (*fn)(void *arg, const struct muster *m), void *arg)
{
	struct room *room;

	pthread_mutex_lock(&p->lock);
	room = room_of(p, tenant);
	if (room)
		fn(arg, &room->muster);
	pthread_mutex_unlock(&p->lock);
}

void progress_look_all(struct progress *p, progress_look_fn fn, void *arg)
{
	bool more = true;

	pthread_mutex_lock(&p->lock);
	for (size_t i = 0; more && i < BUCKETS; i++) {
		for (struct room *room = p->rooms[i]; more && room; room = room->next)
			more = fn(arg, &room->tenant, &room->muster);
	}
	pthread_mutex_unlock(&p->lock);
}

struct muster_times progress_times(struct progress *p)
{
	struct muster_times times;

	pthread_mutex_lock(&p->lock);
	times = p->times;
	pthread_mutex_unlock(&p->lock);
	return times;
}
