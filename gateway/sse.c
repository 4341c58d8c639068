/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream joins the table of its session when the guards have let it pass, on
 * whatever thread decodes, and leaves it when it is done, on its loop; the
 * table's lock decides who was first.
 */
#include "gateway/sse.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/json_field.h"
#include "gateway/answer.h"
#include "gateway/rest.h"
#include "server/rpc/timer.h"

/* Of a stream that was accepted: by then the head goes out, even if there is nothing to tell. */
#define FIRST_BEAT_MS 500
#define BEAT_MS 15000
#define EVENT_MAX_LEN (1u << 20)
#define LAST_EVENT_MAX 20
/* How soon a browser comes back. */
#define RETRY_LINE "retry: 2000\n\n"

/* In the call's arena. */
struct sse {
	struct rest *rest;
	struct timer beat;
	bool head_sent;
	char last_event[LAST_EVENT_MAX + 1]; /* digits, or "" */
	/* Under the table's lock. */
	bool listed, over;
	struct sse *prev, *next;
	struct uuid session;
};

/* Oldest first. */
struct sse_table {
	pthread_mutex_t lock;
	struct sse *head, *tail;
};

/* --- the table --- */

int sse_table_new(struct sse_table **ret)
{
	struct sse_table *t = calloc(1, sizeof(*t));

	if (!t)
		return err_origin(-ENOMEM);
	pthread_mutex_init(&t->lock, NULL);
	*ret = t;
	return 0;
}

void sse_table_free(struct sse_table *t)
{
	if (!t)
		return;
	pthread_mutex_destroy(&t->lock);
	free(t);
}

static void unlist(struct sse_table *t, struct sse *s)
{
	if (!s->listed)
		return;
	s->listed = false;
	if (s->prev)
		s->prev->next = s->next;
	else
		t->head = s->next;
	if (s->next)
		s->next->prev = s->prev;
	else
		t->tail = s->prev;
}

static void list(struct sse_table *t, struct sse *s)
{
	s->listed = true;
	s->next = NULL;
	s->prev = t->tail;
	if (t->tail)
		t->tail->next = s;
	else
		t->head = s;
	t->tail = s;
}

/* The oldest of the session when it has too many, with a reference; else NULL. */
static struct call *surplus(struct sse_table *t, const struct uuid *session)
{
	struct sse *oldest = NULL;
	size_t n = 0;

	for (struct sse *s = t->head; s; s = s->next) {
		if (!uuid_equal(&s->session, session))
			continue;
		oldest = oldest ? oldest : s;
		n++;
	}
	if (n <= SSE_MAX_PER_SESSION)
		return NULL;
	unlist(t, oldest);
	return call_ref(oldest->rest->call);
}

/* A token without a session counts by its user; an operator does not count. */
static void join(struct sse_table *t, struct sse *s, const struct caller *caller)
{
	struct call *old = NULL;

	s->session = uuid_is_nil(&caller->session_id) ? caller->user_id : caller->session_id;
	if (uuid_is_nil(&s->session))
		return;
	pthread_mutex_lock(&t->lock);
	if (!s->over) {
		list(t, s);
		old = surplus(t, &s->session);
	}
	pthread_mutex_unlock(&t->lock);
	if (old) {
		call_finish(old, 0);
		call_unref(old);
	}
}

static void leave(struct sse_table *t, struct sse *s)
{
	pthread_mutex_lock(&t->lock);
	s->over = true;
	unlist(t, s);
	pthread_mutex_unlock(&t->lock);
}

/* --- the stream --- */

static void set_beat(struct sse *s, uint64_t ms)
{
	if (exchange_timer_set(s->rest->x, &s->beat, ms) < 0)
		call_finish(s->rest->call, -ENOMEM);
}

static void send_head(struct sse *s)
{
	struct exchange *x = s->rest->x;
	struct answer a;

	if (s->head_sent)
		return;
	s->head_sent = true;
	answer_init_api(&a, SSE_TYPE, s->rest->call->request_id);
	exchange_head(x, 200, a.headers, a.n);
	exchange_write(x, RETRY_LINE, sizeof(RETRY_LINE) - 1);
}

static void on_beat(struct timer *timer)
{
	struct sse *s = CONTAINER_OF(timer, struct sse, beat);
	struct exchange *x = s->rest->x;

	if (!s->head_sent)
		send_head(s);
	else
		exchange_write(x, ":\n\n", 3);
	set_beat(s, BEAT_MS);
}

static void stop_beat(struct sse *s)
{
	if (s->rest->x)
		exchange_timer_clear(s->rest->x, &s->beat);
}

int sse_start(struct rest *r)
{
	struct sse *s = arena_new(&r->call->arena, struct sse);
	const char *last = exchange_header(r->x, "last-event-id");

	if (!s)
		return err_origin(-ENOMEM);
	s->rest = r;
	s->beat.fn = on_beat;
	if (last && strlen(last) <= LAST_EVENT_MAX && strspn(last, "0123456789") == strlen(last))
		strcpy(s->last_event, last);
	r->sse = s;
	return 0;
}

void sse_gone(struct rest *r)
{
	stop_beat(r->sse);
}

/* --- the call's door --- */

static const ProtobufCFieldDescriptor *version_field(const ProtobufCMessageDescriptor *desc)
{
	const ProtobufCFieldDescriptor *f = json_field_find(desc, "version");

	return f && f->type == PROTOBUF_C_TYPE_UINT64 && f->label == PROTOBUF_C_LABEL_NONE ? f
											   : NULL;
}

/* The header wins over the parameter: the browser has seen more since. */
static int decode(struct call *call, ProtobufCMessage **ret_in)
{
	struct rest *r = call->door_data;
	ProtobufCMessage *msg;
	int e = rest_decode(call, &msg);

	if (e)
		return e;
	if (r->sse->last_event[0] && version_field(msg->descriptor)) {
		struct json_error error;

		e = json_set_text(msg, "version", r->sse->last_event, &call->arena, &error);
		if (e < 0)
			return err_trace(e);
	}
	join(r->streams, r->sse, &call->caller);
	*ret_in = msg;
	return 0;
}

static int encode(struct call *call, const ProtobufCMessage *msg, struct frame **ret_frame)
{
	const ProtobufCFieldDescriptor *version = version_field(msg->descriptor);
	_cleanup_(text_done) struct text out = TEXT_INIT(EVENT_MAX_LEN);
	struct frame *frame;
	int r;

	(void)call;
	if (version)
		text_addf(&out, "id: %" PRIu64 "\n", *(uint64_t *)json_field_at(msg, version));
	text_adds(&out, "event: changed\ndata: ");
	r = json_encode(msg, JSON_REST, &out);
	if (r)
		return err_trace(r);
	text_adds(&out, "\n\n");
	frame = out.failed ? NULL : frame_new(out.len);
	if (!frame)
		return err_origin(-ENOMEM);
	memcpy(frame->bytes + FRAME_HEAD_LEN, out.s, out.len);
	*ret_frame = frame;
	return 0;
}

static void message(struct call *call, struct frame *frame)
{
	struct rest *r = call->door_data;

	if (r->x) {
		send_head(r->sse);
		exchange_write(r->x, frame->bytes + FRAME_HEAD_LEN, frame->len - FRAME_HEAD_LEN);
	}
	frame_unref(frame);
}

/* Not sooner: a refusal, however late it is found, has a status of its own. */
static void accepted(struct call *call)
{
	struct rest *r = call->door_data;

	if (!r->x)
		return;
	if (strcmp(r->x->method, "HEAD") == 0)
		call_finish(call, 0); /* the head is all there is to see */
	else
		set_beat(r->sse, r->sse->head_sent ? BEAT_MS : FIRST_BEAT_MS);
}

static void done(struct call *call)
{
	struct rest *r = call->door_data;
	struct exchange *x = r->x;

	leave(r->streams, r->sse);
	stop_beat(r->sse);
	if (x) {
		x->user = NULL;
		if (!r->sse->head_sent && call->status.code != GRPC_OK) {
			rest_answer_failure(r);
		} else {
			send_head(r->sse);
			exchange_finish(x, NULL, 0);
		}
		r->x = NULL;
	}
	call_unref(call);
}

const struct call_door sse_call_door = {
	.name = "sse",
	.decode = decode,
	.encode = encode,
	.message = message,
	.done = done,
	.accepted = accepted,
};
