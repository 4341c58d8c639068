/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing of a message is read before the guards: inflating and decoding
 * happen when the dispatcher asks for it, on the method's lane.
 */
#include "gateway/webcall.h"

#include <string.h>
#include <strings.h>

#include "gateway/cookie.h"
#include "gateway/webstream.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/origin.h"

#define FIRST_HEAD_MS 50 /* after which a silent stream shows that it was accepted */

/* --- heads --- */

bool web_type_is(const struct exchange *x, const char *type)
{
	const char *s = exchange_header(x, "content-type");
	size_t len = strlen(type);

	if (!s || strncasecmp(s, type, len) != 0)
		return false;
	s += len + strspn(s + len, " \t");
	return *s == '\0' || *s == ';';
}

bool web_codec(const struct exchange *x, struct web_head *h, const char *proto, const char *json)
{
	bool is_json = web_type_is(x, json);

	if (!is_json && !web_type_is(x, proto))
		return false;
	h->codec = is_json ? CODEC_JSON : CODEC_PROTO;
	h->type = is_json ? json : proto;
	return true;
}

void web_encoding(struct web_head *h, const char *value)
{
	if (!value || !*value || strcasecmp(value, "identity") == 0)
		return;
	if (strcasecmp(value, "gzip") == 0) {
		h->gzip_in = true;
		return;
	}
	h->refusal = ERR_UNIMPLEMENTED;
	h->why = "This compression is not supported; gzip and identity are.";
}

void webcall_answer(const struct webcall *w, struct answer *a, const char *content_type)
{
	const struct header *own;
	size_t n;

	answer_init_api(a, content_type, w->call->request_id);
	own = call_headers(w->call, &n);
	for (size_t i = 0; i < n; i++)
		answer_own(a, own[i].name, own[i].value);
}

void webcall_head(struct webcall *w, unsigned http, struct answer *a)
{
	w->head_sent = true;
	cors_head(w->web->cors, w->x, http, a);
}

/* --- life --- */

static void leave(struct webcall *w)
{
	if (!w->x)
		return;
	exchange_timer_clear(w->x, &w->first);
	w->x->user = NULL;
	w->x = NULL;
}

static void release(struct webcall *w)
{
	inlet_done(&w->inlet);
	frame_unref(w->kept);
	call_unref(w->call);
}

/* The end before it was dispatched. */
static void refuse(struct webcall *w, enum err e, const char *words)
{
	status_set(&w->call->status, e, "%s", words);
	w->protocol->end(w);
	leave(w);
	release(w);
}

/* --- the call's door --- */

static int decode(struct call *call, ProtobufCMessage **ret_in)
{
	_cleanup_(text_done) struct text room = TEXT_INIT(0);
	struct webcall *w = call->door_data;
	const char *why = "";
	const uint8_t *p;
	size_t len;
	int r = inlet_plain(&w->inlet, &room, &p, &len, &why);

	if (r)
		return call_fail(call, (enum err)r, "%s", why);
	call->zipped = w->inlet.zipped;
	return codec_decode(call, w->head.codec, p, len, w->protocol->malformed, ret_in);
}

static int encode(struct call *call, const ProtobufCMessage *msg, struct frame **ret_frame)
{
	const struct webcall *w = call->door_data;

	return codec_frame(call, w->head.codec, msg, w->head.gzip_out, ret_frame);
}

static void message(struct call *call, struct frame *frame)
{
	struct webcall *w = call->door_data;

	if (w->x) {
		if (frame->secret)
			exchange_mark_secret(w->x);
		w->protocol->message(w, frame);
	}
	frame_unref(frame);
}

static void done(struct call *call)
{
	struct webcall *w = call->door_data;

	if (w->x)
		w->protocol->end(w);
	leave(w);
	release(w);
}

static void receive(struct call *call)
{
	struct webcall *w = call->door_data;

	if (w->x)
		webstream_pump(w);
}

static void on_first(struct timer *t)
{
	struct webcall *w = CONTAINER_OF(t, struct webcall, first);

	if (w->x && !w->head_sent)
		w->protocol->head(w);
}

static void accepted(struct call *call)
{
	struct webcall *w = call->door_data;

	w->first.fn = on_first;
	if (w->x && !w->head_sent && exchange_timer_set(w->x, &w->first, FIRST_HEAD_MS) < 0)
		w->protocol->head(w);
}

static const struct call_door call_door = {
	.name = "web",
	.decode = decode,
	.encode = encode,
	.message = message,
	.done = done,
	.receive = receive,
	.accepted = accepted,
};

/* --- the exchange's door --- */

/*
 * Same origin: the session's cookie counts, as it does over REST. A listed
 * origin: only what the page put into the request itself. All others: nothing
 * that changes anything.
 */
static bool refused_by_origin(struct webcall *w)
{
	struct exchange *x = w->x;
	char name[COOKIE_NAME_MAX];
	const char *why = "";

	if (origin_check(x, false, &why)) {
		if (origin_is_safe(x->method) || cors_allows(w->web->cors, x))
			return false;
		refuse(w, ERR_CROSS_SITE, why);
		return true;
	}
	cookie_name(x, name);
	w->call->session_cookie = cookie_find(x, name, &w->call->arena);
	if (!w->call->session_cookie || exchange_header(x, "authorization") ||
	    origin_is_safe(x->method) || !origin_check(x, true, &why))
		return false;
	refuse(w, ERR_CROSS_SITE, why);
	return true;
}

static void start(struct webcall *w)
{
	w->dispatched = true;
	dispatch(w->web->services, w->call);
}

struct webcall *webcall_open(struct exchange *x, struct web *web, const struct method *method,
			     const struct web_protocol *protocol, const struct web_head *head)
{
	struct call *call = call_new(web->services, method, x, &call_door, NULL, head->timeout_ms);
	struct webcall *w = call ? arena_new(&call->arena, struct webcall) : NULL;

	if (!w) {
		call_unref(call);
		exchange_reset(x, 2);
		return NULL;
	}
	*w = (struct webcall){
		.x = x,
		.call = call,
		.web = web,
		.protocol = protocol,
		.head = *head,
		.inlet = {.enveloped = protocol->enveloped,
			  .base64 = head->base64,
			  .gzip = head->gzip_in,
			  .many = method_caller_streams(method),
			  .malformed = protocol->malformed,
			  .max = method->policy.body_limit},
	};
	inlet_init(&w->inlet);
	call->door_data = w;
	/* Plain protobuf is what gRPC sends: frames that others made will do. */
	call->shares_frames = head->codec == CODEC_PROTO && !head->gzip_out;
	x->user = w;
	if (head->refusal) {
		refuse(w, head->refusal, head->why);
		return NULL;
	}
	if (refused_by_origin(w))
		return NULL;
	if (w->inlet.many) {
		x->body_endless = true;
		exchange_pause(x, true);
		start(w);
	}
	return w;
}

bool webcall_give(struct webcall *w, const uint8_t *p, size_t len)
{
	const char *why = "";
	int r = inlet_give(&w->inlet, p, len, &why);

	w->given = true;
	if (r)
		refuse(w, (enum err)r, why);
	return r == 0;
}

void webcall_drop(struct webcall *w)
{
	leave(w);
	release(w);
}

static void single_data(struct webcall *w, const uint8_t *p, size_t len)
{
	const char *why = "";
	int r = inlet_add(&w->inlet, p, len, &why);

	if (r)
		refuse(w, (enum err)r, why);
}

static void single_end(struct webcall *w)
{
	const char *why = "";
	int r = inlet_end(&w->inlet, &why);

	if (r)
		refuse(w, (enum err)r, why);
	else
		start(w);
}

void webcall_data(struct exchange *x, const uint8_t *p, size_t len)
{
	struct webcall *w = x->user;

	if (!w || len == 0)
		return;
	if (w->inlet.many)
		webstream_data(w, p, len);
	else if (!w->dispatched)
		single_data(w, p, len);
}

void webcall_end(struct exchange *x)
{
	struct webcall *w = x->user;

	if (!w)
		return;
	if (w->inlet.many)
		webstream_end(w);
	else if (!w->dispatched)
		single_end(w);
}

void webcall_drained(struct exchange *x)
{
	struct webcall *w = x->user;

	if (w)
		call_drained(w->call);
}

void webcall_gone(struct exchange *x)
{
	struct webcall *w = x->user;

	if (!w)
		return;
	leave(w);
	if (w->dispatched)
		dispatch_cancel(w->call, ERR_CANCELLED);
	else
		release(w);
}
