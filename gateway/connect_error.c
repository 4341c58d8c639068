/* SPDX-License-Identifier: Apache-2.0 */
/* The details are cut out of the encoded status: what gRPC would send is what is sent here. */
#include "gateway/connect_error.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>

#include "base/json.h"
#include "base/unpack.h"
#include "base/wire.h"
#include "gateway/connect_trailer.h"

#define BODY_MAX_LEN (512u << 10)
#define DETAIL_MAX_LEN (4u << 20) /* in memory */
#define JSON_TYPE "application/json"
#define ANY_TYPE 1
#define ANY_VALUE 2
#define STATUS_DETAILS 3

/* The canonical names in lower case; one is spelt in another way. */
static void add_code(struct text *out, enum grpc_code code)
{
	const char *name = code == GRPC_CANCELLED ? "CANCELED" : err_grpc_name(code);

	text_adds(out, "\"code\":\"");
	for (; *name; name++)
		text_add(out, &(char){(char)tolower((unsigned char)*name)}, 1);
	text_adds(out, "\"");
}

/* The name behind the last '/'. It may come from a peer and hold anything. */
static void add_type(struct text *out, const struct wire_field *url)
{
	_cleanup_(freep) char *name = NULL;
	const char *s = (const char *)url->p;
	size_t from = url->len;

	while (from && s[from - 1] != '/')
		from--;
	name = strndup(s + from, url->len - from);
	if (!name) {
		out->failed = true;
		return;
	}
	text_adds(out, "{\"type\":");
	json_quote(out, name);
}

static void add_value(struct text *out, const struct wire_field *value)
{
	_cleanup_(freep) char *base64 = malloc(TEXT_BASE64_LEN(value->len) + 1);

	if (!base64) {
		out->failed = true;
		return;
	}
	text_base64(value->p, value->len, base64);
	base64[strcspn(base64, "=")] = '\0';
	text_addf(out, ",\"value\":\"%s\"", base64);
}

/* Nothing at all when it cannot be told: it is there for people only. */
static void add_debug(struct text *out, const struct json_types *types,
		      const struct wire_field *url, const struct wire_field *value)
{
	const ProtobufCMessageDescriptor *type =
		json_types_find(types, (const char *)url->p, url->len);
	_cleanup_(text_done) struct text json = TEXT_INIT(BODY_MAX_LEN);
	_cleanup_(arena_done) struct arena arena;
	ProtobufCMessage *detail;

	arena_init(&arena, DETAIL_MAX_LEN);
	detail = type ? unpack_message(type, arena_pb(&arena), value->p, value->len) : NULL;
	if (!detail || json_encode_with(detail, JSON_CANONICAL, types, &json) || json.failed)
		return;
	text_adds(out, ",\"debug\":");
	text_add(out, json.s, json.len);
}

/* Any {type_url 1, value 2}. */
static int add_detail(struct text *out, const struct json_types *types,
		      const struct wire_field *any)
{
	struct wire_field f, type = {.p = (const uint8_t *)""}, value = type;
	struct wire_reader r = wire_enter(any);
	int rc;

	while ((rc = wire_next(&r, &f)) > 0) {
		if (f.len == 0)
			f.p = (const uint8_t *)""; /* an empty field need not point anywhere */
		if (f.number == ANY_TYPE)
			type = f;
		else if (f.number == ANY_VALUE)
			value = f;
	}
	if (rc)
		return rc;
	add_type(out, &type);
	add_value(out, &value);
	add_debug(out, types, &type, &value);
	text_adds(out, "}");
	return 0;
}

static int add_details(struct text *out, const struct json_types *types, const struct status *st)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	struct wire_reader r = {.len = 0};
	struct wire_field f;
	bool first = true;
	int rc;

	if (st->err == ERR_NONE && !st->others)
		return 0;
	rc = status_encode(st, &bytes, &r.len);
	if (rc)
		return rc;
	r.p = bytes;
	while ((rc = wire_next(&r, &f)) > 0) {
		if (f.number != STATUS_DETAILS)
			continue;
		text_adds(out, first ? ",\"details\":[" : ",");
		first = false;
		rc = add_detail(out, types, &f);
		if (rc)
			return rc;
	}
	if (!first)
		text_adds(out, "]");
	return rc;
}

void connect_error_json(const struct status *st, const struct json_types *types, struct text *out)
{
	text_adds(out, "{");
	add_code(out, st->code);
	if (st->message && *st->message) {
		text_adds(out, ",\"message\":");
		json_quote(out, st->message);
	}
	if (add_details(out, types, st) < 0)
		out->failed = true;
	text_adds(out, "}");
}

static void send_body(struct exchange *x, const struct web *web, const struct status *st)
{
	static const char last_words[] = "{\"code\":\"internal\",\"message\":\"out of memory\"}";
	_cleanup_(text_done) struct text body = TEXT_INIT(BODY_MAX_LEN);

	connect_error_json(st, service_types(web->services), &body);
	if (body.failed)
		exchange_write(x, last_words, sizeof(last_words) - 1);
	else
		exchange_write(x, body.s, body.len);
	exchange_finish(x, NULL, 0);
}

void connect_error_send(struct webcall *w)
{
	const struct status *st = &w->call->status;
	struct answer a;
	char retry[24];

	webcall_answer(w, &a, JSON_TYPE);
	connect_trailer_headers(w, &a);
	if (st->retry_ms) {
		snprintf(retry, sizeof(retry), "%" PRIu64, (st->retry_ms + 999) / 1000);
		answer_add(&a, "retry-after", retry);
	}
	if (st->code == GRPC_UNAUTHENTICATED)
		answer_add(&a, "www-authenticate", "Bearer realm=\"quazzar\"");
	if (w->head.refusal == ERR_UNIMPLEMENTED)
		answer_add(&a, "accept-encoding", "gzip, identity");
	webcall_head(w, err_http_of_grpc(st->code), &a);
	send_body(w->x, w->web, st);
}

void connect_error_refuse(struct exchange *x, const struct web *web, unsigned http,
			  const struct status *why)
{
	struct answer a;

	answer_init_api(&a, JSON_TYPE, NULL);
	cors_head(web->cors, x, http, &a);
	send_body(x, web, why);
}
