/* SPDX-License-Identifier: Apache-2.0 */
/* The path lies in the error itself, so that a refusal needs no copy of it. */
#include "base/json_read.h"

#include <stdarg.h>
#include <string.h>

#include "base/err.h"

/* Cuts at max bytes, never inside a UTF-8 sequence. */
static void cut_utf8(char *s, size_t max)
{
	size_t len = strlen(s);

	if (len <= max)
		return;
	while (max > 0 && ((unsigned char)s[max] & 0xc0) == 0x80)
		max--;
	s[max] = '\0';
}

int json_read_refuse(struct json_read *r, const char *rule)
{
	snprintf(r->error->rule, sizeof(r->error->rule), "%s", rule);
	return ERR_FIELD_INVALID;
}

int json_read_unexpected(struct json_read *r, const char *wants)
{
	char c = json_scan_peek(&r->scan);
	bool is_word;

	if (!c)
		return json_read_refuse(r, "the text ends too early");
	if (json_scan_word(&r->scan, "null"))
		return json_read_refuse(r, "null is not allowed here");
	is_word = json_scan_word(&r->scan, "true") || json_scan_word(&r->scan, "false");
	return json_read_refuse(r, is_word || strchr("\"{[-0123456789", c) ? wants : "not JSON");
}

int json_read_string(struct json_read *r, char **ret, size_t *ret_len)
{
	int rc = json_scan_string(&r->scan, ret, ret_len);

	return rc == ERR_FIELD_INVALID ? json_read_refuse(r, r->scan.rule) : rc;
}

size_t json_read_push(struct json_read *r, const char *fmt, ...)
{
	size_t before = r->path_len;
	size_t room = sizeof(r->error->path) - before;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(r->error->path + before, room, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n >= room)
		cut_utf8(r->error->path, sizeof(r->error->path) - 5);
	r->path_len = strlen(r->error->path);
	return before;
}

static void pop(struct json_read *r, size_t before)
{
	r->path_len = before;
	r->error->path[before] = '\0';
}

static int enter(struct json_read *r)
{
	if (++r->depth > JSON_MAX_DEPTH)
		return json_read_refuse(r, "nested too deeply");
	return 0;
}

int json_read_name(struct json_read *r, char **ret, size_t *ret_len)
{
	if (json_scan_peek(&r->scan) != '"')
		return json_read_refuse(r, "expected a name in quotes");
	return json_read_string(r, ret, ret_len);
}

static int read_member(struct json_read *r, bool is_map, json_read_member_fn fn, void *arg)
{
	size_t before, len;
	char *name;
	int rc;

	rc = json_read_name(r, &name, &len);
	if (rc)
		return rc;
	before = is_map ? json_read_push(r, "[%s]", name)
			: json_read_push(r, "%s%s", r->path_len ? "." : "", name);
	if (!json_scan_take(&r->scan, ':'))
		return json_read_refuse(r, "expected : after a name");
	rc = fn(r, name, len, arg);
	if (!rc)
		pop(r, before);
	return rc;
}

int json_read_object(struct json_read *r, bool is_map, json_read_member_fn fn, void *arg)
{
	int rc;

	if (!json_scan_take(&r->scan, '{'))
		return json_read_unexpected(r, "expected an object");
	rc = enter(r);
	if (rc)
		return rc;
	if (!json_scan_take(&r->scan, '}')) {
		do {
			rc = read_member(r, is_map, fn, arg);
			if (rc)
				return rc;
		} while (json_scan_take(&r->scan, ','));
		if (!json_scan_take(&r->scan, '}'))
			return json_read_refuse(r, "expected , or } in an object");
	}
	r->depth--;
	return 0;
}

static int read_items(struct json_read *r, json_read_item_fn fn, void *arg)
{
	for (size_t i = 0;; i++) {
		size_t before = json_read_push(r, "[%zu]", i);
		int rc = fn(r, arg);

		if (rc)
			return rc;
		pop(r, before);
		if (json_scan_take(&r->scan, ']'))
			return 0;
		if (!json_scan_take(&r->scan, ','))
			return json_read_refuse(r, "expected , or ] in an array");
	}
}

int json_read_array(struct json_read *r, json_read_item_fn fn, void *arg)
{
	int rc;

	if (!json_scan_take(&r->scan, '['))
		return json_read_unexpected(r, "expected an array");
	rc = enter(r);
	if (!rc && !json_scan_take(&r->scan, ']'))
		rc = read_items(r, fn, arg);
	if (!rc)
		r->depth--;
	return rc;
}
