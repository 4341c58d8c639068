/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A status from a peer as every protocol tells it on: gRPC's trailers are
 * header values, Connect's error is JSON with the same words and details.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/arena.h"
#include "base/json_scan.h"
#include "base/status.h"
#include "base/text.h"
#include "gateway/connect_error.h"
#include "server/rpc/grpc.h"
#include "server/rpc/service.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_value(const char *s)
{
	for (; s && *s; s++)
		assert(*s >= 0x20 && *s <= 0x7e);
}

static void check_grpc(const struct status *st)
{
	_cleanup_(grpc_words_done) struct grpc_words words;

	grpc_words_init(&words, st);
	assert(strspn(words.code, "0123456789") == strlen(words.code) && *words.code);
	check_value(words.message);
	check_value(words.details);
}

/* The value of a member of the one object, or NULL; all of it must be JSON. */
static char *read_value(struct json_scan *s, const char *wanted)
{
	char *text = NULL, *key, *found = NULL;
	const char *number;
	size_t len;

	if (json_scan_peek(s) == '"') {
		assert(json_scan_string(s, &text, &len) == 0);
		return text;
	}
	if (json_scan_word(s, "null") || json_scan_word(s, "true") || json_scan_word(s, "false"))
		return NULL;
	if (json_scan_peek(s) == '-' || (json_scan_peek(s) >= '0' && json_scan_peek(s) <= '9')) {
		assert(json_scan_number(s, &number, &len) == 0);
		return NULL;
	}
	if (json_scan_take(s, '[')) {
		if (json_scan_take(s, ']'))
			return NULL;
		do
			(void)read_value(s, "");
		while (json_scan_take(s, ','));
		assert(json_scan_take(s, ']'));
		return NULL;
	}
	assert(json_scan_take(s, '{'));
	if (json_scan_take(s, '}'))
		return NULL;
	do {
		assert(json_scan_string(s, &key, &len) == 0 && json_scan_take(s, ':'));
		text = read_value(s, "");
		if (strcmp(key, wanted) == 0)
			found = text;
	} while (json_scan_take(s, ','));
	assert(json_scan_take(s, '}'));
	return found;
}

static char *member(const struct text *json, struct arena *arena, const char *name)
{
	struct json_scan s = {.p = json->s, .end = json->s + json->len, .arena = arena};
	char *value = read_value(&s, name);

	assert(s.p == s.end);
	return value;
}

static void check_connect(const struct status *st)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(4u << 20);
	const struct service_hooks none = {0};
	static struct services *services;
	struct arena arena;

	if (!services)
		services = services_new(&none);
	assert(services);
	connect_error_json(st, service_types(services), &out);
	if (out.failed)
		return;
	arena_init(&arena, 16u << 20);
	assert(member(&out, &arena, "code"));
	if (st->message && *st->message)
		assert(strcmp(member(&out, &arena, "message"), st->message) == 0);
	arena_done(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct status st;

	if (status_decode(data, len, &st) != 0)
		return 0;
	check_grpc(&st);
	check_connect(&st);
	status_done(&st);
	return 0;
}
