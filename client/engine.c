/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The I/O thread's work; see engine.h. A call is in exactly one place: pending
 * (for a connection with room), waiting (for its time), open (on a carrier),
 * parked (over, but its reader has paused).
 */
#include "client/engine.h"

#include <errno.h>
#include <string.h>

#include "base/key.h"
#include "client/retry.h"

#define FIRST_BACKOFF_MS 100
#define LAST_BACKOFF_MS 2000

void engine_init(struct engine *e, const struct engine_options *options)
{
	*e = (struct engine){.o = *options, .keepalive_ms = options->keepalive_ms};
	TAILQ_INIT(&e->pending);
	TAILQ_INIT(&e->waiting);
	TAILQ_INIT(&e->parked);
	LIST_INIT(&e->carriers);
}

/* The I/O thread lets go of a call. */
static void finish(struct engine *e, struct qm_call *call)
{
	e->n_secret -= call->secret;
	qcall_finish(call);
	qcall_unref(call);
}

static void push(struct qcall_list *list, struct qm_call *call, enum qcall_place place)
{
	call->place = place;
	TAILQ_INSERT_TAIL(list, call, link);
}

/* Takes a call off whatever has it. */
static void pull(struct engine *e, struct qm_call *call)
{
	switch (call->place) {
	case QCALL_PENDING:
		TAILQ_REMOVE(&e->pending, call, link);
		break;
	case QCALL_WAITING:
		TAILQ_REMOVE(&e->waiting, call, link);
		break;
	case QCALL_PARKED:
		TAILQ_REMOVE(&e->parked, call, link);
		break;
	case QCALL_OPEN:
		carrier_drop(call->carrier, call);
		break;
	default:
		break;
	}
}

/* Once more after a pause, unless tries or time are used up. */
static bool try_again(struct engine *e, struct qm_call *call)
{
	if (!retry_later(call, e->now, &call->retry_at))
		return false;
	push(&e->waiting, call, QCALL_WAITING);
	return true;
}

static void fail_unreachable(struct engine *e, struct qm_call *call, const char *why)
{
	if (try_again(e, call))
		return;
	status_set(&call->status, ERR_CP_UNREACHABLE, "cannot reach %s: %s", e->o.target->text,
		   why);
	status_meta(&call->status, "target", "%s", e->o.target->text);
	finish(e, call);
}

static void fail_lost(struct engine *e, struct qm_call *call, const char *why)
{
	if (try_again(e, call))
		return;
	if (call->idempotent || call->committed)
		status_set(&call->status, ERR_CP_UNREACHABLE, "the connection to %s was lost: %s",
			   e->o.target->text, why);
	else
		status_set(&call->status, ERR_OUTCOME_UNKNOWN,
			   "the connection to %s was lost before its answer (%s); whether it was "
			   "carried out is not known",
			   e->o.target->text, why);
	status_meta(&call->status, "target", "%s", e->o.target->text);
	finish(e, call);
}

static void on_ended(void *arg, struct qm_call *call, enum qcall_end end)
{
	struct engine *e = arg;

	switch (end) {
	case QCALL_FINAL:
		if (call->status.code == GRPC_UNAVAILABLE && try_again(e, call))
			return;
		if (qcall_has_waiting(call)) {
			push(&e->parked, call, QCALL_PARKED);
			return;
		}
		finish(e, call);
		return;
	case QCALL_REFUSED:
	case QCALL_UNTOUCHED:
		if (retry_now(call, end))
			push(&e->pending, call, QCALL_PENDING);
		else
			fail_unreachable(e, call, e->why[0] ? e->why : "it takes no calls now");
		return;
	case QCALL_LOST:
		fail_lost(e, call, e->why);
		return;
	}
}

void engine_attend(struct engine *e, struct qm_call *call, bool cancel)
{
	if (call->place == QCALL_NEW) {
		atomic_fetch_add(&call->refs, 1);
		e->n_secret += call->secret;
		e->secret |= call->secret;
		if (call->retry_at > e->now)
			push(&e->waiting, call, QCALL_WAITING);
		else
			push(&e->pending, call, QCALL_PENDING);
	}
	if (call->place == QCALL_ENDED)
		return;
	if (cancel) {
		pull(e, call);
		status_set(&call->status, ERR_CANCELLED, "the call was cancelled");
		finish(e, call);
	} else if (call->place == QCALL_OPEN) {
		carrier_resume(call->carrier, call);
	} else if (call->place == QCALL_PARKED) {
		if (qcall_deliver_rest(call))
			return;
		TAILQ_REMOVE(&e->parked, call, link);
		finish(e, call);
	}
}

static void expire(struct engine *e, struct qcall_list *list)
{
	struct qm_call *call, *next;

	for (call = TAILQ_FIRST(list); call; call = next) {
		next = TAILQ_NEXT(call, link);
		if (!call->deadline || e->now < call->deadline)
			continue;
		pull(e, call);
		status_set(&call->status, ERR_DEADLINE_EXCEEDED,
			   "%s did not answer within the deadline", e->o.target->text);
		finish(e, call);
	}
}

/* Ends what is over its deadline, goes on with what has paused long enough. */
static void look_at_clocks(struct engine *e)
{
	struct qm_call *call, *next;
	struct carrier *c;

	expire(e, &e->pending);
	expire(e, &e->waiting);
	expire(e, &e->parked);
	LIST_FOREACH(c, &e->carriers, link)
	expire(e, &c->calls);
	for (call = TAILQ_FIRST(&e->waiting); call; call = next) {
		next = TAILQ_NEXT(call, link);
		if (e->now < call->retry_at)
			continue;
		TAILQ_REMOVE(&e->waiting, call, link);
		push(&e->pending, call, QCALL_PENDING);
	}
}

static size_t n_carriers(const struct engine *e)
{
	const struct carrier *c;
	size_t n = 0;

	LIST_FOREACH(c, &e->carriers, link)
	n++;
	return n;
}

static void dial_now(struct engine *e)
{
	struct carrier_options o = {
		.dial = {.target = e->o.target,
			 .tls = e->o.tls,
			 .server_name = e->o.server_name,
			 .pins = e->pins,
			 .connect_ms = e->o.connect_ms,
			 .wake_fd = e->o.wake_fd},
		.authority = e->o.authority,
		.user_agent = e->o.user_agent,
		.keepalive_ms = e->keepalive_ms,
		.ended = on_ended,
		.arg = e,
	};

	if (carrier_new(&o, e->now, &e->current) == 0)
		LIST_INSERT_HEAD(&e->carriers, e->current, link);
	else
		e->redial_at = e->now + FIRST_BACKOFF_MS;
}

/* The connection did not come about: every call that waited for it hears so. */
static void connect_failed(struct engine *e)
{
	struct qcall_list waiting = TAILQ_HEAD_INITIALIZER(waiting);
	struct qm_call *call;

	e->backoff_ms = e->backoff_ms ? e->backoff_ms * 2 : FIRST_BACKOFF_MS;
	if (e->backoff_ms > LAST_BACKOFF_MS)
		e->backoff_ms = LAST_BACKOFF_MS;
	e->redial_at = e->now + retry_jitter(e->backoff_ms);
	TAILQ_CONCAT(&waiting, &e->pending, link);
	while ((call = TAILQ_FIRST(&waiting))) {
		TAILQ_REMOVE(&waiting, call, link);
		fail_unreachable(e, call, e->why);
	}
}

static void bury(struct engine *e, struct carrier *c)
{
	snprintf(e->why, sizeof(e->why), "%s", c->why);
	if (e->current == c)
		e->current = NULL;
	LIST_REMOVE(c, link);
	carrier_abandon(c);
	if (!c->proven)
		connect_failed(e);
	carrier_free(c);
}

/*
 * The server wants fewer pings: half as many from now on, as long as the client lives (gRFC A8).
 * Connections on which calls still come to their end heed it too.
 */
static void heed_complaint(struct engine *e, struct carrier *c)
{
	struct carrier *other;

	if (!c->calm)
		return;
	c->calm = false;
	if (e->keepalive_ms < UINT32_MAX / 2)
		e->keepalive_ms *= 2;
	LIST_FOREACH(other, &e->carriers, link)
	other->keepalive_ms = e->keepalive_ms;
}

static void step_carriers(struct engine *e)
{
	struct carrier *c, *next;

	for (c = LIST_FIRST(&e->carriers); c; c = next) {
		int r = carrier_step(c, e->now);

		next = LIST_NEXT(c, link);
		if (c->proven && c == e->current)
			e->backoff_ms = 0;
		if (c->draining && c == e->current)
			e->current = NULL;
		heed_complaint(e, c);
		if (r < 0 || (c->draining && c->n_calls == 0))
			bury(e, c);
	}
}

/* The server is known to be away for now: who may not try again is told at once. */
static void refuse_pending(struct engine *e)
{
	struct qm_call *call, *next;

	for (call = TAILQ_FIRST(&e->pending); call; call = next) {
		next = TAILQ_NEXT(call, link);
		if (call->idempotent)
			continue;
		TAILQ_REMOVE(&e->pending, call, link);
		fail_unreachable(e, call, e->why);
	}
}

/* As the clock is now: this turn may have begun before the call was made. 0: no deadline. */
static uint64_t time_left(const struct qm_call *call)
{
	uint64_t now = qcall_now_ms();

	if (!call->deadline)
		return 0;
	return call->deadline > now ? call->deadline - now : 1;
}

static void place_pending(struct engine *e)
{
	struct qm_call *call;

	if (!TAILQ_EMPTY(&e->pending) && !e->current) {
		if (e->now < e->redial_at)
			refuse_pending(e);
		/* Drained connections that never end may not pile up. */
		else if (n_carriers(e) < ENGINE_MAX_CARRIERS)
			dial_now(e);
	}
	while (e->current && (call = TAILQ_FIRST(&e->pending)) && carrier_room(e->current)) {
		TAILQ_REMOVE(&e->pending, call, link);
		qcall_reset(call, e->o.max_message);
		if (carrier_start(e->current, call, time_left(call), e->now) < 0)
			fail_unreachable(e, call, "out of memory");
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

uint64_t engine_due(const struct engine *e)
{
	const struct carrier *c;
	uint64_t due = UINT64_MAX;

	due = first_deadline(&e->pending, due);
	due = first_deadline(&e->waiting, due);
	due = first_deadline(&e->parked, due);
	LIST_FOREACH(c, &e->carriers, link)
	due = earlier(first_deadline(&c->calls, due), carrier_due(c));
	if (TAILQ_EMPTY(&e->pending))
		return due;
	if (!e->current && n_carriers(e) < ENGINE_MAX_CARRIERS)
		return earlier(due, e->redial_at);
	if (e->current && carrier_room(e->current))
		return e->now;
	return due;
}

nfds_t engine_poll(const struct engine *e, struct pollfd *ret_fds)
{
	const struct carrier *c;
	nfds_t n = 0;

	LIST_FOREACH(c, &e->carriers, link)
	n += carrier_poll(c, ret_fds + n);
	return n;
}

void engine_round(struct engine *e)
{
	step_carriers(e);
	look_at_clocks(e);
	place_pending(e);
	/* Writes what was placed. */
	step_carriers(e);
	if (e->secret)
		key_wipe_stack();
	e->secret = e->n_secret > 0;
}

void engine_end(struct engine *e)
{
	struct qcall_list *lists[] = {&e->pending, &e->waiting, &e->parked};
	struct qm_call *call;
	struct carrier *c;

	for (;;) {
		call = NULL;
		for (size_t i = 0; i < ARRAY_LEN(lists) && !call; i++)
			call = TAILQ_FIRST(lists[i]);
		LIST_FOREACH(c, &e->carriers, link)
		{
			if (!call)
				call = TAILQ_FIRST(&c->calls);
		}
		if (!call)
			break;
		pull(e, call);
		status_set(&call->status, ERR_CANCELLED, "the client was closed");
		finish(e, call);
	}
	while ((c = LIST_FIRST(&e->carriers))) {
		LIST_REMOVE(c, link);
		/* Lets the resets out, as far as they go without waiting. */
		if (carrier_step(c, e->now) < 0)
			e->why[0] = '\0';
		carrier_free(c);
	}
}
