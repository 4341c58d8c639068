/* SPDX-License-Identifier: Apache-2.0 */
/* No state: everything lies on the caller's stack and in the exchange. */
#include "gateway/answer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/err.h"
#include "base/text.h"

#define REQUEST_ID_MAX 33

void answer_add(struct answer *a, const char *name, const char *value)
{
	if (!value || a->n == ANSWER_MAX_HEADERS)
		return;
	a->headers[a->n++] = (struct header){name, value, strlen(value)};
}

void answer_own(struct answer *a, const char *name, const char *value)
{
	for (size_t i = 0; i < a->n && strcmp(name, "cache-control") == 0; i++) {
		if (strcmp(a->headers[i].name, name) != 0)
			continue;
		a->headers[i] = (struct header){name, value, strlen(value)};
		return;
	}
	answer_add(a, name, value);
}

void answer_init_api(struct answer *a, const char *content_type, const char *request_id)
{
	a->n = 0;
	answer_add(a, "content-type", content_type);
	answer_add(a, "cache-control", "no-store");
	answer_add(a, "x-content-type-options", "nosniff");
	answer_add(a, "cross-origin-resource-policy", "same-origin");
	answer_add(a, "x-request-id", request_id);
}

void answer_send(struct exchange *x, unsigned http, const struct answer *a, const void *body,
		 size_t len)
{
	exchange_head(x, http, a->headers, a->n);
	if (len)
		exchange_write(x, body, len);
	exchange_finish(x, NULL, 0);
}

void answer_status(struct exchange *x, unsigned http, const struct status *s,
		   const char *request_id, const char *allow)
{
	_cleanup_(freep) char *json = status_json(s);
	const char *body =
		json ? json : "{\"code\":13,\"message\":\"out of memory\",\"details\":[]}";
	struct answer a;
	char retry[24];

	answer_init_api(&a, "application/json", request_id);
	if (s->retry_ms) {
		snprintf(retry, sizeof(retry), "%llu",
			 (unsigned long long)((s->retry_ms + 999) / 1000));
		answer_add(&a, "retry-after", retry);
	}
	if (http == 401)
		answer_add(&a, "www-authenticate", "Bearer realm=\"quazzar\"");
	answer_add(&a, "allow", allow);
	answer_send(x, http, &a, body, strlen(body));
}

static enum grpc_code code_of(unsigned http)
{
	switch (http) {
	case 404:
		return GRPC_NOT_FOUND;
	case 405:
		return GRPC_UNIMPLEMENTED;
	case 500:
		return GRPC_INTERNAL;
	case 503:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_INVALID_ARGUMENT;
	}
}

/* As call_new takes them: 1 to 32 of [A-Za-z0-9_-]. */
static bool is_request_id(const char *s)
{
	size_t len = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");

	return len >= 1 && len < REQUEST_ID_MAX && s[len] == '\0';
}

/* The caller's x-request-id, else a new one. */
static void request_id_of(const struct exchange *x, char ret[REQUEST_ID_MAX])
{
	const char *given = exchange_header(x, "x-request-id");
	struct uuid id;

	if (given && is_request_id(given)) {
		snprintf(ret, REQUEST_ID_MAX, "%s", given);
		return;
	}
	id = uuid_make();
	text_hex(id.b, sizeof(id.b), ret);
}

void answer_refuse(struct exchange *x, unsigned http, const char *allow, const char *fmt, ...)
{
	struct status s = {.code = code_of(http)};
	char request_id[REQUEST_ID_MAX];
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&s.message, fmt, ap) < 0)
		s.message = NULL;
	va_end(ap);
	request_id_of(x, request_id);
	answer_status(x, http, &s, request_id, allow);
	status_done(&s);
}

/* One element of Accept, up to its parameters, against "type/subtype". */
static bool range_fits(const char *range, size_t len, const char *type)
{
	size_t major = strcspn(type, "/") + 1;

	if (len == 3 && memcmp(range, "*/*", 3) == 0)
		return true;
	if (len == major + 1 && range[len - 1] == '*')
		return strncasecmp(range, type, major) == 0;
	return len == strlen(type) && strncasecmp(range, type, len) == 0;
}

bool answer_accepts(const struct exchange *x, const char *type)
{
	const char *p = exchange_header(x, "accept");

	if (!p || !*p)
		return true;
	while (*p) {
		size_t len;

		p += strspn(p, " \t,");
		len = strcspn(p, " \t,;");
		if (len && range_fits(p, len, type))
			return true;
		p += strcspn(p, ",");
	}
	return false;
}
