/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As text each message is base64 of its own, padding included: what arrived
 * can be decoded while more is to come.
 */
#include "gateway/grpcweb.h"

#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "gateway/webcall.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/grpc.h"
#include "server/rpc/packing.h"

#define TYPE "application/grpc-web"
#define TYPE_TEXT TYPE "-text"
#define PROTO "+proto"
#define JSON "+json"
#define FLAG_TRAILERS 0x80
#define TRAILERS_MAX_LEN (64u << 10)

/* --- the answer --- */

static void send_head(struct webcall *w)
{
	struct answer a;

	webcall_answer(w, &a, w->head.type);
	answer_add(&a, "grpc-accept-encoding", "gzip");
	if (w->head.gzip_out)
		answer_add(&a, "grpc-encoding", "gzip");
	webcall_head(w, 200, &a);
}

/* As text: encoded here, and gone from memory when it was sent. */
static void send_text(struct exchange *x, const uint8_t *p, size_t len)
{
	size_t text_len = TEXT_BASE64_LEN(len);
	struct frame *f = frame_new(text_len + 1);

	if (!f) {
		exchange_reset(x, 2);
		return;
	}
	f->secret = true;
	text_base64(p, len, (char *)f->bytes + FRAME_HEAD_LEN);
	exchange_write(x, f->bytes + FRAME_HEAD_LEN, text_len);
	frame_unref(f);
}

static void send_message(struct webcall *w, struct frame *frame)
{
	if (!w->head_sent)
		send_head(w);
	if (w->head.base64)
		send_text(w->x, frame->bytes, frame->len);
	else
		exchange_write_frame(w->x, frame);
}

/* The last message: flag, length, "name: value" lines. */
static void send_trailers(struct exchange *x, const struct status *st, const struct call *call,
			  bool base64)
{
	_cleanup_(grpc_words_done) struct grpc_words words;
	_cleanup_(text_done) struct text lines = TEXT_INIT(TRAILERS_MAX_LEN);
	_cleanup_(frame_unrefp) struct frame *f = NULL;
	const struct header *own;
	size_t n = 0;

	grpc_words_init(&words, st);
	text_addf(&lines, "grpc-status: %s\r\n", words.code);
	if (words.message)
		text_addf(&lines, "grpc-message: %s\r\n", words.message);
	if (words.details)
		text_addf(&lines, "grpc-status-details-bin: %s\r\n", words.details);
	own = call ? call_trailers(call, &n) : NULL;
	for (size_t i = 0; i < n; i++)
		text_addf(&lines, "%s: %s\r\n", own[i].name, own[i].value);
	f = lines.failed ? NULL : frame_new(lines.len);
	if (!f) {
		exchange_reset(x, 2);
		return;
	}
	memcpy(f->bytes + FRAME_HEAD_LEN, lines.s, lines.len);
	f->bytes[0] = FLAG_TRAILERS;
	if (base64)
		send_text(x, f->bytes, f->len);
	else
		exchange_write_frame(x, f);
	exchange_finish(x, NULL, 0);
}

static void send_end(struct webcall *w)
{
	if (!w->head_sent)
		send_head(w);
	send_trailers(w->x, &w->call->status, w->call, w->head.base64);
}

static const struct web_protocol protocol = {
	.name = "grpc-web",
	.enveloped = true,
	.malformed = ERR_MESSAGE_INVALID,
	.head = send_head,
	.message = send_message,
	.end = send_end,
};

/* --- the request --- */

static bool claims(const struct exchange *x)
{
	const char *type = exchange_header(x, "content-type");

	return type && strncasecmp(type, TYPE, strlen(TYPE)) == 0;
}

/* The answer has the type of the request; false: a type there is none of. */
static bool read_type(const struct exchange *x, struct web_head *h)
{
	static const struct {
		const char *name;
		enum codec codec;
		bool base64;
	} types[] = {
		{TYPE, CODEC_PROTO, false},           {TYPE PROTO, CODEC_PROTO, false},
		{TYPE JSON, CODEC_JSON, false},       {TYPE_TEXT, CODEC_PROTO, true},
		{TYPE_TEXT PROTO, CODEC_PROTO, true}, {TYPE_TEXT JSON, CODEC_JSON, true},
	};

	for (size_t i = 0; i < ARRAY_LEN(types); i++) {
		if (!web_type_is(x, types[i].name))
			continue;
		h->type = types[i].name;
		h->codec = types[i].codec;
		h->base64 = types[i].base64;
		return true;
	}
	return false;
}

static void read_head(const struct exchange *x, struct web_head *h)
{
	const char *timeout = exchange_header(x, "grpc-timeout");

	h->gzip_out = packing_lists_gzip(exchange_header(x, "grpc-accept-encoding"));
	web_encoding(h, exchange_header(x, "grpc-encoding"));
	if (!h->refusal && timeout && grpc_timeout_parse(timeout, &h->timeout_ms) < 0) {
		h->refusal = ERR_MESSAGE_INVALID;
		h->why = "grpc-timeout is malformed.";
	}
}

static void refuse_http(struct exchange *x, const struct web *web, unsigned http)
{
	struct answer a;

	answer_init_api(&a, NULL, NULL);
	if (http == 405)
		answer_add(&a, "allow", "POST");
	cors_head(web->cors, x, http, &a);
	exchange_finish(x, NULL, 0);
}

/* Without a call. */
static void refuse_with(struct exchange *x, const struct web *web, const struct web_head *h,
			const struct status *why)
{
	struct answer a;

	answer_init_api(&a, h->type, NULL);
	cors_head(web->cors, x, 200, &a);
	send_trailers(x, why, NULL, h->base64);
}

static void refuse_unknown(struct exchange *x, const struct web *web, const struct web_head *h)
{
	struct status st = {.code = GRPC_OK};

	status_set(&st, ERR_UNIMPLEMENTED, "No such method here.");
	refuse_with(x, web, h, &st);
	status_done(&st);
}

static bool door_refuse(struct exchange *x, void *owner, unsigned http, const struct status *why)
{
	struct web_head head = {.codec = CODEC_PROTO};

	(void)http;
	if (!read_type(x, &head))
		return false;
	refuse_with(x, owner, &head, why);
	return true;
}

static void door_open(struct exchange *x, void *owner)
{
	struct web_head head = {.codec = CODEC_PROTO};
	const struct method *method;
	struct web *web = owner;

	x->user = NULL;
	if (cors_preflight(web->cors, x, "POST"))
		return;
	if (strcmp(x->method, "POST") != 0 || !read_type(x, &head)) {
		refuse_http(x, web, strcmp(x->method, "POST") != 0 ? 405 : 415);
		return;
	}
	method = service_find(web->services, x->path, strlen(x->path), NULL, NULL);
	if (!method) {
		refuse_unknown(x, web, &head);
		return;
	}
	read_head(x, &head);
	(void)!webcall_open(x, web, method, &protocol, &head);
}

const struct door grpcweb_door = {
	.name = "grpc-web",
	.claims = claims,
	.open = door_open,
	.refuse = door_refuse,
	.data = webcall_data,
	.end = webcall_end,
	.drained = webcall_drained,
	.gone = webcall_gone,
};
