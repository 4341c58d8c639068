/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/jsonpeek.h"

#include <string.h>

#include "base/err.h"
#include "base/json_scan.h"

enum { DEPTH_MAX = 16, NAMES_MAX = 256 };

static int skip(struct json_scan *s, struct jsonpeek *ret, int depth);

static int skip_name(struct json_scan *s)
{
	size_t len;
	char *name;
	int r = json_scan_string(s, &name, &len);

	return r ? r : json_scan_take(s, ':') ? 0 : -EBADMSG;
}

/* Behind the opening bracket, to behind the closing one. */
static int skip_inside(struct json_scan *s, char close, int depth)
{
	struct jsonpeek ignored;
	int r;

	if (json_scan_take(s, close))
		return 0;
	do {
		r = close == '}' ? skip_name(s) : 0;
		if (!r)
			r = skip(s, &ignored, depth + 1);
		if (r)
			return r;
	} while (json_scan_take(s, ','));
	return json_scan_take(s, close) ? 0 : -EBADMSG;
}

static int skip_scalar(struct json_scan *s, struct jsonpeek *ret)
{
	char *text;
	int r;

	if (json_scan_peek(s) == '"') {
		ret->kind = JSONPEEK_STRING;
		r = json_scan_string(s, &text, &ret->len);
		if (!r)
			ret->s = text;
		return r;
	}
	ret->kind = JSONPEEK_WORD;
	if (json_scan_word(s, "null") || json_scan_word(s, "true") || json_scan_word(s, "false"))
		return 0;
	ret->kind = JSONPEEK_NUMBER;
	return json_scan_number(s, &ret->s, &ret->len);
}

static int skip(struct json_scan *s, struct jsonpeek *ret, int depth)
{
	char next = json_scan_peek(s);
	const char *start = s->p;
	int r;

	if (depth > DEPTH_MAX)
		return -EBADMSG;
	if (next != '{' && next != '[')
		return skip_scalar(s, ret);
	ret->kind = next == '{' ? JSONPEEK_OBJECT : JSONPEEK_ARRAY;
	s->p++;
	r = skip_inside(s, next == '{' ? '}' : ']', depth);
	ret->s = start;
	ret->len = (size_t)(s->p - start);
	return r;
}

/* Two members of one name may be read as one by us and as the other by the signer. */
static int is_new(const char *names[NAMES_MAX], size_t *n, const char *name)
{
	for (size_t i = 0; i < *n; i++) {
		if (!strcmp(names[i], name))
			return -EBADMSG;
	}
	if (*n == NAMES_MAX)
		return -EBADMSG;
	names[(*n)++] = name;
	return 0;
}

static int walk_one(struct json_scan *s, bool object, const char *names[NAMES_MAX], size_t *n,
		    struct jsonpeek *ret)
{
	char *name = (char *)"";
	size_t len = 0;
	int r;

	if (object) {
		r = json_scan_peek(s) == '"' ? json_scan_string(s, &name, &len) : -EBADMSG;
		if (!r)
			r = json_scan_take(s, ':') ? 0 : -EBADMSG;
		if (!r)
			r = is_new(names, n, name);
		if (r)
			return r;
	} else if ((*n)++ == NAMES_MAX) {
		return -EBADMSG;
	} else {
		names[0] = name;
	}
	return skip(s, ret, 1);
}

int jsonpeek_walk(struct arena *arena, const char *text, size_t len, jsonpeek_fn fn, void *arg)
{
	struct json_scan s = {.p = text, .end = text + len, .arena = arena};
	const char *names[NAMES_MAX];
	bool object = json_scan_take(&s, '{');
	struct jsonpeek value;
	size_t n = 0;
	int r;

	if (!object && !json_scan_take(&s, '['))
		return -EBADMSG;
	if (!json_scan_take(&s, object ? '}' : ']')) {
		do {
			value = (struct jsonpeek){.s = ""};
			r = walk_one(&s, object, names, &n, &value);
			if (r)
				return r == -ENOMEM ? r : -EBADMSG;
			r = fn(arg, object ? names[n - 1] : "", &value);
			if (r)
				return r;
		} while (json_scan_take(&s, ','));
		if (!json_scan_take(&s, object ? '}' : ']'))
			return -EBADMSG;
	}
	return json_scan_peek(&s) == '\0' && s.p == s.end ? 0 : -EBADMSG;
}
