/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as JSON of a message that the first byte picks. What is taken must
 * come out again as the same text in both modes, and pack as protobuf.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "gen/rpc/types.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"
#include "quazzar/mesh/v1/agent.pb-c.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

#define MAX_OUT (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len);

static const ProtobufCMessageDescriptor *const types[] = {
	&pb__create_device_request__descriptor,
	&pb__list_devices_response__descriptor,
	&pb__get_orbit_features_response__descriptor,
	&pb__enroll_request__descriptor,
	&google__rpc__retry_info__descriptor,
	&google__rpc__quota_failure__descriptor,
	&google__rpc__status__descriptor,
};

/* Out, in, out: both texts must be equal. */
static void check_mode(const ProtobufCMessage *msg, enum json_mode mode, struct arena *arena)
{
	const struct json_schema schema = {msg->descriptor, &types_known};
	_cleanup_(text_done) struct text one = TEXT_INIT(MAX_OUT), two = TEXT_INIT(MAX_OUT);
	ProtobufCMessage *again = NULL;
	struct json_error error;

	if (json_encode_with(msg, mode, &types_known, &one) || one.failed)
		abort();
	if (json_decode_as(one.s, one.len, &schema, arena, &again, &error))
		abort();
	if (json_encode_with(again, mode, &types_known, &two) || two.failed ||
	    strcmp(one.s, two.s) != 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t len)
{
	struct json_schema schema = {.types = &types_known};
	ProtobufCMessage *msg = NULL;
	struct json_error error = {0};
	struct arena arena;
	int r;

	if (len == 0)
		return 0;
	arena_init(&arena, 64u << 20);
	schema.desc = types[p[0] % ARRAY_LEN(types)];
	r = json_decode_as((const char *)p + 1, len - 1, &schema, &arena, &msg, &error);
	if (r == 0) {
		check_mode(msg, JSON_REST, &arena);
		check_mode(msg, JSON_CANONICAL, &arena);
		if (protobuf_c_message_get_packed_size(msg) > MAX_OUT)
			abort();
	} else if (r > 0 && (!error.rule[0] || !text_utf8_ok(error.path, strlen(error.path)))) {
		abort();
	}
	arena_done(&arena);
	return 0;
}
