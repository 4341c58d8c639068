/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Origins are compared as text: a browser writes scheme and host in lower case
 * and leaves a default port out, so that is the only form the list may have.
 */
#include "gateway/cors.h"

#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "base/text.h"

#define MAX_AGE "7200" /* seconds: Chromium's own bound */
#define NAMES_MAX 4096
/* Always readable for pages: how gRPC-Web says the end when it has no body. */
#define GRPC_NAMES "grpc-status, grpc-message, grpc-status-details-bin"
#define TOKEN_CHARS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~"

struct cors {
	char *list; /* NUL between the origins */
	size_t len;
};

/* Lower case as a browser sends it: scheme://host[:port], no path, no default port. */
static bool is_origin(const char *s, size_t len)
{
	static const char *const schemes[] = {"https://", "http://"};
	static const char *const defaults[] = {":443", ":80"};

	for (size_t i = 0; i < ARRAY_LEN(schemes); i++) {
		size_t scheme = strlen(schemes[i]), port = strlen(defaults[i]);

		if (len <= scheme || memcmp(s, schemes[i], scheme) != 0)
			continue;
		if (len > port && memcmp(s + len - port, defaults[i], port) == 0)
			return false;
		for (size_t at = scheme; at < len; at++)
			if (!strchr("abcdefghijklmnopqrstuvwxyz0123456789.-:[]", s[at]))
				return false;
		return s[scheme] != ':' && s[len - 1] != ':';
	}
	return false;
}

/* Adds "origin\0"; the list is as long as the text it is made of. */
static int add_origin(struct cors *c, const char *s, size_t len)
{
	if (!is_origin(s, len)) {
		log_error("gateway",
			  "cors_origins: \"%.*s\" is no origin; write scheme://host[:port] in "
			  "lower case, without the default port",
			  (int)len, s);
		return -EINVAL;
	}
	memcpy(c->list + c->len, s, len);
	c->len += len;
	c->list[c->len++] = '\0';
	return 0;
}

int cors_new(const char *origins, struct cors **ret)
{
	_cleanup_(cors_freep) struct cors *c = NULL;
	const char *p = origins ? origins : "";

	p += strspn(p, " \t,");
	if (!*p) {
		*ret = NULL;
		return 0;
	}
	c = calloc(1, sizeof(*c));
	if (c)
		c->list = malloc(strlen(p) + 1);
	if (!c || !c->list)
		return err_origin(-ENOMEM);
	while (*p) {
		size_t len = strcspn(p, " \t,");
		int r = add_origin(c, p, len);

		if (r)
			return r;
		p += len;
		p += strspn(p, " \t,");
	}
	*ret = TAKE(c);
	return 0;
}

void cors_free(struct cors *c)
{
	if (!c)
		return;
	free(c->list);
	free(c);
}

static const char *only_header(const struct exchange *x, const char *name)
{
	const char *found = NULL;

	for (size_t i = 0; i < x->n_headers; i++) {
		if (strcmp(x->headers[i].name, name) != 0)
			continue;
		if (found)
			return NULL;
		found = x->headers[i].value;
	}
	return found;
}

bool cors_allows(const struct cors *c, const struct exchange *x)
{
	const char *origin = c ? only_header(x, "origin") : NULL;

	if (!origin)
		return false;
	for (const char *p = c->list; p < c->list + c->len; p += strlen(p) + 1)
		if (strcmp(p, origin) == 0)
			return true;
	return false;
}

/* What the page may read: every header of this answer that it could not anyway. */
static void list_names(struct text *out, const struct answer *a)
{
	text_adds(out, GRPC_NAMES);
	for (size_t i = 0; i < a->n; i++) {
		const char *name = a->headers[i].name;

		if (strcmp(name, "content-type") != 0 && strcmp(name, "cache-control") != 0)
			text_addf(out, ", %s", name);
	}
}

void cors_head(const struct cors *c, struct exchange *x, unsigned http, struct answer *a)
{
	_cleanup_(text_done) struct text names = TEXT_INIT(NAMES_MAX);

	if (c && cors_allows(c, x)) {
		list_names(&names, a);
		answer_add(a, "access-control-allow-origin", exchange_header(x, "origin"));
		answer_add(a, "access-control-expose-headers", names.failed ? GRPC_NAMES : names.s);
	}
	if (c)
		answer_add(a, "vary", "origin");
	exchange_head(x, http, a->headers, a->n);
}

/* A list of header names, as it came: it goes back into a header. */
static const char *asked_headers(const struct exchange *x)
{
	const char *s = only_header(x, "access-control-request-headers");

	return s && s[strspn(s, TOKEN_CHARS ", \t")] == '\0' ? s : NULL;
}

bool cors_preflight(const struct cors *c, struct exchange *x, const char *methods)
{
	struct answer a = {.n = 0};

	if (strcmp(x->method, "OPTIONS") != 0 || !exchange_header(x, "origin") ||
	    !exchange_header(x, "access-control-request-method"))
		return false;
	if (!cors_allows(c, x)) {
		if (c)
			answer_add(&a, "vary", "origin");
		exchange_head(x, 403, a.headers, a.n);
		exchange_finish(x, NULL, 0);
		return true;
	}
	answer_add(&a, "access-control-allow-origin", exchange_header(x, "origin"));
	answer_add(&a, "access-control-allow-methods", methods);
	answer_add(&a, "access-control-allow-headers", asked_headers(x));
	answer_add(&a, "access-control-max-age", MAX_AGE);
	answer_add(&a, "vary",
		   "origin, access-control-request-method, access-control-request-headers");
	exchange_head(x, 204, a.headers, a.n);
	exchange_finish(x, NULL, 0);
	return true;
}
