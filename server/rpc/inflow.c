/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One message at a time: it lives in an arena of its own that is wiped before
 * the next. A caller who does not take what he is sent is not read from.
 */
#include "server/rpc/inflow.h"

#include "base/limits.h"
#include "base/unpack.h"
#include "server/rpc/bounds.h"

#define QUEUE_MAX 64 /* answers that may wait while there is still read */

struct inflow {
	struct call_receiver receiver;
	void *arg;
	struct arena arena; /* of the message at hand */
	bool held;          /* by the handler; under the call's lock */
	bool choked;        /* answers wait for the caller; the loop's */
};

int call_receive(struct call *call, const struct call_receiver *receiver, void *arg)
{
	struct inflow *f = arena_new(&call->arena, struct inflow);
	struct live *l = live_of(call);

	if (!f)
		return err_origin(-ENOMEM);
	f->receiver = *receiver;
	f->arg = arg;
	arena_init(&f->arena, LIMIT_CALL_ARENA + 4 * (size_t)call->method->policy.body_limit);
	pthread_mutex_lock(&l->lock);
	l->inflow = f;
	l->receive_asked = true;
	pthread_mutex_unlock(&l->lock);
	call_queue_wake(l);
	return 0;
}

void call_hold(struct call *call, bool on)
{
	struct live *l = live_of(call);

	pthread_mutex_lock(&l->lock);
	if (l->inflow)
		l->inflow->held = on;
	l->receive_asked = l->inflow && !on;
	pthread_mutex_unlock(&l->lock);
	if (!on)
		call_queue_wake(l);
}

bool inflow_ready(struct call *call)
{
	struct live *l = live_of(call);
	bool ready;

	pthread_mutex_lock(&l->lock);
	ready = l->inflow && !l->running && !l->finished && !l->inflow->held && !l->inflow->choked;
	pthread_mutex_unlock(&l->lock);
	return ready;
}

static bool is_choked(struct call *call)
{
	return call_queued(call) > QUEUE_MAX ||
	       (call->exchange && exchange_queued(call->exchange) > LIMIT_STREAM_WINDOW);
}

static int take(struct call *call, struct inflow *f, const void *p, size_t len)
{
	struct bounds_error e;
	ProtobufCMessage *msg;

	msg = unpack_message(call->method->in, arena_pb(&f->arena), p, len);
	if (!msg)
		return call_fail(call, ERR_MESSAGE_INVALID,
				 "A message does not decode as the method's message.");
	if (bounds_check(msg, &e))
		return call_field(call, e.path, "%s", e.rule);
	return f->receiver.message(call, msg, f->arg);
}

void inflow_message(struct call *call, const void *p, size_t len)
{
	struct inflow *f = live_of(call)->inflow;
	int r = take(call, f, p, len);
	size_t budget = f->arena.budget;

	arena_rest(&f->arena);
	arena_reuse(&f->arena, budget);
	if (r)
		call_finish(call, r);
	else
		f->choked = is_choked(call);
}

void inflow_end(struct call *call)
{
	struct inflow *f = live_of(call)->inflow;
	int r = f->receiver.half_closed(call, f->arg);

	if (r != CALL_PARKED)
		call_finish(call, r);
}

void inflow_drained(struct live *l)
{
	if (!l->inflow || !l->inflow->choked)
		return;
	l->inflow->choked = false;
	l->call.door->receive(&l->call);
}

void inflow_done(struct live *l)
{
	if (l->inflow)
		arena_done(&l->inflow->arena);
}
