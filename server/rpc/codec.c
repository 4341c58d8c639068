/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The stream's side of a call takes protobuf. A message in JSON becomes that
 * first, in memory of its own that is wiped before the next.
 */
#include "server/rpc/codec.h"

#include <string.h>

#include "base/json.h"
#include "base/limits.h"
#include "base/unpack.h"
#include "gen/rpc/rules.h"
#include "server/rpc/call_queue.h"
#include "server/rpc/inflow.h"
#include "server/rpc/packing.h"
#include "server/rpc/service.h"

#define ANSWER_MAX_LEN (16u << 20)

static int decode_json(struct call *call, const void *p, size_t len, struct arena *arena,
		       ProtobufCMessage **ret_in)
{
	const struct json_schema schema = {call->method->in,
					   service_types(live_of(call)->services)};
	struct json_error error;
	int r = json_decode_as(p, len, &schema, arena, ret_in, &error);

	if (r == ERR_FIELD_INVALID)
		return call_field(call, error.path[0] ? error.path : "body", "%s", error.rule);
	return r ? err_trace(r) : 0;
}

int codec_decode(struct call *call, enum codec codec, const void *p, size_t len, enum err malformed,
		 ProtobufCMessage **ret_in)
{
	if (codec == CODEC_JSON)
		return decode_json(call, p, len, &call->arena, ret_in);
	*ret_in = unpack_message(call->method->in, arena_pb(&call->arena), p, len);
	if (!*ret_in)
		return call_fail(call, malformed,
				 "The request does not decode as the method's message.");
	return 0;
}

void codec_inflow(struct call *call, enum codec codec, const void *p, size_t len)
{
	_cleanup_(arena_done) struct arena arena;
	ProtobufCMessage *msg = NULL;
	uint8_t *bytes = NULL;
	int r;

	arena_init(&arena, LIMIT_CALL_ARENA + 4 * (size_t)call->method->policy.body_limit);
	if (codec == CODEC_PROTO) {
		inflow_message(call, p, len);
		return;
	}
	r = decode_json(call, p, len, &arena, &msg);
	if (!r)
		bytes = arena_alloc(&arena, protobuf_c_message_get_packed_size(msg) + 1);
	if (bytes)
		inflow_message(call, bytes, protobuf_c_message_pack(msg, bytes));
	else
		call_finish(call, r ? r : -ENOMEM);
}

static int json_frame(const struct call *call, const ProtobufCMessage *msg,
		      struct frame **ret_frame)
{
	const struct message_rules *rules = rules_find(msg->descriptor);
	_cleanup_(text_done) struct text out = TEXT_INIT(ANSWER_MAX_LEN);
	struct frame *frame;
	int r = json_encode_with(msg, JSON_CANONICAL, service_types(live_of(call)->services), &out);

	if (r)
		return err_trace(r);
	frame = out.failed ? NULL : frame_new(out.len);
	if (!frame)
		return err_origin(-ENOMEM);
	memcpy(frame->bytes + FRAME_HEAD_LEN, out.s, out.len);
	frame->secret = rules && rules->has_secret;
	*ret_frame = frame;
	return 0;
}

int codec_frame(const struct call *call, enum codec codec, const ProtobufCMessage *msg, bool gzip,
		struct frame **ret_frame)
{
	struct frame *frame;
	int r;

	if (codec == CODEC_PROTO)
		return packing_frame(msg, gzip, ret_frame);
	r = json_frame(call, msg, &frame);
	if (r)
		return err_trace(r);
	r = gzip ? packing_zip(&frame) : 0;
	if (r) {
		frame_unref(frame);
		return err_trace(r);
	}
	*ret_frame = frame;
	return 0;
}
