/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a protobuf message that the first byte picks. What is taken has
 * good strings only; its JSON, where it has one, reads back as a message that
 * packs to the same bytes as what that one's JSON reads back as.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/unpack.h"
#include "google/rpc/error_details.pb-c.h"
#include "quazzar/mesh/v1/agent.pb-c.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

#define MAX_OUT (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

static const ProtobufCMessageDescriptor *const types[] = {
	&pb__create_device_request__descriptor,       &pb__list_devices_response__descriptor,
	&pb__get_orbit_features_response__descriptor, &pb__enroll_request__descriptor,
	&google__rpc__retry_info__descriptor,         &google__rpc__quota_failure__descriptor,
	&pb__subscribe_response__descriptor,
};

/* The message that msg's JSON is; NULL: it has none (a time out of range), or it is too large. */
static ProtobufCMessage *through_json(const ProtobufCMessage *msg, enum json_mode mode,
				      struct arena *arena)
{
	_cleanup_(text_done) struct text text = TEXT_INIT(MAX_OUT);
	ProtobufCMessage *back = NULL;
	struct json_error error;

	if (json_encode(msg, mode, &text))
		return NULL;
	if (text.failed)
		abort();
	if (json_decode(text.s, text.len, msg->descriptor, arena, &back, &error) &&
	    strcmp(error.rule, "too many entries") != 0)
		abort();
	return back;
}

static void check_mode(const ProtobufCMessage *msg, enum json_mode mode, struct arena *arena)
{
	ProtobufCMessage *one = through_json(msg, mode, arena), *two;
	uint8_t *a, *b;
	size_t len;

	if (!one)
		return;
	two = through_json(one, mode, arena);
	len = protobuf_c_message_get_packed_size(one);
	if (!two || len != protobuf_c_message_get_packed_size(two))
		abort();
	a = arena_alloc(arena, len + 1);
	b = arena_alloc(arena, len + 1);
	if (!a || !b)
		abort();
	protobuf_c_message_pack(one, a);
	protobuf_c_message_pack(two, b);
	if (memcmp(a, b, len) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	ProtobufCMessage *msg;
	struct arena arena;

	if (len == 0)
		return 0;
	arena_init(&arena, 64u << 20);
	msg = unpack_message(types[p[0] % ARRAY_LEN(types)], arena_pb(&arena), p + 1, len - 1);
	if (msg) {
		check_mode(msg, JSON_REST, &arena);
		check_mode(msg, JSON_CANONICAL, &arena);
	}
	arena_done(&arena);
	return 0;
}
