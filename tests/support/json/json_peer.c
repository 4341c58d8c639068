/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Our JSON codec, one question a line, for a script that asks another codec
 * the same. "D <hex of JSON>" answers "ok <hex of protobuf>" or "no <error>
 * <rule>"; "R" and "C" <hex of protobuf> answer "ok <hex of JSON>".
 */
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "kinds.pb-c.h"

#define MAX_LEN (4u << 20)

static const ProtobufCMessageDescriptor *const all_types[] = {
	&quazzar__test__inner__descriptor,
	&google__protobuf__any__descriptor,
	&google__protobuf__duration__descriptor,
	&google__protobuf__string_value__descriptor,
};
static const struct json_types types = {.all = all_types, .n = ARRAY_LEN(all_types)};
static const struct json_schema schema = {&quazzar__test__kinds__descriptor, &types};

static void print_hex(const void *p, size_t len)
{
	char *hex = malloc(TEXT_HEX_LEN(len) + 1);

	if (!hex)
		abort();
	text_hex(p, len, hex);
	printf("ok %s\n", hex);
	free(hex);
}

static void decode(const char *s, size_t len, struct arena *arena)
{
	ProtobufCMessage *msg;
	struct json_error error;
	uint8_t *packed;
	size_t n;
	int r = json_decode_as(s, len, &schema, arena, &msg, &error);

	if (r) {
		printf("no %d %s\n", r, error.rule); /* the path is text of the input */
		return;
	}
	n = protobuf_c_message_get_packed_size(msg);
	packed = malloc(n + 1);
	if (!packed)
		abort();
	print_hex(packed, protobuf_c_message_pack(msg, packed));
	free(packed);
}

static void encode(const uint8_t *p, size_t len, enum json_mode mode)
{
	ProtobufCMessage *msg =
		protobuf_c_message_unpack(&quazzar__test__kinds__descriptor, NULL, len, p);
	_cleanup_(text_done) struct text out = TEXT_INIT(MAX_LEN);
	int r = msg ? json_encode_with(msg, mode, &types, &out) : -EBADMSG;

	if (r || out.failed)
		printf("no %d\n", r);
	else
		print_hex(out.s, out.len);
	if (msg)
		protobuf_c_message_free_unpacked(msg, NULL);
}

int main(void)
{
	static char line[2 * MAX_LEN];
	static uint8_t bytes[MAX_LEN];

	while (fgets(line, sizeof(line), stdin)) {
		size_t len = strcspn(line, "\n");
		struct arena arena;

		line[len] = '\0';
		len = len > 2 ? (len - 2) / 2 : 0;
		if (text_unhex(line + 2, bytes, len) < 0)
			return 2;
		arena_init(&arena, 64u << 20);
		if (line[0] == 'D')
			decode((const char *)bytes, len, &arena);
		else
			encode(bytes, len, line[0] == 'R' ? JSON_REST : JSON_CANONICAL);
		arena_done(&arena);
		fflush(stdout);
	}
	return 0;
}
