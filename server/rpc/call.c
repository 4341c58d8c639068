/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call's hand-over. Any thread may send and finish; frames and the result
 * wait under the lock until the loop delivers them to the door. The door is
 * told the end once, never while a thread is still inside the handler.
 */
#include "server/rpc/call_queue.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/limits.h"
#include "base/unpack.h"
#include "gen/rpc/rules.h"
#include "server/rpc/inflow.h"

int call_fail(struct call *call, enum err e, const char *fmt, ...)
{
	struct live *l = live_of(call);
	va_list ap;

	va_start(ap, fmt);
	pthread_mutex_lock(&l->lock);
	if (!l->finished)
		status_vset(&call->status, e, fmt, ap);
	pthread_mutex_unlock(&l->lock);
	va_end(ap);
	return (int)e;
}

int call_field(struct call *call, const char *field, const char *fmt, ...)
{
	struct live *l = live_of(call);
	char words[STATUS_WORDS_MAX + 4]; /* enough to see that they must be cut */
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(words, sizeof(words), fmt, ap);
	va_end(ap);
	pthread_mutex_lock(&l->lock);
	if (!l->finished) {
		if (call->status.err != ERR_FIELD_INVALID)
			status_set(&call->status, ERR_FIELD_INVALID, "%s: %s", field, words);
		status_field(&call->status, field, "%s", words);
	}
	pthread_mutex_unlock(&l->lock);
	return ERR_FIELD_INVALID;
}

int call_fail_status(struct call *call, const struct status *status)
{
	struct live *l = live_of(call);
	struct status copy = {0};
	int r = status_copy(status, &copy);

	if (r)
		return r;
	pthread_mutex_lock(&l->lock);
	if (!l->finished) {
		status_done(&call->status);
		call->status = copy;
		copy = (struct status){0};
	}
	pthread_mutex_unlock(&l->lock);
	status_done(&copy);
	return status->err ? (int)status->err : ERR_INTERNAL;
}

int call_request_bytes(struct call *call, const uint8_t **ret_p, size_t *ret_len)
{
	size_t len = protobuf_c_message_get_packed_size(call->in);
	uint8_t *p = arena_alloc(&call->arena, len + 1);

	if (!p)
		return err_origin(-ENOMEM);
	*ret_len = protobuf_c_message_pack(call->in, p);
	*ret_p = p;
	return 0;
}

uint64_t call_remaining_ms(const struct call *call)
{
	uint64_t now = clock_boot_ms();

	if (call->deadline_ms == 0)
		return UINT64_MAX;
	return call->deadline_ms > now ? call->deadline_ms - now : 0;
}

struct call *call_ref(struct call *call)
{
	live_of(call)->refs++;
	return call;
}

/* A call is larger than what malloc keeps per thread: a loop keeps a few itself. */
#define SPARE_MAX 256

struct live *call_queue_alloc(struct loop *loop)
{
	struct live *l = loop ? loop->spare_calls : NULL;

	struct arena kept = {0};

	if (l) {
		loop->spare_calls = l->next;
		loop->n_spare_calls--;
		kept = l->call.arena;
	} else {
		l = malloc(sizeof(*l));
		if (!l)
			return NULL;
	}
	memset(l, 0, sizeof(*l));
	l->call.arena = kept;
	return l;
}

static void give_back(struct live *l)
{
	struct loop *loop = l->loop;

	if (!loop || !loop_is_mine(loop) || loop->n_spare_calls == SPARE_MAX) {
		arena_done(&l->call.arena);
		free(l);
		return;
	}
	arena_rest(&l->call.arena);
	l->next = loop->spare_calls;
	loop->spare_calls = l;
	loop->n_spare_calls++;
}

void call_queue_free_spare(struct loop *loop)
{
	while (loop->spare_calls) {
		struct live *l = loop->spare_calls;

		loop->spare_calls = l->next;
		arena_done(&l->call.arena);
		free(l);
	}
	loop->n_spare_calls = 0;
}

static void frames_drop(struct queued_frame *f)
{
	while (f) {
		struct queued_frame *next = f->next;

		frame_unref(f->frame);
		free(f);
		f = next;
	}
}

void call_unref(struct call *call)
{
	if (!call || --live_of(call)->refs > 0)
		return;
	struct live *l = live_of(call);

	frames_drop(l->head);
	inflow_done(l);
	status_done(&call->status);
	pthread_mutex_destroy(&l->lock);
	give_back(l);
}

/* --- the end --- */

static void tell_on_end(struct live *l)
{
	size_t n;

	pthread_mutex_lock(&l->lock);
	n = l->on_end_told ? 0 : l->n_on_end;
	l->on_end_told = true;
	pthread_mutex_unlock(&l->lock);
	for (size_t i = 0; i < n; i++)
		l->on_end[i].fn(&l->call, l->on_end[i].arg);
}

static void unlist(struct live *l)
{
	if (!l->listed)
		return;
	l->listed = false;
	call_clock_stop(l);
	if (l->prev)
		l->prev->next = l->next;
	else
		l->loop->calls = l->next ? &l->next->call : NULL;
	if (l->next)
		l->next->prev = l->prev;
}

/* The words for a result nobody described. */
static void settle_status(struct live *l, int r)
{
	struct status *st = &l->call.status;

	if (r == 0)
		status_done(st);
	else if (r < 0)
		status_set(st, ERR_INTERNAL,
			   "Something broke here. Tell the operator request id %s.",
			   l->call.request_id);
	else if (r >= ERR_MAX_)
		status_set(st, ERR_INTERNAL, "Request id %s.", l->call.request_id);
	else if (st->err == ERR_NONE && st->code != GRPC_OK)
		return; /* told by somebody else, with his own details */
	else if (st->err != (enum err)r && st->code == GRPC_OK)
		status_set(st, (enum err)r, "%s", err_reason((enum err)r));
	else if (st->err != (enum err)r)
		status_set(st, (enum err)r, "%s", st->message ? st->message : "");
}

static void end(struct live *l)
{
	struct call *call = call_ref(&l->call);

	if (l->loop)
		unlist(l);
	if (l->server)
		l->server->count.open_calls--;
	if (!l->on_end_told)
		tell_on_end(l);
	settle_status(l, l->result);
	if (call->status.code != GRPC_OK && status_fit(&call->status) < 0)
		log_warn("rpc", "out of memory: a refusal may be told in part");
	call->door->done(call);
	call_unref(call);
}

/* What waits under the lock goes to the door. On the loop. */
static void deliver(struct live *l)
{
	struct call *call = call_ref(&l->call);

	pthread_mutex_lock(&l->lock);
	if (l->delivering) {
		pthread_mutex_unlock(&l->lock);
		call_unref(call);
		return;
	}
	l->delivering = true;
	call_queue_secret(l);
	while (l->head && !l->ended) {
		struct queued_frame *f = l->head;
		bool drop = l->cancelled;

		l->head = f->next;
		if (!l->head)
			l->tail = &l->head;
		l->n_queued--;
		l->n_engine++;
		pthread_mutex_unlock(&l->lock);
		if (drop)
			frame_unref(f->frame);
		else
			call->door->message(call, f->frame);
		free(f);
		pthread_mutex_lock(&l->lock);
	}
	call_clock_arm(l);
	bool over = l->finished && !l->running && !l->ended;
	bool waits = !l->running && !l->finished;
	bool receive = l->receive_asked && waits;
	bool accepted = l->accept_asked && waits;

	l->ended |= over;
	if (over && l->n_on_end == 0)
		l->on_end_told = true;
	l->receive_asked &= !receive;
	l->accept_asked &= !accepted;
	l->delivering = false;
	pthread_mutex_unlock(&l->lock);
	if (over)
		end(l);
	else if (receive && call->door->receive)
		call->door->receive(call);
	else if (accepted && call->door->accepted)
		call->door->accepted(call);
	call_unref(call);
}

static void on_note(struct loop_note *note)
{
	struct live *l = CONTAINER_OF(note, struct live, note);

	pthread_mutex_lock(&l->lock);
	l->posted = false;
	pthread_mutex_unlock(&l->lock);
	deliver(l);
	call_unref(&l->call);
}

void call_queue_wake(struct live *l)
{
	if (!l->loop || loop_is_mine(l->loop)) {
		deliver(l);
		return;
	}
	pthread_mutex_lock(&l->lock);
	if (!l->posted && !l->ended) {
		l->posted = true;
		l->note.fn = on_note;
		call_ref(&l->call);
		loop_post(l->loop, &l->note);
	}
	pthread_mutex_unlock(&l->lock);
}

/* --- sending --- */

/* Takes the reference. */
static int queue(struct live *l, struct frame *frame)
{
	struct queued_frame *f = malloc(sizeof(*f));
	bool over;

	if (!f) {
		frame_unref(frame);
		return err_origin(-ENOMEM);
	}
	*f = (struct queued_frame){.frame = frame};
	pthread_mutex_lock(&l->lock);
	over = l->finished;
	if (!over) {
		*l->tail = f;
		l->tail = &f->next;
		l->n_queued++;
	}
	pthread_mutex_unlock(&l->lock);
	if (!over)
		return 0;
	frames_drop(f);
	return ERR_CANCELLED;
}

int call_send(struct call *call, const ProtobufCMessage *msg)
{
	struct live *l = live_of(call);
	struct frame *frame;
	int r;

	if (call_is_over(call))
		return ERR_CANCELLED;
	r = call->door->encode(call, msg, &frame);
	if (r) {
		/* A stream that lacks a message must not look as if it were whole. */
		call_finish(call, r);
		return err_trace(r);
	}
	r = queue(l, frame);
	if (r)
		return r;
	call_queue_wake(l);
	return 0;
}

int call_send_frame(struct call *call, struct frame *frame)
{
	struct live *l = live_of(call);
	ProtobufCMessage *msg;
	int r;

	if (call->shares_frames) {
		r = queue(l, frame_ref(frame));
		if (r == 0)
			call_queue_wake(l);
		return r;
	}
	msg = unpack_message(call->method->out, NULL, frame->bytes + FRAME_HEAD_LEN,
			     frame->len - FRAME_HEAD_LEN);
	if (!msg)
		return err_origin(-EBADMSG);
	r = call_send(call, msg);
	protobuf_c_message_free_unpacked(msg, NULL);
	return r;
}

size_t call_queued(struct call *call)
{
	struct live *l = live_of(call);
	size_t n;

	pthread_mutex_lock(&l->lock);
	n = l->n_queued + l->n_engine;
	pthread_mutex_unlock(&l->lock);
	return n;
}

void call_drained(struct call *call)
{
	struct live *l = live_of(call);

	pthread_mutex_lock(&l->lock);
	l->n_engine = 0;
	pthread_mutex_unlock(&l->lock);
	inflow_drained(l);
}

/* The result of whoever came first; frame may be NULL and is taken. */
static void finish(struct live *l, struct frame *frame, int r)
{
	struct queued_frame *f = frame ? malloc(sizeof(*f)) : NULL;
	bool running;

	if (f)
		*f = (struct queued_frame){.frame = frame};
	else
		frame_unref(frame);
	pthread_mutex_lock(&l->lock);
	if (!l->finished) {
		l->finished = true;
		l->result = frame && !f ? -ENOMEM : r;
		if (f) {
			*l->tail = f;
			l->tail = &f->next;
			l->n_queued++;
			f = NULL;
		}
	}
	running = l->running;
	pthread_mutex_unlock(&l->lock);
	frames_drop(f);
	if (!running) /* else the end of the handler hands it over */
		call_queue_wake(l);
}

/* Once per call, even when nobody waits for the answer any more: what was done was done. */
static void tell_finished(struct call *call, int r)
{
	const struct service_hooks *hooks = service_hooks(live_of(call)->services);
	struct live *l = live_of(call);
	bool first;

	if (!hooks->finished || !call->method->policy.audit)
		return;
	pthread_mutex_lock(&l->lock);
	first = !l->audited;
	l->audited = true;
	pthread_mutex_unlock(&l->lock);
	if (first)
		hooks->finished(call, r, hooks->owner);
}

void call_finish(struct call *call, int r)
{
	struct frame *frame = NULL;

	tell_finished(call, r);
	if (r == 0 && method_answers_once(call->method) && !call_is_over(call))
		r = call->door->encode(call, call->out, &frame);
	finish(live_of(call), frame, r);
}

void call_finish_bytes(struct call *call, const void *p, size_t len)
{
	const struct message_rules *rules = rules_find(call->method->out);
	struct frame *frame;

	if (!call->shares_frames) {
		call->out = unpack_message(call->method->out, arena_pb(&call->arena), p, len);
		call_finish(call, call->out ? 0 : -EBADMSG);
		return;
	}
	frame = frame_new(len);
	if (!frame) {
		call_finish(call, -ENOMEM);
		return;
	}
	frame->secret = rules && rules->has_secret;
	if (len)
		memcpy(frame->bytes + FRAME_HEAD_LEN, p, len);
	tell_finished(call, 0);
	finish(live_of(call), frame, 0);
}

void call_on_end(struct call *call, void (*fn)(struct call *call, void *arg), void *arg)
{
	struct live *l = live_of(call);
	bool late;

	pthread_mutex_lock(&l->lock);
	late = l->on_end_told || l->n_on_end == CALL_MAX_ON_END;
	if (!late) {
		l->on_end[l->n_on_end].fn = fn;
		l->on_end[l->n_on_end++].arg = arg;
	}
	pthread_mutex_unlock(&l->lock);
	if (late)
		fn(call, arg);
}

bool call_is_over(struct call *call)
{
	struct live *l = live_of(call);
	bool over;

	pthread_mutex_lock(&l->lock);
	over = l->finished;
	pthread_mutex_unlock(&l->lock);
	return over;
}

/* --- for dispatch and drain --- */

void call_queue_ran(struct live *l, bool parked)
{
	pthread_mutex_lock(&l->lock);
	l->running = false;
	l->accept_asked = parked && l->call.method->kind == METHOD_SERVER_STREAM;
	pthread_mutex_unlock(&l->lock);
	call_queue_wake(l);
}

void call_queue_cut(struct live *l, enum err why)
{
	struct call *call = call_ref(&l->call);

	pthread_mutex_lock(&l->lock);
	if (!l->finished) {
		l->finished = true;
		l->result = (int)why;
		l->cancelled = why == ERR_CANCELLED;
	}
	pthread_mutex_unlock(&l->lock);
	tell_on_end(l);
	deliver(l);
	call_unref(call);
}

void call_queue_add(struct live *l)
{
	struct loop *loop = l->loop;

	if (!loop)
		return;
	l->next = loop->calls ? live_of(loop->calls) : NULL;
	if (l->next)
		l->next->prev = l;
	loop->calls = &l->call;
	l->listed = true;
	call_clock_start(l);
}

void call_queue_end(struct loop *loop, bool streams_only, const struct conn *only)
{
	struct live *l = loop->calls ? live_of(loop->calls) : NULL;

	while (l) {
		struct live *next = l->next;

		if (next)
			call_ref(&next->call);
		if ((!streams_only || l->call.method->kind != METHOD_UNARY) &&
		    (!only || (l->call.exchange && l->call.exchange->conn == only)))
			call_queue_cut(l, ERR_DRAINING);
		/* The next one may have ended with this one: then its own next says nothing. */
		bool lost = next && !next->listed;

		if (next)
			call_unref(&next->call);
		if (lost)
			next = loop->calls ? live_of(loop->calls) : NULL;
		l = next;
	}
}
