/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request is gathered until the client half-closes: only then is it known to
 * hold exactly one message. Its bytes stay in the reader until the call is over.
 */
#include "server/rpc/grpc.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/unpack.h"
#include "gen/rpc/rules.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/origin.h"
#include "server/rpc/timer.h"

#define TYPE "application/grpc"
#define DETAILS_MAX 8192 /* bytes of google.rpc.Status: the block must fit one frame */
#define MESSAGE_MAX 2048
#define FIRST_HEAD 50 /* ms after which a silent stream shows that it was accepted */
#define HEAD_HEADERS 24

struct grpc {
	struct exchange *x; /* NULL once gone */
	struct call *call;
	struct services *services;
	struct frame_reader reader;
	const uint8_t *msg; /* inside the reader */
	size_t msg_len;
	bool have_msg, dispatched, head_sent;
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

static bool type_is_proto(const struct exchange *x)
{
	const char *rest = exchange_header(x, "content-type") + strlen(TYPE);

	if (strncasecmp(rest, "+proto", 6) == 0)
		rest += 6;
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

static void add_head(struct fields *f, const struct call *call)
{
	const struct header *own;
	size_t n;

	add(f, "content-type", TYPE);
	if (!call) { /* refused by its head, maybe for its encoding */
		add(f, "grpc-accept-encoding", "identity");
		return;
	}
	add(f, "x-request-id", call->request_id);
	own = call_headers(call, &n);
	for (size_t i = 0; i < n && f->n < HEAD_HEADERS; i++)
		f->v[f->n++] = own[i];
}

static void send_head(struct grpc *g)
{
	struct fields f = {.n = 0};

	if (g->head_sent)
		return;
	g->head_sent = true;
	add_head(&f, g->call);
	exchange_head(g->x, 200, f.v, f.n);
}

/* grpc-status-details-bin: base64 without padding. NULL when it would be too long. */
static char *details_of(const struct status *st)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	size_t len;
	char *text;

	if (status_encode(st, &bytes, &len) < 0 || len > DETAILS_MAX)
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
	if (w->message && strlen(w->message) > MESSAGE_MAX) {
		size_t len = MESSAGE_MAX;

		while (w->message[len - 1] == '%' || w->message[len - 2] == '%')
			len--; /* not inside of an escape */
		w->message[len] = '\0';
	}
	w->details = st->err != ERR_NONE ? details_of(st) : NULL;
}

void grpc_words_done(struct grpc_words *w)
{
	free(w->message);
	free(w->details);
}

/* The end of the answer: trailers, or all there is of it. */
static void send_status(struct exchange *x, const struct call *call, const struct status *st,
			bool head_sent)
{
	_cleanup_(grpc_words_done) struct grpc_words words;
	struct fields f = {.n = 0};

	grpc_words_init(&words, st);
	if (!head_sent)
		add_head(&f, call);
	add(&f, "grpc-status", words.code);
	if (words.message)
		add(&f, "grpc-message", words.message);
	if (words.details)
		add(&f, "grpc-status-details-bin", words.details);
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
	send_status(g->x, g->call, &g->call->status, g->head_sent);
	leave(g);
	free_grpc(g);
}

/* The end before there is a method to call. */
static void refuse_unknown(struct exchange *x, enum err e, const char *words)
{
	struct status st = {.code = GRPC_OK};

	status_set(&st, e, "%s", words);
	send_status(x, NULL, &st, false);
	status_done(&st);
}

/* --- the call's door --- */

static int decode(struct call *call, ProtobufCMessage **ret_in)
{
	struct grpc *g = call->door_data;

	*ret_in = unpack_message(call->method->in, arena_pb(&call->arena), g->msg, g->msg_len);
	if (!*ret_in)
		return call_fail(call, ERR_MESSAGE_INVALID,
				 "The request does not decode as the method's message.");
	return 0;
}

static int encode(struct call *call, const ProtobufCMessage *msg, struct frame **ret_frame)
{
	const struct message_rules *rules = rules_find(msg->descriptor);
	size_t len = protobuf_c_message_get_packed_size(msg);
	struct frame *frame = frame_new(len);

	(void)call;
	if (!frame)
		return err_origin(-ENOMEM);
	frame->secret = rules && rules->has_secret;
	protobuf_c_message_pack(msg, frame->bytes + FRAME_HEAD_LEN);
	*ret_frame = frame;
	return 0;
}

static void message(struct call *call, struct frame *frame)
{
	struct grpc *g = call->door_data;

	if (g->x) {
		send_head(g);
		if (frame->secret)
			exchange_mark_secret(g->x);
		exchange_write_frame(g->x, frame);
	}
	frame_unref(frame);
}

static void done(struct call *call)
{
	struct grpc *g = call->door_data;

	if (g->x)
		send_status(g->x, call, &call->status, g->head_sent);
	leave(g);
	free_grpc(g);
}

static const struct call_door call_door = {
	.name = "grpc",
	.decode = decode,
	.encode = encode,
	.message = message,
	.done = done,
	.shares_frames = true,
};

/* --- the exchange's door --- */

/* Headers that end it at once; NULL: go on. */
static const char *bad_head(const struct exchange *x, uint64_t *ret_timeout_ms, enum err *ret_e)
{
	const char *encoding = exchange_header(x, "grpc-encoding");
	const char *timeout = exchange_header(x, "grpc-timeout");
	const char *why;

	*ret_timeout_ms = 0;
	if (encoding && strcasecmp(encoding, "identity") != 0) {
		*ret_e = ERR_UNIMPLEMENTED;
		return "This grpc-encoding is not supported; identity is.";
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

static void grpc_open(struct exchange *x, void *owner)
{
	struct services *services = owner;
	const struct header allow = {"allow", "POST", 4};
	const struct method *method;
	enum err e = ERR_INTERNAL;
	const char *words;
	uint64_t timeout_ms;
	struct call *call;
	struct grpc *g;

	if (x->http_major < 2 || strcmp(x->method, "POST") != 0 || !type_is_proto(x)) {
		exchange_head(x, x->http_major < 2 ? 505 : type_is_proto(x) ? 405 : 415, &allow, 1);
		exchange_finish(x, NULL, 0);
		return;
	}
	method = service_find(services, x->path, strlen(x->path), NULL, NULL);
	if (!method) {
		refuse_unknown(x, ERR_UNIMPLEMENTED, "No such method here.");
		return;
	}
	words = bad_head(x, &timeout_ms, &e);
	if (words) {
		refuse_unknown(x, e, words);
		return;
	}
	if (method->kind == METHOD_CLIENT_STREAM || method->kind == METHOD_BIDI) {
		refuse_unknown(x, ERR_UNIMPLEMENTED, "Client streams are not served.");
		return;
	}
	call = call_new(services, method, x, &call_door, NULL, timeout_ms);
	g = call ? arena_new(&call->arena, struct grpc) : NULL;
	if (!g) {
		call_unref(call);
		exchange_reset(x, 2);
		return;
	}
	*g = (struct grpc){.x = x, .call = call, .services = services};
	frame_reader_init(&g->reader, method->policy.body_limit);
	call->door_data = g;
	x->user = g;
}

/* One message and nothing behind it; errors end the call. */
static void take_message(struct grpc *g)
{
	uint8_t flag;
	int r = frame_reader_next(&g->reader, &flag, &g->msg, &g->msg_len);

	if (r == -EMSGSIZE)
		refuse(g, ERR_MESSAGE_TOO_LARGE, "The request is larger than this method takes.");
	else if (r == 0)
		return;
	else if (flag != 0)
		refuse(g, ERR_MESSAGE_INVALID, "A compressed message without grpc-encoding.");
	else if (frame_reader_rest(&g->reader) > 0)
		refuse(g, ERR_UNIMPLEMENTED, "This method takes one request message, not more.");
	else
		g->have_msg = true;
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

static void grpc_data(struct exchange *x, const uint8_t *p, size_t len)
{
	struct grpc *g = x->user;

	if (!g || g->dispatched || len == 0)
		return;
	if (g->have_msg)
		refuse(g, ERR_UNIMPLEMENTED, "This method takes one request message, not more.");
	else if (take_whole(g, p, len))
		return;
	else if (frame_reader_add(&g->reader, p, len) < 0)
		refuse(g, ERR_INTERNAL, "Out of memory.");
	else
		take_message(g);
}

static void on_first(struct timer *t)
{
	struct grpc *g = CONTAINER_OF(t, struct grpc, first);

	if (g->x)
		send_head(g);
}

static void grpc_end(struct exchange *x)
{
	struct grpc *g = x->user;

	if (!g || g->dispatched)
		return;
	if (!g->have_msg && frame_reader_rest(&g->reader) > 0) {
		refuse(g, ERR_MESSAGE_INVALID, "The request message is cut short.");
		return;
	}
	if (!g->have_msg) {
		refuse(g, ERR_UNIMPLEMENTED, "This method takes one request message, not none.");
		return;
	}
	g->dispatched = true;
	if (g->call->method->kind == METHOD_SERVER_STREAM) {
		g->first.fn = on_first;
		if (exchange_timer_set(x, &g->first, FIRST_HEAD) < 0)
			send_head(g);
	}
	dispatch(g->services, g->call);
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
	.data = grpc_data,
	.end = grpc_end,
	.drained = grpc_drained,
	.gone = grpc_gone,
};
