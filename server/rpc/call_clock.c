/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What time does to a call: its deadline, the handler's own timer, the end of
 * the session that a stream was opened with. Timers belong to the call's loop;
 * what other threads ask for waits under the call's lock until the loop looks.
 */
#include "server/rpc/call_queue.h"

#include "base/clock.h"

/* Sessions are told in wall time, which may jump: it is looked at this often. */
#define SESSION_LOOK_MS 10000

static void on_deadline(struct timer *t)
{
	struct live *l = CONTAINER_OF(t, struct live, deadline);

	if (l->server)
		l->server->count.deadlines++;
	call_queue_cut(l, ERR_DEADLINE_EXCEEDED);
}

void call_clock_start(struct live *l)
{
	l->deadline.fn = on_deadline;
	if (l->call.deadline_ms &&
	    timer_set(&l->loop->timers, &l->deadline, l->call.deadline_ms) < 0)
		call_queue_cut(l, ERR_INTERNAL);
}

void call_clock_stop(struct live *l)
{
	timer_clear(&l->loop->timers, &l->deadline);
	timer_clear(&l->loop->timers, &l->after);
	timer_clear(&l->loop->timers, &l->session);
}

static void on_after(struct timer *t)
{
	struct live *l = CONTAINER_OF(t, struct live, after);
	struct call *call = call_ref(&l->call);

	if (!call_is_over(call))
		l->after_fn(call, l->after_arg);
	call_unref(call);
}

void call_after(struct call *call, uint64_t ms, void (*fn)(struct call *call, void *arg), void *arg)
{
	struct live *l = live_of(call);

	pthread_mutex_lock(&l->lock);
	l->after_fn = fn;
	l->after_arg = arg;
	l->after_ms = clock_boot_ms() + ms;
	l->after_asked = true;
	pthread_mutex_unlock(&l->lock);
	call_queue_wake(l);
}

/* --- the session --- */

static int look_again(struct live *l, int64_t left_ms)
{
	uint64_t ms = left_ms < SESSION_LOOK_MS ? (uint64_t)left_ms : SESSION_LOOK_MS;

	return timer_set(&l->loop->timers, &l->session, clock_boot_ms() + ms);
}

static void on_session(struct timer *t)
{
	struct live *l = CONTAINER_OF(t, struct live, session);
	int64_t left = l->call.caller.expires_at_ms - clock_wall_ms();
	struct call *call = call_ref(&l->call);

	if (left <= 0)
		call_finish(call, call_fail(call, ERR_TOKEN_INVALID,
					    "The session has ended. Sign in again."));
	else if (look_again(l, left) < 0)
		call_finish(call, -ENOMEM);
	call_unref(call);
}

void call_clock_session(struct live *l)
{
	const struct caller *who = &l->call.caller;

	if (l->call.method->kind == METHOD_UNARY || who->audience != AUDIENCE_USER ||
	    who->expires_at_ms == 0)
		return;
	pthread_mutex_lock(&l->lock);
	l->session_asked = true;
	pthread_mutex_unlock(&l->lock);
}

void call_clock_arm(struct live *l)
{
	bool live = !l->finished && l->loop;

	if (live && l->after_asked && timer_set(&l->loop->timers, &l->after, l->after_ms) == 0)
		l->after.fn = on_after;
	if (live && l->session_asked && look_again(l, 0) == 0)
		l->session.fn = on_session;
	l->after_asked = l->session_asked = false;
}
