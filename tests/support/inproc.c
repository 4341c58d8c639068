/* SPDX-License-Identifier: Apache-2.0 */
/* One record per call, freed when both the test and the door have done with it. */
#include "tests/support/inproc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/unpack.h"
#include "server/rpc/call_queue.h"

struct waiting {
	struct waiting *next;
	struct frame *frame;
};

struct inproc_stream {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	atomic_uint refs;
	struct call *call;
	const uint8_t *in; /* during dispatch */
	size_t in_len;
	struct waiting *first, **end;
	size_t n, most;
	bool over;
	enum err err;
	enum grpc_code code;
	char words[200], time[40];
	uint64_t retry_ms;
};

static void unref(struct inproc_stream *st)
{
	if (atomic_fetch_sub(&st->refs, 1) != 1)
		return;
	for (struct waiting *w; (w = st->first);) {
		st->first = w->next;
		frame_unref(w->frame);
		free(w);
	}
	pthread_mutex_destroy(&st->lock);
	pthread_cond_destroy(&st->ended);
	free(st);
}

/* --- the door --- */

static int decode(struct call *call, ProtobufCMessage **ret_in)
{
	const struct inproc_stream *st = call->door_data;

	*ret_in = unpack_message(call->method->in, arena_pb(&call->arena), st->in, st->in_len);
	return *ret_in ? 0 : call_fail(call, ERR_MESSAGE_INVALID, "does not decode");
}

static int encode(struct call *call, const ProtobufCMessage *msg, struct frame **ret_frame)
{
	struct frame *frame = frame_new(protobuf_c_message_get_packed_size(msg));

	(void)call;
	if (!frame)
		return -ENOMEM;
	protobuf_c_message_pack(msg, frame->bytes + FRAME_HEAD_LEN);
	*ret_frame = frame;
	return 0;
}

static void message(struct call *call, struct frame *frame)
{
	struct inproc_stream *st = call->door_data;
	struct waiting *w = calloc(1, sizeof(*w));

	if (!w)
		abort();
	w->frame = frame;
	pthread_mutex_lock(&st->lock);
	*st->end = w;
	st->end = &w->next;
	st->n++;
	st->most = st->n > st->most ? st->n : st->most;
	pthread_mutex_unlock(&st->lock);
}

static void done(struct call *call)
{
	struct inproc_stream *st = call->door_data;
	const char *time = status_get(&call->status, "time");

	pthread_mutex_lock(&st->lock);
	st->over = true;
	st->err = call->status.err;
	st->code = call->status.code;
	st->retry_ms = call->status.retry_ms;
	snprintf(st->words, sizeof(st->words), "%s",
		 call->status.message ? call->status.message : "");
	snprintf(st->time, sizeof(st->time), "%s", time ? time : "");
	pthread_cond_signal(&st->ended);
	pthread_mutex_unlock(&st->lock);
	call_unref(call);
	unref(st);
}

static const struct call_door door = {
	.name = "inproc", .decode = decode, .encode = encode, .message = message, .done = done};

/* --- calls --- */

static int set_metadata(struct call *call, const struct inproc_who *who)
{
	struct live *l = live_of(call);
	struct header *h = call_alloc(call, sizeof(*h));

	if (!h)
		return -ENOMEM;
	l->metadata = h;
	if (who->bearer) {
		*h = (struct header){.name = "authorization",
				     .value = arena_strdup(&call->arena, who->bearer),
				     .value_len = strlen(who->bearer)};
		l->n_metadata = 1;
	}
	snprintf(call->caller.address, sizeof(call->caller.address), "%s", who->address);
	return 0;
}

int inproc_open(struct services *s, const char *path, const struct inproc_who *who,
		const struct inproc_request *in, struct inproc_stream **ret)
{
	handler_fn fn;
	void *owner;
	const struct method *method = service_find(s, path, strlen(path), &fn, &owner);
	struct inproc_stream *st = method ? calloc(1, sizeof(*st)) : NULL;

	if (!st)
		return -ENOMEM;
	pthread_mutex_init(&st->lock, NULL);
	pthread_cond_init(&st->ended, NULL);
	st->end = &st->first;
	st->in = in->p;
	st->in_len = in->len;
	st->refs = 2;
	st->call = call_new(s, method, NULL, &door, st, 0);
	if (!st->call || set_metadata(st->call, who))
		abort();
	call_ref(st->call);
	dispatch(s, st->call);
	*ret = st;
	return 0;
}

struct frame *inproc_take(struct inproc_stream *st)
{
	struct frame *frame = NULL;
	struct waiting *w;
	bool empty;

	pthread_mutex_lock(&st->lock);
	w = st->first;
	if (w) {
		st->first = w->next;
		st->n--;
	}
	if (!st->first)
		st->end = &st->first;
	empty = !st->first;
	pthread_mutex_unlock(&st->lock);
	if (w) {
		frame = w->frame;
		free(w);
		if (empty)
			call_drained(st->call);
	}
	return frame;
}

size_t inproc_waiting(struct inproc_stream *st)
{
	size_t n;

	pthread_mutex_lock(&st->lock);
	n = st->n;
	pthread_mutex_unlock(&st->lock);
	return n;
}

size_t inproc_most(struct inproc_stream *st)
{
	return st->most;
}

static void fill_status(const struct inproc_stream *st, struct status *ret)
{
	*ret = (struct status){0};
	if (st->code == GRPC_OK && !st->err)
		return;
	status_set(ret, st->err, "%s", st->words);
	if (*st->time)
		status_meta(ret, "time", "%s", st->time);
	if (st->retry_ms)
		status_retry(ret, st->retry_ms);
}

bool inproc_over(struct inproc_stream *st, struct status *ret_status)
{
	bool over;

	pthread_mutex_lock(&st->lock);
	over = st->over;
	if (over)
		fill_status(st, ret_status);
	pthread_mutex_unlock(&st->lock);
	return over;
}

static void wait_ended(struct inproc_stream *st)
{
	pthread_mutex_lock(&st->lock);
	while (!st->over)
		pthread_cond_wait(&st->ended, &st->lock);
	pthread_mutex_unlock(&st->lock);
}

void inproc_close(struct inproc_stream *st)
{
	struct status status;
	bool over = inproc_over(st, &status);

	if (over)
		status_done(&status);
	else
		dispatch_cancel(st->call, ERR_CANCELLED);
	wait_ended(st);
	call_unref(TAKE(st->call));
	unref(st);
}

int inproc_unary(struct services *s, const char *path, const struct inproc_who *who,
		 const struct inproc_request *in, struct inproc_reply *ret_reply)
{
	struct inproc_reply *reply = ret_reply;
	struct inproc_stream *st;
	struct frame *frame;
	int r = inproc_open(s, path, who, in, &st);

	if (r)
		return r;
	wait_ended(st);
	*reply = (struct inproc_reply){0};
	fill_status(st, &reply->status);
	frame = inproc_take(st);
	if (frame && reply->status.code == GRPC_OK) {
		reply->len = frame->len - FRAME_HEAD_LEN;
		reply->bytes = malloc(reply->len + 1);
		if (!reply->bytes)
			abort();
		memcpy(reply->bytes, frame->bytes + FRAME_HEAD_LEN, reply->len);
	}
	frame_unref(frame);
	inproc_close(st);
	return 0;
}
