/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The I/O thread of a client; see channel.h. One round: take the inbox, look
 * at the clocks, let the connections read and write, place waiting calls,
 * sleep in poll. Callbacks of calls run here, with no lock held, so they may
 * start, pause and cancel calls.
 *
 * Time is CLOCK_MONOTONIC and not base/clock.h: these are timeouts of real
 * sockets, which a test's clock cannot move.
 */
#include "client/channel.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/sign.h"
#include "client/carrier.h"
#include "client/target.h"

#define DEFAULT_MESSAGE (4 * 1024 * 1024)
#define DEFAULT_KEEPALIVE_MS 20000
#define DEFAULT_CONNECT_MS 10000
#define FIRST_BACKOFF_MS 100
#define LAST_BACKOFF_MS 2000
#define MAX_CARRIERS 8
#define LONGEST_SLEEP_MS 3600000

struct channel {
	atomic_uint refs;
	pthread_t thread;
	int wake_fd;
	pthread_mutex_t lock;
	/* Under the lock. */
	TAILQ_HEAD(, qm_call) inbox;
	bool stopping;
	struct pin_set pins;
	/* Fixed after channel_new. */
	struct target target;
	struct qtls *tls;
	char *server_name, *user_agent, *authority;
	size_t max_message;
	uint32_t connect_ms;
	/* The I/O thread's. */
	uint32_t keepalive_ms;
	LIST_HEAD(, carrier) carriers;
	struct carrier *current; /* where new calls go */
	struct qcall_list pending, waiting, parked;
	uint32_t backoff_ms;
	uint64_t redial_at;
	char why[400]; /* of the last failure to connect */
	uint64_t now;
};

static uint64_t monotonic_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static void wake(struct channel *ch)
{
	uint64_t one = 1;

	if (write(ch->wake_fd, &one, sizeof(one)) < 0) {
		/* The counter is full: the thread is awake anyway. */
	}
}

/* ms, give or take a fifth, so that many clients do not come at once. */
static uint64_t jitter(uint64_t ms)
{
	uint16_t random;

	sign_random(&random, sizeof(random));
	return ms * 4 / 5 + ms * 2 / 5 * random / UINT16_MAX;
}

/* The I/O thread lets go of a call. */
static void finish(struct qm_call *call)
{
	qcall_finish(call);
	qcall_unref(call);
}

static void push(struct qcall_list *list, struct qm_call *call, enum qcall_place place)
{
	call->place = place;
	TAILQ_INSERT_TAIL(list, call, link);
}

/* Takes a call off whatever has it. */
static void pull(struct channel *ch, struct qm_call *call)
{
	switch (call->place) {
	case QCALL_PENDING:
		TAILQ_REMOVE(&ch->pending, call, link);
		break;
	case QCALL_WAITING:
		TAILQ_REMOVE(&ch->waiting, call, link);
		break;
	case QCALL_PARKED:
		TAILQ_REMOVE(&ch->parked, call, link);
		break;
	case QCALL_OPEN:
		carrier_drop(call->carrier, call);
		break;
	default:
		break;
	}
}

/* Once more after a pause, unless tries or time are used up. */
static bool try_again(struct channel *ch, struct qm_call *call)
{
	uint64_t delay = FIRST_BACKOFF_MS;

	if (!call->idempotent || call->committed || ++call->tries >= QCALL_MAX_TRIES)
		return false;
	for (unsigned i = 1; i < call->tries; i++)
		delay *= 2;
	delay = jitter(delay);
	if (call->status.retry_ms > delay)
		delay = call->status.retry_ms;
	if (call->pushback_ms > delay)
		delay = call->pushback_ms;
	if (call->deadline && ch->now + delay >= call->deadline)
		return false;
	call->retry_at = ch->now + delay;
	push(&ch->waiting, call, QCALL_WAITING);
	return true;
}

static void fail_unreachable(struct channel *ch, struct qm_call *call, const char *why)
{
	if (try_again(ch, call))
		return;
	status_set(&call->status, ERR_CP_UNREACHABLE, "cannot reach %s: %s", ch->target.text, why);
	status_meta(&call->status, "target", "%s", ch->target.text);
	finish(call);
}

static void fail_lost(struct channel *ch, struct qm_call *call, const char *why)
{
	if (try_again(ch, call))
		return;
	if (call->idempotent || call->committed)
		status_set(&call->status, ERR_CP_UNREACHABLE, "the connection to %s was lost: %s",
			   ch->target.text, why);
	else
		status_set(&call->status, ERR_OUTCOME_UNKNOWN,
			   "the connection to %s was lost before its answer (%s); whether it was "
			   "carried out is not known",
			   ch->target.text, why);
	status_meta(&call->status, "target", "%s", ch->target.text);
	finish(call);
}

static void on_ended(void *arg, struct qm_call *call, enum qcall_end end)
{
	struct channel *ch = arg;

	switch (end) {
	case QCALL_FINAL:
		if (call->status.code == GRPC_UNAVAILABLE && try_again(ch, call))
			return;
		if (qcall_has_waiting(call)) {
			push(&ch->parked, call, QCALL_PARKED);
			return;
		}
		finish(call);
		return;
	case QCALL_UNTOUCHED:
		if (call->n_resent++ < 1)
			push(&ch->pending, call, QCALL_PENDING);
		else
			fail_unreachable(ch, call, ch->why[0] ? ch->why : "it takes no calls now");
		return;
	case QCALL_LOST:
		fail_lost(ch, call, ch->why);
		return;
	}
}

/* One of the calls in the inbox: new, cancelled, or its reader has changed. */
static void attend(struct channel *ch, struct qm_call *call, bool cancel)
{
	if (call->place == QCALL_NEW) {
		atomic_fetch_add(&call->refs, 1);
		push(&ch->pending, call, QCALL_PENDING);
	}
	if (call->place == QCALL_ENDED)
		return;
	if (cancel) {
		pull(ch, call);
		status_set(&call->status, ERR_CANCELLED, "the call was cancelled");
		finish(call);
	} else if (call->place == QCALL_OPEN) {
		carrier_resume(call->carrier, call);
	} else if (call->place == QCALL_PARKED) {
		if (qcall_deliver_rest(call))
			return;
		TAILQ_REMOVE(&ch->parked, call, link);
		finish(call);
	}
}

/* false: the client is being freed. */
static bool take_inbox(struct channel *ch)
{
	struct qm_call *call;
	bool go_on, cancel;

	for (;;) {
		pthread_mutex_lock(&ch->lock);
		go_on = !ch->stopping;
		call = TAILQ_FIRST(&ch->inbox);
		if (call) {
			TAILQ_REMOVE(&ch->inbox, call, inbox_link);
			call->in_inbox = false;
			cancel = call->cancel_asked;
		}
		pthread_mutex_unlock(&ch->lock);
		if (!call)
			return go_on;
		attend(ch, call, cancel);
		qcall_unref(call);
	}
}

static void expire(struct channel *ch, struct qcall_list *list)
{
	struct qm_call *call, *next;

	for (call = TAILQ_FIRST(list); call; call = next) {
		next = TAILQ_NEXT(call, link);
		if (!call->deadline || ch->now < call->deadline)
			continue;
		pull(ch, call);
		status_set(&call->status, ERR_DEADLINE_EXCEEDED,
			   "%s did not answer within the deadline", ch->target.text);
		finish(call);
	}
}

/* Ends what is over its deadline, goes on with what has paused long enough. */
static void look_at_clocks(struct channel *ch)
{
	struct qm_call *call, *next;
	struct carrier *c;

	expire(ch, &ch->pending);
	expire(ch, &ch->waiting);
	expire(ch, &ch->parked);
	LIST_FOREACH(c, &ch->carriers, link)
	expire(ch, &c->calls);
	for (call = TAILQ_FIRST(&ch->waiting); call; call = next) {
		next = TAILQ_NEXT(call, link);
		if (ch->now < call->retry_at)
			continue;
		TAILQ_REMOVE(&ch->waiting, call, link);
		push(&ch->pending, call, QCALL_PENDING);
	}
}

static size_t n_carriers(const struct channel *ch)
{
	const struct carrier *c;
	size_t n = 0;

	LIST_FOREACH(c, &ch->carriers, link)
	n++;
	return n;
}

static void dial_now(struct channel *ch)
{
	struct carrier_options o = {
		.dial = {.target = &ch->target,
			 .tls = ch->tls,
			 .server_name = ch->server_name,
			 .connect_ms = ch->connect_ms,
			 .wake_fd = ch->wake_fd},
		.authority = ch->authority,
		.user_agent = ch->user_agent,
		.keepalive_ms = ch->keepalive_ms,
		.ended = on_ended,
		.arg = ch,
	};

	pthread_mutex_lock(&ch->lock);
	o.dial.pins = ch->pins;
	pthread_mutex_unlock(&ch->lock);
	if (carrier_new(&o, ch->now, &ch->current) == 0)
		LIST_INSERT_HEAD(&ch->carriers, ch->current, link);
	else
		ch->redial_at = ch->now + FIRST_BACKOFF_MS;
}

/* The connection did not come about: every call that waited for it hears so. */
static void connect_failed(struct channel *ch)
{
	struct qcall_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
	struct qm_call *call;

	ch->backoff_ms = ch->backoff_ms ? ch->backoff_ms * 2 : FIRST_BACKOFF_MS;
	if (ch->backoff_ms > LAST_BACKOFF_MS)
		ch->backoff_ms = LAST_BACKOFF_MS;
	ch->redial_at = ch->now + jitter(ch->backoff_ms);
	TAILQ_CONCAT(&waiting, &ch->pending, link);
	while ((call = TAILQ_FIRST(&waiting))) {
		TAILQ_REMOVE(&waiting, call, link);
		fail_unreachable(ch, call, ch->why);
	}
}

static void bury(struct channel *ch, struct carrier *c)
{
	snprintf(ch->why, sizeof(ch->why), "%s", c->why);
	if (c->calm && ch->keepalive_ms < UINT32_MAX / 2)
		ch->keepalive_ms *= 2;
	if (ch->current == c)
		ch->current = NULL;
	LIST_REMOVE(c, link);
	carrier_abandon(c);
	if (!c->proven)
		connect_failed(ch);
	carrier_free(c);
}

static void step_carriers(struct channel *ch)
{
	struct carrier *c, *next;

	for (c = LIST_FIRST(&ch->carriers); c; c = next) {
		int r = carrier_step(c, ch->now);

		next = LIST_NEXT(c, link);
		if (c->proven && c == ch->current)
			ch->backoff_ms = 0;
		if (c->draining && c == ch->current)
			ch->current = NULL;
		if (r < 0 || (c->draining && c->n_calls == 0))
			bury(ch, c);
	}
}

/* The server is known to be away for now: who may not try again is told at once. */
static void refuse_pending(struct channel *ch)
{
	struct qm_call *call, *next;

	for (call = TAILQ_FIRST(&ch->pending); call; call = next) {
		next = TAILQ_NEXT(call, link);
		if (call->idempotent)
			continue;
		TAILQ_REMOVE(&ch->pending, call, link);
		fail_unreachable(ch, call, ch->why);
	}
}

static void place_pending(struct channel *ch)
{
	struct qm_call *call;

	if (!TAILQ_EMPTY(&ch->pending) && !ch->current) {
		if (ch->now < ch->redial_at)
			refuse_pending(ch);
		/* Drained connections that never end may not pile up. */
		else if (n_carriers(ch) < MAX_CARRIERS)
			dial_now(ch);
	}
	while (ch->current && (call = TAILQ_FIRST(&ch->pending)) && carrier_room(ch->current)) {
		uint64_t timeout_ms = call->deadline ? call->deadline - ch->now : 0;

		TAILQ_REMOVE(&ch->pending, call, link);
		qcall_reset(call, ch->max_message);
		if (carrier_start(ch->current, call, timeout_ms, ch->now) < 0)
			fail_unreachable(ch, call, "out of memory");
	}
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t first_deadline(const struct qcall_list *list, uint64_t due)
{
	const struct qm_call *call;

	TAILQ_FOREACH(call, list, link)
	{
		if (call->deadline)
			due = earlier(due, call->deadline);
		if (call->place == QCALL_WAITING)
			due = earlier(due, call->retry_at);
	}
	return due;
}

/* When the next round must be, if nobody wakes the thread before. */
static uint64_t next_due(const struct channel *ch)
{
	const struct carrier *c;
	uint64_t due = UINT64_MAX;

	due = first_deadline(&ch->pending, due);
	due = first_deadline(&ch->waiting, due);
	due = first_deadline(&ch->parked, due);
	LIST_FOREACH(c, &ch->carriers, link)
	due = earlier(first_deadline(&c->calls, due), carrier_due(c));
	if (TAILQ_EMPTY(&ch->pending))
		return due;
	if (!ch->current && n_carriers(ch) < MAX_CARRIERS)
		return earlier(due, ch->redial_at);
	if (ch->current && carrier_room(ch->current))
		return ch->now;
	return due;
}

static void sleep_until(struct channel *ch, uint64_t due)
{
	struct pollfd fds[MAX_CARRIERS + 1];
	uint64_t now = monotonic_ms(), ignored;
	const struct carrier *c;
	nfds_t n = 1;
	int timeout = -1;

	fds[0] = (struct pollfd){.fd = ch->wake_fd, .events = POLLIN};
	LIST_FOREACH(c, &ch->carriers, link)
	carrier_poll(c, &fds[n++]);
	if (due <= now)
		timeout = 0;
	else if (due - now < LONGEST_SLEEP_MS)
		timeout = (int)(due - now);
	poll(fds, n, timeout);
	if (fds[0].revents & POLLIN && read(ch->wake_fd, &ignored, sizeof(ignored)) < 0) {
		/* Already read: the inbox is looked at in every round anyway. */
	}
}

/* The client is being freed: all calls end, those in the inbox too. */
static void end_all(struct channel *ch)
{
	struct qcall_list *lists[] = {&ch->pending, &ch->waiting, &ch->parked};
	struct qm_call *call;
	struct carrier *c;

	for (;;) {
		call = NULL;
		for (size_t i = 0; i < ARRAY_LEN(lists) && !call; i++)
			call = TAILQ_FIRST(lists[i]);
		LIST_FOREACH(c, &ch->carriers, link)
		{
			if (!call)
				call = TAILQ_FIRST(&c->calls);
		}
		if (!call)
			break;
		pull(ch, call);
		status_set(&call->status, ERR_CANCELLED, "the client was closed");
		finish(call);
	}
	while ((c = LIST_FIRST(&ch->carriers))) {
		LIST_REMOVE(c, link);
		/* Lets the resets out, as far as they go without waiting. */
		if (carrier_step(c, ch->now) < 0)
			ch->why[0] = '\0';
		carrier_free(c);
	}
}

static void *run(void *arg)
{
	struct channel *ch = arg;

	for (;;) {
		ch->now = monotonic_ms();
		if (!take_inbox(ch))
			break;
		step_carriers(ch);
		look_at_clocks(ch);
		place_pending(ch);
		/* Writes what was placed. */
		step_carriers(ch);
		sleep_until(ch, next_due(ch));
	}
	end_all(ch);
	return NULL;
}

static void free_channel(struct channel *ch)
{
	qtls_free(ch->tls);
	free(ch->server_name);
	free(ch->user_agent);
	free(ch->authority);
	close_fdp(&ch->wake_fd);
	pthread_mutex_destroy(&ch->lock);
	free(ch);
}

static int set_up(struct channel *ch, const struct qm_options *o)
{
	const char *name = o->server_name ? o->server_name : ch->target.host;
	int r;

	ch->max_message = o->max_message ? o->max_message : DEFAULT_MESSAGE;
	ch->keepalive_ms = o->keepalive_ms ? o->keepalive_ms : DEFAULT_KEEPALIVE_MS;
	ch->connect_ms = o->connect_ms ? o->connect_ms : DEFAULT_CONNECT_MS;
	r = pin_set_fill(&ch->pins, o->pins, o->n_pins);
	if (r == 0 && ch->target.kind == TARGET_TLS)
		r = qtls_new(o->ca_file, &ch->tls);
	if (r < 0)
		return r;
	if (o->server_name && ch->target.kind != TARGET_UNIX)
		r = asprintf(&ch->authority, "%s:%u", o->server_name, ch->target.port);
	else
		r = asprintf(&ch->authority, "%s", ch->target.authority);
	if (r < 0) {
		ch->authority = NULL;
		return -ENOMEM;
	}
	ch->server_name = strdup(name);
	ch->user_agent = strdup(o->user_agent ? o->user_agent : "libqmesh/" QMESH_VERSION);
	return ch->server_name && ch->user_agent ? 0 : -ENOMEM;
}

/* The thread takes no signals: they are the program's, and SIGPIPE would end it. */
static int start_thread(struct channel *ch)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&ch->thread, NULL, run, ch);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

int channel_new(const struct qm_options *options, struct channel **ret_channel)
{
	struct target target;
	struct channel *ch;
	int r;

	r = target_parse(options->target, &target);
	if (r < 0)
		return r;
	ch = calloc(1, sizeof(*ch));
	if (!ch)
		return -ENOMEM;
	atomic_init(&ch->refs, 1);
	pthread_mutex_init(&ch->lock, NULL);
	TAILQ_INIT(&ch->inbox);
	TAILQ_INIT(&ch->pending);
	TAILQ_INIT(&ch->waiting);
	TAILQ_INIT(&ch->parked);
	LIST_INIT(&ch->carriers);
	ch->target = target;
	ch->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = ch->wake_fd < 0 ? -errno : sign_init();
	if (r == 0)
		r = set_up(ch, options);
	if (r == 0)
		r = start_thread(ch);
	if (r < 0) {
		free_channel(ch);
		return r;
	}
	*ret_channel = ch;
	return 0;
}

void channel_stop(struct channel *ch)
{
	pthread_mutex_lock(&ch->lock);
	ch->stopping = true;
	pthread_mutex_unlock(&ch->lock);
	wake(ch);
	pthread_join(ch->thread, NULL);
	channel_unref(ch);
}

struct channel *channel_ref(struct channel *ch)
{
	atomic_fetch_add(&ch->refs, 1);
	return ch;
}

void channel_unref(struct channel *ch)
{
	if (atomic_fetch_sub(&ch->refs, 1) == 1)
		free_channel(ch);
}

/* Under the lock. */
static void put_in_inbox(struct channel *ch, struct qm_call *call)
{
	if (call->in_inbox)
		return;
	call->in_inbox = true;
	atomic_fetch_add(&call->refs, 1);
	TAILQ_INSERT_TAIL(&ch->inbox, call, inbox_link);
}

int channel_submit(struct channel *ch, struct qm_call *call)
{
	int r = -ECANCELED;

	pthread_mutex_lock(&ch->lock);
	if (!ch->stopping) {
		put_in_inbox(ch, call);
		r = 0;
	}
	pthread_mutex_unlock(&ch->lock);
	if (r == 0)
		wake(ch);
	return r;
}

void channel_cancel(struct channel *ch, struct qm_call *call)
{
	pthread_mutex_lock(&ch->lock);
	call->cancel_asked = true;
	if (!ch->stopping)
		put_in_inbox(ch, call);
	pthread_mutex_unlock(&ch->lock);
	wake(ch);
}

void channel_read(struct channel *ch, struct qm_call *call)
{
	pthread_mutex_lock(&ch->lock);
	if (!ch->stopping)
		put_in_inbox(ch, call);
	pthread_mutex_unlock(&ch->lock);
	wake(ch);
}

int channel_set_pins(struct channel *ch, const uint8_t (*pins)[PIN_LEN], size_t n)
{
	int r;

	pthread_mutex_lock(&ch->lock);
	r = pin_set_fill(&ch->pins, pins, n);
	pthread_mutex_unlock(&ch->lock);
	return r;
}

bool channel_is_self(const struct channel *ch)
{
	return pthread_equal(pthread_self(), ch->thread);
}
