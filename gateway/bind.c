/* SPDX-License-Identifier: Apache-2.0 */
/* Names are compared as protobuf has them; values are set by the JSON codec. */
#include "gateway/bind.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/json_field.h"
#include "base/json_time.h"
#include "gateway/export.h"
#include "gateway/url.h"
#include "gen/rpc/rules.h"

#define MAX_PARAMS 64
#define PAGE_TOKEN "page_token"

static int set(struct call *call, ProtobufCMessage *msg, const char *name, const char *value)
{
	struct json_error error;
	int r = json_set_text(msg, name, value, &call->arena, &error);

	if (r == ERR_FIELD_INVALID)
		return call_field(call, error.path, "%s", error.rule);
	return r;
}

/* A body may repeat what the path says, not gainsay it. */
static bool contradicts(const ProtobufCMessage *msg, const char *name, const char *value)
{
	const ProtobufCFieldDescriptor *f = json_field_find(msg->descriptor, name);
	const char *given;

	if (!f || f->type != PROTOBUF_C_TYPE_STRING || f->label == PROTOBUF_C_LABEL_REPEATED)
		return false;
	given = *(const char *const *)json_field_at(msg, f);
	return given && *given && strcmp(given, value) != 0;
}

int bind_path(struct call *call, const struct router_match *match, ProtobufCMessage *msg)
{
	for (size_t i = 0; i < match->n_vars; i++) {
		const struct router_var *v = &match->vars[i];
		char *name = arena_strndup(&call->arena, v->name, v->name_len);
		char *value;
		int r;

		if (!name)
			return err_origin(-ENOMEM);
		r = url_decode(v->value, v->value_len, false, &call->arena, &value);
		if (r > 0)
			return call_field(call, name, "broken percent escape in the path");
		if (r < 0)
			return err_trace(r);
		if (contradicts(msg, name, value))
			return call_field(call, name, "differs from the path");
		r = set(call, msg, name, value);
		if (r)
			return r;
	}
	return 0;
}

int bind_wait_ms(const char *s, uint64_t *ret_ms)
{
	size_t len = strlen(s);
	int64_t seconds;
	int32_t nanos;

	if (len > 2 && len < 16 && strcmp(s + len - 2, "ms") == 0) {
		char digits[16];

		snprintf(digits, sizeof(digits), "%.*s", (int)(len - 2), s);
		return text_parse_u64(digits, UINT32_MAX, ret_ms);
	}
	if (!json_time_parse_duration(s, len, &seconds, &nanos) || seconds < 0 || nanos < 0 ||
	    seconds > INT32_MAX)
		return -EINVAL;
	*ret_ms = (uint64_t)seconds * 1000 + (uint64_t)nanos / 1000000;
	return 0;
}

/* The longest wait that the contract lets a request ask for. */
static uint64_t wait_limit(const ProtobufCMessage *msg)
{
	const struct message_rules *rules = rules_find(msg->descriptor);
	const ProtobufCFieldDescriptor *f = json_field_find(msg->descriptor, "wait_ms");

	return rules ? (uint64_t)rules->fields[f - msg->descriptor->fields].max : UINT32_MAX;
}

/* Its bound is checked here: the dispatcher knows only the field, not what the caller wrote. */
static int set_wait(struct call *call, ProtobufCMessage *msg, const char *value)
{
	uint64_t ms, most = wait_limit(msg);
	char digits[24];

	if (bind_wait_ms(value, &ms) < 0)
		return call_field(call, "wait", "expected a duration like 5s or 500ms");
	if (ms > most)
		return call_field(call, "wait", "is longer than %llu ms", (unsigned long long)most);
	snprintf(digits, sizeof(digits), "%llu", (unsigned long long)ms);
	return set(call, msg, "wait_ms", digits);
}

static bool in_path(const struct router_match *match, const char *name)
{
	for (size_t i = 0; i < match->n_vars; i++) {
		if (strlen(name) == match->vars[i].name_len &&
		    memcmp(name, match->vars[i].name, match->vars[i].name_len) == 0)
			return true;
	}
	return false;
}

/* One parameter that is there for the first time. */
static int bind_param(struct call *call, const struct route *route,
		      const struct router_match *match, char *const param[2], ProtobufCMessage *msg)
{
	const char *name = param[0];
	bool has_wait = json_field_find(msg->descriptor, "wait_ms") != NULL;

	if (strcmp(name, EXPORT_PARAM) == 0 && export_forms(route->method))
		return 0;
	if (strcmp(name, "wait") == 0 && has_wait)
		return set_wait(call, msg, param[1]);
	if (route->body && strcmp(name, "wait_ms") != 0)
		return call_field(call, name, "unknown parameter; fields belong in the body");
	if (!json_field_find(msg->descriptor, name) && !strchr(name, '.'))
		return call_field(call, name, "unknown parameter");
	if (in_path(match, name))
		return call_field(call, name, "is given by the path");
	return set(call, msg, name, param[1]);
}

/* One name for both spellings, and for wait; *ret_many: it may come again. */
static const char *one_name(const ProtobufCMessage *msg, const char *name, bool *ret_many)
{
	const ProtobufCFieldDescriptor *f =
		json_field_find(msg->descriptor, strcmp(name, "wait") == 0 ? "wait_ms" : name);

	*ret_many = f && f->label == PROTOBUF_C_LABEL_REPEATED;
	return f ? f->name : name;
}

int bind_query(struct call *call, const struct route *route, const struct router_match *match,
	       const char *query, ProtobufCMessage *msg)
{
	struct url_query q = {.rest = query};
	const char *names[MAX_PARAMS];
	char *param[2];
	size_t n = 0;
	int r;

	while ((r = url_query_next(&q, &call->arena, &param[0], &param[1])) > 0) {
		bool many;
		const char *name = one_name(msg, param[0], &many);

		for (size_t i = 0; i < n; i++) {
			if (strcmp(names[i], name) == 0 && !many)
				return call_field(call, param[0], "given twice");
		}
		if (n == MAX_PARAMS)
			return call_field(call, param[0], "too many parameters");
		names[n++] = name;
		r = bind_param(call, route, match, param, msg);
		if (r)
			return r;
	}
	if (r == -EINVAL)
		return call_field(call, "query", "broken percent escape in the query");
	return r;
}

static bool is_page_token(const char *pair)
{
	return strncmp(pair, PAGE_TOKEN "=", sizeof(PAGE_TOKEN)) == 0 ||
	       strncmp(pair, "pageToken=", sizeof("pageToken=") - 1) == 0;
}

static void add_escaped(struct text *out, const char *s)
{
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		    strchr("-._~", c))
			text_add(out, s, 1);
		else
			text_addf(out, "%%%02X", c);
	}
}

/* What stands in a request target already has no '>' that could end the link: it is escaped. */
static void add_raw(struct text *out, const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '>' || s[i] == '<' || s[i] == '"')
			text_addf(out, "%%%02X", (unsigned char)s[i]);
		else
			text_add(out, s + i, 1);
	}
}

char *bind_next_link(const char *path, const char *query, const char *token, struct arena *arena)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(32768);

	text_adds(&out, "<");
	add_raw(&out, path, strlen(path));
	text_adds(&out, "?");
	while (query && *query) {
		size_t len = strcspn(query, "&");

		if (len && !is_page_token(query)) {
			add_raw(&out, query, len);
			text_adds(&out, "&");
		}
		query += len + (query[len] == '&');
	}
	text_adds(&out, PAGE_TOKEN "=");
	add_escaped(&out, token);
	text_adds(&out, ">; rel=\"next\"");
	return out.failed ? NULL : arena_strndup(arena, out.s, out.len);
}
