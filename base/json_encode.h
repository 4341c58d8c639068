/* SPDX-License-Identifier: Apache-2.0 */
/* Messages into JSON, for the files of the codec: an Any holds a message, and a message an Any. */
#ifndef QM_JSON_ENCODE_H
#define QM_JSON_ENCODE_H

#include "base/json.h"

struct json_encode {
	struct text *out;
	enum json_mode mode;
	const struct json_types *types;
	unsigned depth; /* objects and arrays that are open */
};

/* In whatever form the message is written. 0, -ENOMEM, -EBADMSG. */
int json_encode_message(struct json_encode *e, const ProtobufCMessage *msg) _must_check_;
/* The fields alone, without braces; first: no comma in front of the first one. */
int json_encode_members(struct json_encode *e, const ProtobufCMessage *msg, bool first)
	_must_check_;

#endif
