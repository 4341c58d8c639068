/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A single request is gathered until the client half-closes: only then is it
 * known to hold exactly one message. Its bytes stay in the reader until the call
 * is over. The call of a client who streams begins with its head, and nothing
 * of the body is read before the handler asks for it.
 */
#include "server/rpc/grpc.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "server/rpc/codec.h"
#include "server/rpc/core.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/inflow.h"
#include "server/rpc/origin.h"
#include "server/rpc/packing.h"
#include "server/rpc/timer.h"

#define TYPE "application/grpc"
#define TYPE_JSON TYPE "+json"
#define FIRST_HEAD 50 /* ms after which a silent stream shows that it was accepted */
#define TOO_LARGE "A message is larger than this method takes."
#define NOT_ANNOUNCED "A compressed message without grpc-encoding."
#define NOT_INFLATED "A compressed message is not gzip, or larger than this method takes."
#define HEAD_HEADERS 32

struct grpc {
	struct exchange *x; /* NULL once gone */
	struct call *call;
	struct services *services;
	struct frame_reader reader;
	enum codec codec;
	const uint8_t *msg; /* inside the reader */
	size_t msg_len;
	bool have_msg, dispatched, head_sent;
	bool zipped;            /* msg is */
	bool gzip_in, gzip_out; /* messages may come, and go, compressed */
	bool pumping;           /* messages are being given to the handler */
	struct timer first;
};

int grpc_timeout_parse(const char *s, uint64_t *ret_ms)
{
	uint64_t v = 0, ms;
	size_t n = 0;

	for (; isdigit((unsigned char)s[n]); n++)
		v = v * 10 + (uint64_t)(s[n] - '0');
	if (n == 0 || n > 8 || s[n] == '\0' || s[n + 1] != '\0')
		return -EINVAL;
	switch (s[n]) {
	case 'H':
		ms = v * 3600000;
		break;
	case 'M':
		ms = v * 60000;
		break;
	case 'S':
		ms = v * 1000;
		break;
	case 'm':
		ms = v;
		break;
	case 'u':
		ms = v / 1000;
		break;
	case 'n':
		ms = v / 1000000;
		break;
	default:
		return -EINVAL;
	}
	*ret_ms = ms ? ms : 1;
	return 0;
}

static bool grpc_claims(const struct exchange *x)
{
	const char *type = exchange_header(x, "content-type");
	size_t len = strlen(TYPE);

	return type && strncasecmp(type, TYPE, len) == 0 &&
	       (type[len] == '\0' || type[len] == '+' || type[len] == ';');
}

/* False: a form of messages that we do not speak. */
static bool read_type(const struct exchange *x, enum codec *ret_codec)
{
	const char *rest = exchange_header(x, "content-type") + strlen(TYPE);
	bool is_json = strncasecmp(rest, "+json", 5) == 0;

	if (is_json)
		rest += 5;
	else if (strncasecmp(rest, "+proto", 6) == 0)
		rest += 6;
	*ret_codec = is_json ? CODEC_JSON : CODEC_PROTO;
	return *rest == '\0' || *rest == ';';
}

/* --- answers --- */

struct fields {
	struct header v[HEAD_HEADERS];
	size_t n;
};

static void add(struct fields *f, const char *name, const char *value)
{
	if (f->n < HEAD_HEADERS)
		f->v[f->n++] =
			(struct header){.name = name, .value = value, .value_len = strlen(value)};
}

static void add_all(struct fields *f, const struct header *own, size_t n)
{
	for (size_t i = 0; i < n && f->n < HEAD_HEADERS; i++)
		f->v[f->n++] = own[i];
}

static void add_trailers(struct fields *f, const struct call *call)
{
	const struct header *own;
	size_t n;

	own = call_trailers(call, &n);
	add_all(f, own, n);
}

static void add_head(struct fields *f, const struct call *call, enum codec codec)
{
	const struct header *own;
	size_t n;

	add(f, "content-type", codec == CODEC_JSON ? TYPE_JSON : TYPE);
	if (!call) { /* refused by its head, maybe for its encoding */
		add(f, "grpc-accept-encoding", "identity,gzip");
		return;
	}
	add(f, "x-request-id", call->request_id);
	own = call_headers(call, &n);
	add_all(f, own, n);
}

/* A single answer says what it is; a stream what may come. */
static void send_head(struct grpc *g, const struct frame *first)
{
	bool is_zipped = first && first->bytes[0] == PACKING_ZIPPED;
	struct fields f = {.n = 0};

	if (g->head_sent)
		return;
	g->head_sent = true;
	add_head(&f, g->call, g->codec);
	if (is_zipped || (g->gzip_out && !method_answers_once(g->call->method)))
		add(&f, "grpc-encoding", "gzip");
	if (g->gzip_in || g->gzip_out)
		add(&f, "grpc-accept-encoding", "identity,gzip");
	exchange_head(g->x, 200, f.v, f.n);
}

/* grpc-status-details-bin: base64 without padding. NULL out of memory. */
static char *details_of(const struct status *st)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	size_t len;
	char *text;

	if (status_encode(st, &bytes, &len) < 0)
		return NULL;
	text = malloc(TEXT_BASE64_LEN(len) + 1);
	if (!text)
		return NULL;
	text_base64(bytes, len, text);
	text[strcspn(text, "=")] = '\0';
	return text;
}

void grpc_words_init(struct grpc_words *w, const struct status *st)
{
	*w = (struct grpc_words){.code = {(char)('0' + (int)st->code % 10)}};
	if (st->code >= 10) {
		w->code[1] = w->code[0];
		w->code[0] = '1'; /* the last code is 16 */
	}
	if (st->code == GRPC_OK)
		return;
	w->message = st->message ? status_percent(st->message) : NULL;
	w->details = st->err != ERR_NONE || st->others ? details_of(st) : NULL;
}

void grpc_words_done(struct grpc_words *w)
{
	free(w->message);
	free(w->details);
}

/* The end of the answer: trailers, or all there is of it. */
static void send_status(struct exchange *x, const struct call *call, const struct status *st,
			enum codec codec, bool head_sent)
{
	_cleanup_(grpc_words_done) struct grpc_words words;
	struct fields f = {.n = 0};

	grpc_words_init(&words, st);
	if (!head_sent)
		add_head(&f, call, codec);
	add(&f, "grpc-status", words.code);
	if (words.message)
		add(&f, "grpc-message", words.message);
	if (words.details)
		add(&f, "grpc-status-details-bin", words.details);
	if (call)
		add_trailers(&f, call);
	exchange_finish(x, f.v, f.n);
}

static void leave(struct grpc *g)
{
	if (!g->x)
		return;
	exchange_timer_clear(g->x, &g->first);
	g->x->user = NULL;
	g->x = NULL;
}

static void free_grpc(struct grpc *g)
{
	struct call *call = g->call;

	frame_reader_done(&g->reader);
	call_unref(call);
}

/* The end before it was a call. */
static void refuse(struct grpc *g, enum err e, const char *words)
{
	status_set(&g->call->status, e, "%s", words);
	send_status(g->x, g->call, &g->call->status, g->codec, g->head_sent);
	leave(g);
	free_grpc(g);
}

/* The end before there is a method to call. */
static void refuse_unknown(struct exchange *x, enum codec codec, enum err e, const char *words)
{
	struct status st = {.code = GRPC_OK};

	status_set(&st, e, "%s", words);
	send_status(x, NULL, &st, codec, false);
	status_done(&st);
}

/* --- the call's door --- */

static int decode(struct call *call, ProtobufCMessage **ret_in)
{
	struct grpc *g = call->door_data;
	_cleanup_(text_done) struct text room = TEXT_INIT(g->reader.max);
	const void *msg = g->msg;
	size_t len = g->msg_len;

	call->zipped = g->zipped;
	if (g->zipped) {
		int r = packing_inflate(msg, len, &room);

		if (r)
			return r < 0 ? err_trace(r) : call_fail(call, (enum err)r, NOT_INFLATED);
		msg = room.s;
		len = room.len;
	}
	return codec_decode(call, g->codec, msg, len, ERR_MESSAGE_INVALID, ret_in);
}

static int encode(struct call *call, const ProtobufCMessage *msg, struct frame **ret_frame)
{
	const struct grpc *g = call->door_data;

	return codec_frame(call, g->codec, msg, g->gzip_out, ret_frame);
}

static void message(struct call *call, struct frame *frame)
{
	struct grpc *g = call->door_data;

	if (g->x) {
		send_head(g, frame);
		if (frame->secret)
			exchange_mark_secret(g->x);
		exchange_write_frame(g->x, frame);
	}
	frame_unref(frame);
}

static void done(struct call *call)
{
	struct grpc *g = call->door_data;
	size_t n_headers;

	if (g->x) {
		(void)call_headers(call, &n_headers);
		if (n_headers > 0) /* what goes in front must not end up behind */
			send_head(g, NULL);
		send_status(g->x, call, &call->status, g->codec, g->head_sent);
	}
	leave(g);
	free_grpc(g);
}

/* --- the messages of a client who streams --- */

static void cut(struct grpc *g, enum err e, const char *words)
{
	call_fail(g->call, e, "%s", words);
	call_finish(g->call, (int)e);
}

/* May be a flag that nobody announced. */
static bool flag_fits(const struct grpc *g, uint8_t flag)
{
	return flag == 0 || (flag == PACKING_ZIPPED && g->gzip_in);
}

static void give(struct grpc *g, uint8_t flag, const uint8_t *p, size_t len)
{
	_cleanup_(text_done) struct text room = TEXT_INIT(g->reader.max);
	int r;

	if (!flag_fits(g, flag)) {
		cut(g, ERR_MESSAGE_INVALID, NOT_ANNOUNCED);
		return;
	}
	g->call->zipped = flag != 0;
	if (flag == 0) {
		codec_inflow(g->call, g->codec, p, len);
		return;
	}
	r = packing_inflate(p, len, &room);
	if (r > 0)
		cut(g, (enum err)r, NOT_INFLATED);
	else if (r < 0)
		call_finish(g->call, r);
	else
		codec_inflow(g->call, g->codec, room.s, room.len);
}

/* As many as the handler takes; what is left stays with the reader and the exchange. */
static void pump(struct grpc *g)
{
	struct call *call = call_ref(g->call);
	const uint8_t *p;
	size_t len;
	uint8_t flag;
	int r = 1;

	if (!g->pumping) {
		g->pumping = true;
		while (r > 0 && g->x && inflow_ready(call)) {
			r = frame_reader_next(&g->reader, &flag, &p, &len);
			if (r > 0)
				give(g, flag, p, len);
		}
		g->pumping = false;
		if (r < 0)
			cut(g, ERR_MESSAGE_TOO_LARGE, TOO_LARGE);
		if (g->x)
			exchange_pause(g->x, !inflow_ready(call));
	}
	call_unref(call);
}

static void receive(struct call *call)
{
	struct grpc *g = call->door_data;

	if (g->x)
		pump(g);
}

static void on_first(struct timer *t)
{
	struct grpc *g = CONTAINER_OF(t, struct grpc, first);

	if (g->x)
		send_head(g, NULL);
}

static void accepted(struct call *call)
{
	struct grpc *g = call->door_data;

	g->first.fn = on_first;
	if (g->x && !g->head_sent && exchange_timer_set(g->x, &g->first, FIRST_HEAD) < 0)
		send_head(g, NULL);
}

static const struct call_door call_door = {
	.name = "grpc",
	.decode = decode,
	.encode = encode,
	.message = message,
	.done = done,
	.receive = receive,
	.accepted = accepted,
};

/* --- the exchange's door --- */

/* Headers that end it at once; NULL: go on. */
static const char *bad_head(const struct exchange *x, uint64_t *ret_timeout_ms, enum err *ret_e)
{
	const char *encoding = exchange_header(x, "grpc-encoding");
	const char *timeout = exchange_header(x, "grpc-timeout");
	const char *why;

	*ret_timeout_ms = 0;
	if (encoding && strcasecmp(encoding, "identity") != 0 &&
	    strcasecmp(encoding, "gzip") != 0) {
		*ret_e = ERR_UNIMPLEMENTED;
		return "This grpc-encoding is not supported; identity and gzip are.";
	}
	if (timeout && grpc_timeout_parse(timeout, ret_timeout_ms) < 0) {
		*ret_e = ERR_MESSAGE_INVALID;
		return "grpc-timeout is malformed.";
	}
	if (origin_check(x, false, &why)) {
		*ret_e = ERR_CROSS_SITE;
		return why ? why : "Another site sent this.";
	}
	return NULL;
}

/* For people only: clients of gRPC go by the number, and take JSON here for Connect's. */
static void deny(struct exchange *x, unsigned http, const char *words)
{
	struct fields f = {.n = 0};

	add(&f, "content-type", "text/plain; charset=utf-8");
	add(&f, "cache-control", "no-store");
	add(&f, "x-content-type-options", "nosniff");
	if (http == 405)
		add(&f, "allow", "POST");
	exchange_head(x, http, f.v, f.n);
	exchange_write(x, words, strlen(words));
	exchange_finish(x, NULL, 0);
}

/* What is no gRPC at all is answered as HTTP has it. */
static bool refused_by_http(struct exchange *x, enum codec *ret_codec)
{
	if (x->http_major < 2)
		deny(x, 505, "gRPC needs HTTP/2.\n");
	else if (strcmp(x->method, "POST") != 0)
		deny(x, 405, "A method is called by POST.\n");
	else if (!read_type(x, ret_codec))
		deny(x, 415, "Send application/grpc, with +proto, +json or neither.\n");
	else
		return false;
	return true;
}

/* By HTTP 200: of another status some clients make their own words, and lose ours. */
static bool grpc_refuse(struct exchange *x, void *owner, unsigned http, const struct status *why)
{
	enum codec codec;

	(void)owner;
	(void)http;
	if (x->http_major < 2 || !read_type(x, &codec))
		return false;
	send_status(x, NULL, why, codec, false);
	return true;
}

static bool is_gzip(const char *encoding)
{
	return encoding && strcasecmp(encoding, "gzip") == 0;
}

static void start(struct grpc *g)
{
	g->dispatched = true;
	dispatch(g->services, g->call);
}

static void grpc_open(struct exchange *x, void *owner)
{
	struct services *services = owner;
	const struct method *method;
	enum err e = ERR_INTERNAL;
	const char *words;
	uint64_t timeout_ms;
	enum codec codec;
	struct call *call;
	struct grpc *g;

	if (refused_by_http(x, &codec))
		return;
	method = service_find(services, x->path, strlen(x->path), NULL, NULL);
	if (!method) {
		refuse_unknown(x, codec, ERR_UNIMPLEMENTED, "No such method here.");
		return;
	}
	words = bad_head(x, &timeout_ms, &e);
	if (words) {
		refuse_unknown(x, codec, e, words);
		return;
	}
	call = call_new(services, method, x, &call_door, NULL, timeout_ms);
	g = call ? arena_new(&call->arena, struct grpc) : NULL;
	if (!g) {
		call_unref(call);
		exchange_reset(x, 2);
		return;
	}
	*g = (struct grpc){
		.x = x,
		.call = call,
		.services = services,
		.codec = codec,
		.gzip_in = is_gzip(exchange_header(x, "grpc-encoding")),
		.gzip_out = packing_lists_gzip(exchange_header(x, "grpc-accept-encoding")),
	};
	frame_reader_init(&g->reader, method->policy.body_limit);
	call->door_data = g;
	call->shares_frames = codec == CODEC_PROTO;
	x->user = g;
	if (!method_caller_streams(method))
		return;
	x->body_endless = true;
	exchange_pause(x, true);
	start(g);
}

/* One message and nothing behind it; errors end the call. */
static void take_message(struct grpc *g)
{
	uint8_t flag = 0;
	int r = frame_reader_next(&g->reader, &flag, &g->msg, &g->msg_len);

	if (r == -EMSGSIZE) {
		refuse(g, ERR_MESSAGE_TOO_LARGE, TOO_LARGE);
	} else if (r == 0) {
		return;
	} else if (!flag_fits(g, flag)) {
		refuse(g, ERR_MESSAGE_INVALID, NOT_ANNOUNCED);
	} else if (frame_reader_rest(&g->reader) > 0) {
		refuse(g, ERR_UNIMPLEMENTED, "This method takes one request message, not more.");
	} else {
		g->have_msg = true;
		g->zipped = flag != 0;
	}
}

/* The usual request: one DATA frame, one message. It needs no reader. */
static bool take_whole(struct grpc *g, const uint8_t *p, size_t len)
{
	size_t msg_len;

	if (g->reader.buf || len < FRAME_HEAD_LEN || p[0] != 0)
		return false;
	msg_len = (size_t)p[1] << 24 | (size_t)p[2] << 16 | (size_t)p[3] << 8 | p[4];
	if (msg_len != len - FRAME_HEAD_LEN || msg_len > g->reader.max)
		return false;
	g->msg = arena_memdup(&g->call->arena, p + FRAME_HEAD_LEN, msg_len);
	g->msg_len = msg_len;
	g->have_msg = g->msg != NULL;
	return g->have_msg;
}

static void stream_data(struct grpc *g, const uint8_t *p, size_t len)
{
	if (frame_reader_add(&g->reader, p, len) < 0)
		call_finish(g->call, -ENOMEM);
	else
		pump(g);
}

static void single_data(struct grpc *g, const uint8_t *p, size_t len)
{
	if (g->have_msg)
		refuse(g, ERR_UNIMPLEMENTED, "This method takes one request message, not more.");
	else if (take_whole(g, p, len))
		return;
	else if (frame_reader_add(&g->reader, p, len) < 0)
		refuse(g, ERR_INTERNAL, "Out of memory.");
	else
		take_message(g);
}

static void grpc_data(struct exchange *x, const uint8_t *p, size_t len)
{
	struct grpc *g = x->user;

	if (!g || len == 0)
		return;
	if (method_caller_streams(g->call->method))
		stream_data(g, p, len);
	else if (!g->dispatched)
		single_data(g, p, len);
}

static void stream_end(struct grpc *g)
{
	if (frame_reader_rest(&g->reader) > 0)
		cut(g, ERR_MESSAGE_INVALID, "The last message is cut short.");
	else
		inflow_end(g->call);
}

static void grpc_end(struct exchange *x)
{
	struct grpc *g = x->user;

	if (!g)
		return;
	if (method_caller_streams(g->call->method)) {
		stream_end(g);
		return;
	}
	if (g->dispatched)
		return;
	if (!g->have_msg && frame_reader_rest(&g->reader) > 0) {
		refuse(g, ERR_MESSAGE_INVALID, "The request message is cut short.");
		return;
	}
	if (!g->have_msg) {
		refuse(g, ERR_UNIMPLEMENTED, "This method takes one request message, not none.");
		return;
	}
	start(g);
}

static void grpc_drained(struct exchange *x)
{
	struct grpc *g = x->user;

	if (g)
		call_drained(g->call);
}

static void grpc_gone(struct exchange *x)
{
	struct grpc *g = x->user;

	if (!g)
		return;
	leave(g);
	if (g->dispatched)
		dispatch_cancel(g->call, ERR_CANCELLED);
	else
		free_grpc(g);
}

const struct door grpc_door = {
	.name = "grpc",
	.claims = grpc_claims,
	.open = grpc_open,
	.refuse = grpc_refuse,
	.data = grpc_data,
	.end = grpc_end,
	.drained = grpc_drained,
	.gone = grpc_gone,
};
