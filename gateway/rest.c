/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body is gathered in the call's arena and parsed only after the guards,
 * when the dispatcher asks for the message. The arena wipes it all at the end.
 */
#include "gateway/rest.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/json.h"
#include "base/json_field.h"
#include "gateway/answer.h"
#include "gateway/bind.h"
#include "gateway/sse.h"
#include "gen/rpc/auth_service.h"
#include "gen/rpc/rules.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/origin.h"

#define JSON_TYPE "application/json"
/* The peers of a full tenant, 61,000 of them. */
#define ANSWER_MAX_LEN (64u << 20)

/* --- request --- */

int rest_decode(struct call *call, ProtobufCMessage **ret_in)
{
	struct rest *r = call->door_data;
	const char *body = r->body_len ? (const char *)r->body : "{}";
	size_t len = r->body_len ? r->body_len : 2;
	struct json_error error;
	ProtobufCMessage *msg;
	int e;

	e = json_decode(body, len, call->method->in, &call->arena, &msg, &error);
	if (e == ERR_FIELD_INVALID)
		return call_field(call, error.path[0] ? error.path : "body", "%s", error.rule);
	if (e)
		return err_trace(e);
	e = bind_path(call, &r->match, msg);
	if (!e)
		e = bind_query(call, r->route, &r->match, r->query, msg);
	if (e)
		return e;
	*ret_in = msg;
	return 0;
}

/* --- answer --- */

/* The session goes into the cookie as long as it lives. */
static int keep_session(struct rest *r, const ProtobufCMessage *msg)
{
	const Pb__LoginResponse *login = (const Pb__LoginResponse *)msg;
	int64_t left_s =
		login->expires_at ? login->expires_at->seconds - clock_wall_ms() / 1000 : 0;

	if (!r->cookie_name[0] || left_s <= 0)
		return 0;
	r->set_cookie = cookie_line(r->cookie_name, login->token, left_s, &r->call->arena);
	return r->set_cookie ? 0 : err_origin(-ENOMEM);
}

/* Link to the next page, when the answer names one. */
static int link_next(struct rest *r, const ProtobufCMessage *msg)
{
	const ProtobufCFieldDescriptor *f = json_field_find(msg->descriptor, "next_page_token");
	const char *token;

	if (!f || f->type != PROTOBUF_C_TYPE_STRING)
		return 0;
	token = *(const char *const *)json_field_at(msg, f);
	if (!token || !*token)
		return 0;
	r->link = bind_next_link(r->path, r->query, token, &r->call->arena);
	return r->link ? 0 : err_origin(-ENOMEM);
}

static int write_body(struct rest *r, const ProtobufCMessage *msg, struct text *out)
{
	const struct route *route = r->route;

	if (route->method->policy.http_status == 204)
		return 0;
	if (r->form != EXPORT_JSON)
		return export_body(msg, route->response_body, r->form, out);
	if (route->response_body)
		return json_encode_field(msg, route->response_body, JSON_REST, out);
	return json_encode(msg, JSON_REST, out);
}

static int encode(struct call *call, const ProtobufCMessage *msg, struct frame **ret_frame)
{
	const struct message_rules *rules = rules_find(msg->descriptor);
	struct rest *r = call->door_data;
	_cleanup_(text_done) struct text out = TEXT_INIT(ANSWER_MAX_LEN);
	struct frame *frame;
	int e;

	e = write_body(r, msg, &out);
	if (!e && call->method == &auth_service_methods[METHOD_AUTH_LOGIN])
		e = keep_session(r, msg);
	if (!e)
		e = link_next(r, msg);
	if (e)
		return err_trace(e);
	frame = out.failed ? NULL : frame_new(out.len);
	if (!frame)
		return err_origin(-ENOMEM);
	if (out.len)
		memcpy(frame->bytes + FRAME_HEAD_LEN, out.s, out.len);
	frame->secret = rules && rules->has_secret;
	*ret_frame = frame;
	return 0;
}

static void message(struct call *call, struct frame *frame)
{
	struct rest *r = call->door_data;

	frame_unref(r->frame);
	r->frame = frame;
}

static void add_call_headers(struct answer *a, const struct call *call)
{
	size_t n;
	const struct header *h = call_headers(call, &n);

	for (size_t i = 0; i < n; i++)
		answer_own(a, h[i].name, h[i].value);
}

/* A session that ended takes its cookie along, even when it had ended before. */
static const char *cleared_cookie(struct rest *r)
{
	if (r->call->method != &auth_service_methods[METHOD_AUTH_LOGOUT] || !r->cookie_name[0])
		return NULL;
	return cookie_line(r->cookie_name, "", 0, &r->call->arena);
}

void rest_answer_failure(struct rest *r)
{
	const struct status *s = &r->call->status;

	answer_status(r->x, s->err ? err_http(s->err) : err_http_of_grpc(s->code), s,
		      r->call->request_id, NULL);
}

static void answer_success(struct rest *r)
{
	const size_t head = FRAME_HEAD_LEN;
	size_t len = r->frame ? r->frame->len - head : 0;
	struct answer a;

	answer_init_api(&a, len ? export_type(r->form) : NULL, r->call->request_id);
	answer_add(&a, "content-disposition", export_disposition(r->form));
	answer_add(&a, "link", r->link);
	answer_add(&a, "set-cookie", r->set_cookie ? r->set_cookie : cleared_cookie(r));
	add_call_headers(&a, r->call);
	if (r->frame && r->frame->secret)
		exchange_mark_secret(r->x);
	answer_send(r->x, r->call->method->policy.http_status, &a,
		    r->frame ? r->frame->bytes + head : NULL, len);
}

static void done(struct call *call)
{
	struct rest *r = call->door_data;

	if (r->x) {
		r->x->user = NULL;
		if (call->status.code == GRPC_OK)
			answer_success(r);
		else
			rest_answer_failure(r);
		r->x = NULL;
	}
	frame_unref(r->frame);
	r->frame = NULL;
	call_unref(call);
}

static const struct call_door rest_call_door = {
	.name = "rest",
	.decode = rest_decode,
	.encode = encode,
	.message = message,
	.done = done,
};

/* --- the door --- */

/* "application/json", with parameters or without. */
static bool is_json(const char *type)
{
	size_t len = strlen(JSON_TYPE);

	return type && strncasecmp(type, JSON_TYPE, len) == 0 &&
	       (type[len] == '\0' || type[len] == ';' || type[len] == ' ');
}

static bool has_body(const struct exchange *x)
{
	const char *len = exchange_header(x, "content-length");

	return x->body_expected && !(len && strcmp(len, "0") == 0);
}

/* The request is over before it was a call. */
static void refuse(struct rest *r)
{
	r->x->user = NULL;
	rest_answer_failure(r);
	call_unref(r->call);
}

static void refuse_too_large(struct rest *r)
{
	status_set(&r->call->status, ERR_MESSAGE_TOO_LARGE,
		   "A message is larger than this method takes.");
	refuse(r);
}

/* Headers that forbid it to go on; true when the answer is out. */
static bool refused_by_head(struct exchange *x, const struct route *route, enum export_form form)
{
	const char *coding = exchange_header(x, "content-encoding");
	const char *type =
		route->method->kind == METHOD_SERVER_STREAM ? SSE_TYPE : export_type(form);

	if (!answer_accepts(x, type)) {
		answer_refuse(x, 406, NULL, "This address answers with %s only.", type);
		return true;
	}
	if (coding && strcasecmp(coding, "identity") != 0) {
		answer_refuse(x, 415, NULL, "Send the body as it is, without content-encoding.");
		return true;
	}
	if (has_body(x) && !is_json(exchange_header(x, "content-type"))) {
		answer_refuse(x, 415, NULL,
			      "Send the body as JSON, with content-type: application/json.");
		return true;
	}
	return false;
}

static bool refused_by_origin(struct rest *r)
{
	bool by_cookie = r->call->session_cookie && !exchange_header(r->x, "authorization");
	const char *why = NULL;

	if (origin_is_safe(r->x->method) || !origin_check(r->x, by_cookie, &why))
		return false;
	status_set(&r->call->status, ERR_CROSS_SITE, "%s", why);
	refuse(r);
	return true;
}

static bool refused_by_form(struct rest *r, bool is_form)
{
	if (is_form)
		return false;
	call_field(r->call, "format", "must be %s", export_forms(r->route->method));
	refuse(r);
	return true;
}

static bool refused_by_body(struct rest *r)
{
	const char *text = exchange_header(r->x, "content-length");
	uint64_t len = 0;

	if (has_body(r->x) && !r->route->body) {
		call_field(r->call, "body", "this method takes no body");
		refuse(r);
		return true;
	}
	if (text && text_parse_u64(text, UINT64_MAX, &len) == 0 &&
	    len > r->route->method->policy.body_limit) {
		refuse_too_large(r);
		return true;
	}
	return false;
}

/* Everything of the request that a worker may read later. */
static int copy_request(struct rest *r)
{
	struct arena *arena = &r->call->arena;

	r->path = arena_strdup(arena, r->x->path);
	if (!r->path)
		return err_origin(-ENOMEM);
	if (r->x->query) {
		r->query = arena_strdup(arena, r->x->query);
		if (!r->query)
			return err_origin(-ENOMEM);
	}
	for (size_t i = 0; i < r->match.n_vars; i++)
		r->match.vars[i].value = r->path + (r->match.vars[i].value - r->x->path);
	cookie_name(r->x, r->cookie_name);
	r->call->session_cookie = cookie_find(r->x, r->cookie_name, arena);
	return 0;
}

void rest_open(struct exchange *x, struct services *services, struct sse_table *streams,
	       const struct router_match *match)
{
	const struct method *method = match->route->method;
	bool is_stream = method->kind == METHOD_SERVER_STREAM;
	enum export_form form = EXPORT_JSON;
	struct call *call;
	struct rest *r;

	bool is_form = !export_forms(method) || export_form_of(method, x->query, &form);
	if (refused_by_head(x, match->route, form))
		return;
	call = call_new(services, method, x, is_stream ? &sse_call_door : &rest_call_door, NULL, 0);
	r = call ? arena_new(&call->arena, struct rest) : NULL;
	if (!r) {
		call_unref(call);
		answer_refuse(x, 500, NULL, "Out of memory.");
		return;
	}
	*r = (struct rest){.x = x,
			   .call = call,
			   .services = services,
			   .route = match->route,
			   .match = *match,
			   .form = form,
			   .streams = streams};
	call->door_data = r;
	call->agents_only =
		strncmp(match->route->pattern, ROUTER_AGENTS, strlen(ROUTER_AGENTS)) == 0;
	x->user = r;
	if (copy_request(r) < 0) {
		status_set(&call->status, ERR_INTERNAL, "Out of memory.");
		refuse(r);
		return;
	}
	if (!refused_by_origin(r) && !refused_by_form(r, is_form))
		(void)refused_by_body(r);
}

/* Doubles in the arena: what is left behind is wiped with it. */
static bool grow(struct rest *r, size_t need)
{
	size_t cap = r->body_cap ? r->body_cap : 512;
	uint8_t *bigger;

	while (cap < need)
		cap *= 2;
	if (cap == r->body_cap)
		return true;
	bigger = arena_alloc(&r->call->arena, cap);
	if (!bigger)
		return false;
	if (r->body_len)
		memcpy(bigger, r->body, r->body_len);
	r->body = bigger;
	r->body_cap = cap;
	return true;
}

void rest_data(struct rest *r, const uint8_t *p, size_t len)
{
	uint32_t limit = r->route->method->policy.body_limit;

	if (len == 0)
		return;
	if (!r->route->body) {
		call_field(r->call, "body", "this method takes no body");
		refuse(r);
	} else if (len > limit - r->body_len) {
		refuse_too_large(r);
	} else if (!grow(r, r->body_len + len)) {
		status_set(&r->call->status, ERR_INTERNAL, "Out of memory.");
		refuse(r);
	} else {
		memcpy(r->body + r->body_len, p, len);
		r->body_len += len;
	}
}

void rest_end(struct rest *r)
{
	if (r->call->method->kind == METHOD_SERVER_STREAM && sse_start(r) < 0) {
		status_set(&r->call->status, ERR_INTERNAL, "Out of memory.");
		refuse(r);
		return;
	}
	r->dispatched = true;
	dispatch(r->services, r->call);
}

void rest_drained(struct rest *r)
{
	call_drained(r->call);
}

void rest_gone(struct rest *r)
{
	if (r->sse)
		sse_gone(r);
	r->x->user = NULL;
	r->x = NULL;
	if (r->dispatched)
		dispatch_cancel(r->call, ERR_CANCELLED);
	else
		call_unref(r->call);
}
