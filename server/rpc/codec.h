/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call's messages in the form that its caller speaks: protobuf or JSON, on
 * every door alike ("+proto", "+json"). Framing and the order of things are
 * the doors'. On whatever thread the call runs at the moment.
 */
#ifndef QM_CODEC_H
#define QM_CODEC_H

#include "base/frame.h"
#include "server/rpc/call.h"

enum codec { CODEC_PROTO, CODEC_JSON };

/*
 * The request's bytes, inflated -> a message in the arena. 0; ERR_FIELD_INVALID with the path of
 * the field, or malformed, with the call's status set; -ENOMEM.
 */
int codec_decode(struct call *call, enum codec codec, const void *p, size_t len, enum err malformed,
		 ProtobufCMessage **ret_in) _must_check_;
/* A message of a stream, inflated: to the handler, as inflow_message has it. May end the call. */
void codec_inflow(struct call *call, enum codec codec, const void *p, size_t len);
/* An answer; compressed where that pays. 0, -ENOMEM, -EBADMSG for what JSON cannot say. */
int codec_frame(const struct call *call, enum codec codec, const ProtobufCMessage *msg, bool gzip,
		struct frame **ret_frame) _must_check_;

#endif
