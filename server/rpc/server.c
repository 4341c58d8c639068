/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts loops, listeners, lanes and doors together, starts and drains them.
 * Its lists change under its lock; counters are atomic.
 */
#include "server/rpc/server.h"

#include <errno.h>
#include <malloc.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/text.h"
#include "server/rpc/call_queue.h"
#include "server/rpc/core.h"
#include "server/rpc/lane.h"
#include "server/rpc/tls.h"

#define MAX_LOOPS 8
#define DEFAULT_WORKERS 64
#define ADDRESS_ROWS 65536
#define REFUSED_ROWS 16384
#define DRAIN_STEP_MS 20
#define KEPT_FREE (4 << 20) /* bytes that a thread's heap keeps for the next message */

/* A note to one loop that somebody waits for. */
struct order {
	struct loop_note note;
	struct loop *loop;
	struct listener *listener;
	unsigned step;
	int r;
	bool done;
	pthread_mutex_t lock;
	pthread_cond_t cond;
};

static void order_done(struct order *o, int r)
{
	pthread_mutex_lock(&o->lock);
	o->r = r;
	o->done = true;
	pthread_cond_signal(&o->cond);
	pthread_mutex_unlock(&o->lock);
}

/* Runs fn on the loop and waits for it. */
static int order_run(struct order *o, void (*fn)(struct loop_note *note))
{
	pthread_mutex_init(&o->lock, NULL);
	pthread_cond_init(&o->cond, NULL);
	o->note.fn = fn;
	loop_post(o->loop, &o->note);
	pthread_mutex_lock(&o->lock);
	while (!o->done)
		pthread_cond_wait(&o->cond, &o->lock);
	pthread_mutex_unlock(&o->lock);
	pthread_cond_destroy(&o->cond);
	pthread_mutex_destroy(&o->lock);
	return o->r;
}

/*
 * By itself malloc gives what is over 128 KiB back as soon as it is free, and the next message's
 * pages are faulted in again: four fifths of what a message of 1 MB costs.
 */
static void keep_pages(void)
{
	mallopt(M_MMAP_THRESHOLD, KEPT_FREE);
	mallopt(M_TRIM_THRESHOLD, KEPT_FREE);
}

int server_new(const struct server_options *options, struct server **ret_server)
{
	_cleanup_(server_freep) struct server *s = calloc(1, sizeof(*s));
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = options->loops;
	int r;

	if (!s)
		return err_origin(-ENOMEM);
	keep_pages();
	pthread_mutex_init(&s->lock, NULL);
	s->options = *options;
	if (!s->options.conns_per_address)
		s->options.conns_per_address = LIMIT_CONNS_PER_ADDRESS;
	if (n == 0)
		n = cores > 0 ? (unsigned)cores : 1;
	n = n < MAX_LOOPS ? n : MAX_LOOPS;
	s->lane = lane_new(options->workers ? options->workers : DEFAULT_WORKERS);
	s->conns_by_address = rate_new(ADDRESS_ROWS);
	s->refused = rate_new(REFUSED_ROWS);
	s->loops = calloc(n, sizeof(struct loop *));
	if (!s->lane || !s->conns_by_address || !s->refused || !s->loops)
		return err_origin(-ENOMEM);
	for (; s->n_loops < n; s->n_loops++) {
		r = loop_new(s, s->n_loops, &s->loops[s->n_loops]);
		if (r < 0)
			return err_trace(r);
	}
	*ret_server = TAKE(s);
	return 0;
}

int server_add_door(struct server *s, const struct door *door, void *owner)
{
	if (s->n_doors == SERVER_MAX_DOORS || s->started)
		return err_origin(-EBUSY);
	s->doors[s->n_doors++] = (struct server_door){.door = door, .owner = owner};
	return 0;
}

static void listen_on_loop(struct loop_note *note)
{
	struct order *o = CONTAINER_OF(note, struct order, note);
	int fd = TAKE_FD(o->listener->fds[o->loop->index]);

	order_done(o, loop_listen(o->loop, o->listener, fd));
}

static int attach(struct server *s, struct listener *l)
{
	for (unsigned i = 0; i < s->n_loops; i++) {
		struct order o = {.loop = s->loops[i], .listener = l};
		int r = order_run(&o, listen_on_loop);

		if (r < 0)
			return err_trace(r);
	}
	return 0;
}

int server_listen(struct server *s, const struct listener_options *options, uint16_t *ret_port)
{
	struct listener *l;
	int r = listen_open(s, options, &l);

	if (r < 0)
		return err_trace(r);
	pthread_mutex_lock(&s->lock);
	l->next = s->listeners;
	s->listeners = l;
	pthread_mutex_unlock(&s->lock);
	if (ret_port)
		*ret_port = l->port;
	if (s->started)
		r = attach(s, l);
	return err_trace(r);
}

/* A connection is a descriptor: as many as the system lets us have. */
static void raise_fd_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur == limit.rlim_max)
		return;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		log_warn("rpc", "the limit of open files stays: %m");
}

int server_start(struct server *s)
{
	int r;

	raise_fd_limit();
	for (unsigned i = 0; i < s->n_loops; i++) {
		r = loop_start(s->loops[i]);
		if (r < 0)
			return err_trace(r);
	}
	s->started = true;
	for (struct listener *l = s->listeners; l; l = l->next) {
		r = attach(s, l);
		if (r < 0)
			return err_trace(r);
	}
	return 0;
}

/* --- drain --- */

static void drain_on_loop(struct loop_note *note)
{
	struct order *o = CONTAINER_OF(note, struct order, note);
	struct loop *l = o->loop;

	if (l->drain == 0)
		loop_unlisten(l);
	l->drain = o->step;
	for (struct conn *c = l->conns, *next; c; c = next) {
		next = c->next;
		if (c->ops)
			c->ops->drain(c, o->step);
		else if (o->step >= 2)
			conn_cut(c);
	}
	order_done(o, 0);
}

static void end_streams_on_loop(struct loop_note *note)
{
	struct order *o = CONTAINER_OF(note, struct order, note);

	call_queue_end(o->loop, true, NULL);
	order_done(o, 0);
}

static void stop_on_loop(struct loop_note *note)
{
	struct order *o = CONTAINER_OF(note, struct order, note);

	if (o->loop->drain == 0)
		loop_unlisten(o->loop);
	call_queue_end(o->loop, false, NULL);
	o->loop->drain = 3;
	for (struct conn *c = o->loop->conns, *next; c; c = next) {
		next = c->next;
		if (c->ops)
			c->ops->drain(c, 3);
		else
			conn_cut(c);
	}
	o->loop->stop = true;
	order_done(o, 0);
}

static void all_loops(struct server *s, void (*fn)(struct loop_note *note), unsigned step)
{
	for (unsigned i = 0; i < s->n_loops; i++) {
		struct order o = {.loop = s->loops[i], .step = step};

		if (s->loops[i]->running)
			order_run(&o, fn);
	}
}

void server_stop(struct server *s, uint64_t grace_ms)
{
	uint64_t waited = 0, second = grace_ms / 4 < 1000 ? grace_ms / 4 : 1000;
	bool ended = false;

	if (!s->started || s->stopped)
		return;
	s->stopped = true;
	all_loops(s, drain_on_loop, 1);
	for (; s->n_conns > 0 && waited < grace_ms; waited += DRAIN_STEP_MS) {
		nanosleep(&(struct timespec){.tv_nsec = DRAIN_STEP_MS * 1000000}, NULL);
		/* The first word again: some were still in their handshake when it was said. */
		all_loops(s, drain_on_loop, waited >= second ? 2 : 1);
		if (!ended && waited >= grace_ms / 2) {
			ended = true;
			all_loops(s, end_streams_on_loop, 0);
		}
	}
	lane_stop(s->lane);
	all_loops(s, stop_on_loop, 3);
	for (unsigned i = 0; i < s->n_loops; i++)
		loop_join(s->loops[i]);
}

void server_free(struct server *s)
{
	if (!s)
		return;
	server_stop(s, 0);
	for (unsigned i = 0; i < s->n_loops; i++)
		loop_free(s->loops[i]);
	for (struct listener *l = s->listeners, *next; l; l = next) {
		next = l->next;
		listen_free(l);
	}
	lane_free(s->lane);
	rate_free(s->conns_by_address);
	rate_free(s->refused);
	free(s->loops);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* --- changing a listener --- */

/* Whatever it did with what was there before, it has done. */
static void pass_on_loop(struct loop_note *note)
{
	order_done(CONTAINER_OF(note, struct order, note), 0);
}

static struct listener *find(struct server *s, const char *name)
{
	struct listener *l;

	pthread_mutex_lock(&s->lock);
	for (l = s->listeners; l && (l->closed || strcmp(l->name, name)); l = l->next)
		;
	pthread_mutex_unlock(&s->lock);
	return l;
}

int server_change_cert(struct server *s, const char *name, const char *cert_file,
		       const char *key_file)
{
	struct listener *l = find(s, name);
	struct tls *tls;
	int r;

	if (!l || l->kind != LISTENER_TLS)
		return 0;
	r = tls_new(cert_file, key_file, l->http2, &tls);
	if (r)
		return err_trace(r);
	tls = atomic_exchange(&l->tls, tls);
	all_loops(s, pass_on_loop, 0);
	tls_free(tls);
	return 0;
}

int server_change_hosts(struct server *s, const char *name, const char *hosts)
{
	struct listener *l = find(s, name);
	char *list = strdup(hosts);

	if (!list)
		return -ENOMEM;
	if (l) {
		list = atomic_exchange(&l->hosts, list);
		all_loops(s, pass_on_loop, 0);
	}
	free(list);
	return 0;
}

static void unlisten_on_loop(struct loop_note *note)
{
	struct order *o = CONTAINER_OF(note, struct order, note);

	loop_unlisten_one(o->loop, o->listener);
	order_done(o, 0);
}

void server_unlisten(struct server *s, const char *name)
{
	struct listener *l = find(s, name);

	for (unsigned i = 0; l && i < s->n_loops; i++) {
		struct order o = {.loop = s->loops[i], .listener = l};

		if (s->loops[i]->running)
			order_run(&o, unlisten_on_loop);
	}
	pthread_mutex_lock(&s->lock);
	if (l)
		l->closed = true;
	pthread_mutex_unlock(&s->lock);
}

/* --- small things --- */

struct services *server_services(struct server *s)
{
	return s->options.services;
}

struct work {
	struct lane_job job;
	void (*fn)(void *arg);
	void *arg;
};

static void work_run(struct lane_job *job)
{
	struct work *w = CONTAINER_OF(job, struct work, job);

	w->fn(w->arg);
	free(w);
}

int server_work(struct server *s, void (*fn)(void *arg), void *arg)
{
	struct work *w = malloc(sizeof(*w));
	int r;

	if (!w)
		return err_origin(-ENOMEM);
	*w = (struct work){.job = {.fn = work_run}, .fn = fn, .arg = arg};
	r = lane_post(s->lane, &w->job, false);
	if (r < 0)
		free(w);
	return err_trace(r);
}

void server_metrics(struct server *s, struct text *out)
{
	const struct {
		const char *name;
		unsigned long long value;
	} rows[] = {
		{"qmesh_connections", s->n_conns},
		{"qmesh_connections_total", s->count.conns},
		{"qmesh_connections_refused_total", s->count.refused_conns},
		{"qmesh_requests_total", s->count.requests},
		{"qmesh_requests_refused_total", s->count.refused},
		{"qmesh_calls", s->count.open_calls},
		{"qmesh_calls_total", s->count.calls},
		{"qmesh_calls_cancelled_total", s->count.cancelled},
		{"qmesh_calls_deadline_total", s->count.deadlines},
		{"qmesh_abuse_closed_total", s->count.abuse},
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		text_addf(out, "%s %llu\n", rows[i].name, rows[i].value);
}
