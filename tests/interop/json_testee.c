/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Under test by protobuf's conformance runner: it asks on stdin, we answer on
 * stdout, each message behind its length in four bytes, little-endian. Binary
 * goes through base/unpack.c and protobuf-c, JSON through base/json.c. What we
 * do not have (proto2, editions, text format, lenient JSON) is "skipped".
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/unpack.h"
#include "conformance.pb-c.h"
#include "google/protobuf/empty.pb-c.h"
#include "json_types.pb-c.h"

#define MAX_LEN (64u << 20)

#define TYPE "protobuf_test_messages.proto3.TestAllTypesProto3"

/* What the suite puts into an Any. */
#define GOOGLE(name) &google__protobuf__##name##__descriptor
static const ProtobufCMessageDescriptor *const all_types[] = {
	&protobuf_test_messages__proto3__test_all_types_proto3__descriptor,
	GOOGLE(any),
	GOOGLE(bool_value),
	GOOGLE(duration),
	GOOGLE(empty),
	GOOGLE(field_mask),
	GOOGLE(int32_value),
	GOOGLE(list_value),
	GOOGLE(string_value),
	GOOGLE(struct),
	GOOGLE(timestamp),
	GOOGLE(value),
};
static const struct json_types types = {.all = all_types, .n = ARRAY_LEN(all_types)};
static const struct json_schema schema = {
	&protobuf_test_messages__proto3__test_all_types_proto3__descriptor,
	&types,
};

/* An answer and what its members point to. */
struct answer {
	Conformance__ConformanceResponse pb;
	struct arena arena;
	struct text text;
	char words[600];
};

static void say(struct answer *a, Conformance__ConformanceResponse__ResultCase which,
		const char *words)
{
	snprintf(a->words, sizeof(a->words), "%s", words);
	a->pb.result_case = which;
	a->pb.skipped = a->words; /* every member of the union that is words lies here */
}

static ProtobufCMessage *read_json(struct answer *a, const char *s)
{
	ProtobufCMessage *msg = NULL;
	struct json_error error;
	char words[600];
	int r = json_decode_as(s, strlen(s), &schema, &a->arena, &msg, &error);

	if (r == 0)
		return msg;
	snprintf(words, sizeof(words), "%d %s: %s", r, error.path, error.rule);
	say(a, CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_PARSE_ERROR, words);
	return NULL;
}

static ProtobufCMessage *read_binary(struct answer *a, const ProtobufCBinaryData *b)
{
	ProtobufCMessage *msg =
		unpack_message(&protobuf_test_messages__proto3__test_all_types_proto3__descriptor,
			       arena_pb(&a->arena), b->data, b->len);

	if (!msg)
		say(a, CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_PARSE_ERROR, "no such message");
	return msg;
}

static void write_binary(struct answer *a, const ProtobufCMessage *msg)
{
	ProtobufCBinaryData b = {.len = protobuf_c_message_get_packed_size(msg)};

	b.data = arena_alloc(&a->arena, b.len + 1);
	if (!b.data) {
		say(a, CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_SERIALIZE_ERROR, "no memory");
		return;
	}
	protobuf_c_message_pack(msg, b.data);
	a->pb.result_case = CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_PROTOBUF_PAYLOAD;
	a->pb.protobuf_payload = b;
}

static void write_json(struct answer *a, const ProtobufCMessage *msg)
{
	int r = json_encode_with(msg, JSON_CANONICAL, &types, &a->text);

	if (r || a->text.failed) {
		say(a, CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_SERIALIZE_ERROR,
		    "has no form in JSON");
		return;
	}
	a->pb.result_case = CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_JSON_PAYLOAD;
	a->pb.json_payload = a->text.s;
}

static const char *skipped(const Conformance__ConformanceRequest *in)
{
	if (strcmp(in->message_type, TYPE) != 0)
		return "proto3 only";
	if (in->payload_case != CONFORMANCE__CONFORMANCE_REQUEST__PAYLOAD_PROTOBUF_PAYLOAD &&
	    in->payload_case != CONFORMANCE__CONFORMANCE_REQUEST__PAYLOAD_JSON_PAYLOAD)
		return "binary and JSON only";
	if (in->requested_output_format != CONFORMANCE__WIRE_FORMAT__PROTOBUF &&
	    in->requested_output_format != CONFORMANCE__WIRE_FORMAT__JSON)
		return "binary and JSON only";
	if (in->test_category == CONFORMANCE__TEST_CATEGORY__JSON_IGNORE_UNKNOWN_PARSING_TEST)
		return "JSON is read strictly";
	return NULL;
}

static void answer(const Conformance__ConformanceRequest *in, struct answer *a)
{
	const char *why = skipped(in);
	ProtobufCMessage *msg;

	if (why) {
		say(a, CONFORMANCE__CONFORMANCE_RESPONSE__RESULT_SKIPPED, why);
		return;
	}
	if (in->payload_case == CONFORMANCE__CONFORMANCE_REQUEST__PAYLOAD_JSON_PAYLOAD)
		msg = read_json(a, in->json_payload);
	else
		msg = read_binary(a, &in->protobuf_payload);
	if (!msg)
		return;
	if (in->requested_output_format == CONFORMANCE__WIRE_FORMAT__JSON)
		write_json(a, msg);
	else
		write_binary(a, msg);
}

static bool send_answer(const Conformance__ConformanceResponse *pb)
{
	size_t len = conformance__conformance_response__get_packed_size(pb);
	uint8_t *p = malloc(4 + len);
	bool ok;

	if (!p)
		return false;
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(len >> (8 * i));
	conformance__conformance_response__pack(pb, p + 4);
	ok = fwrite(p, 4 + len, 1, stdout) == 1 && fflush(stdout) == 0;
	free(p);
	return ok;
}

static bool serve(const uint8_t *p, size_t len)
{
	struct answer a = {
		.pb = CONFORMANCE__CONFORMANCE_RESPONSE__INIT,
		.text = TEXT_INIT(MAX_LEN),
	};
	Conformance__ConformanceRequest *in =
		conformance__conformance_request__unpack(NULL, len, p);
	bool ok;

	if (!in)
		return false;
	arena_init(&a.arena, MAX_LEN);
	answer(in, &a);
	ok = send_answer(&a.pb);
	conformance__conformance_request__free_unpacked(in, NULL);
	text_done(&a.text);
	arena_done(&a.arena);
	return ok;
}

int main(void)
{
	uint8_t head[4];

	while (fread(head, sizeof(head), 1, stdin) == 1) {
		size_t len = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 |
			     (size_t)head[3] << 24;
		uint8_t *p = len <= MAX_LEN ? malloc(len + 1) : NULL;
		bool ok = p && (len == 0 || fread(p, len, 1, stdin) == 1) && serve(p, len);

		free(p);
		if (!ok)
			return 1;
	}
	return ferror(stdin) ? 1 : 0;
}
