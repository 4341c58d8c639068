/* SPDX-License-Identifier: Apache-2.0 */
/*
 * google.protobuf.Any in JSON: the message in it as an object with one more
 * member that names its type. A type with a form of its own stands in "value":
 *
 *   {"@type": "type.googleapis.com/a.b.C", "field": 1}
 *   {"@type": "type.googleapis.com/google.protobuf.Duration", "value": "1.5s"}
 *
 * "@type" may stand anywhere among the members. For the files of the codec.
 */
#ifndef QM_JSON_ANY_H
#define QM_JSON_ANY_H

#include "base/json_encode.h"
#include "base/json_read.h"

#define JSON_ANY_TYPE "@type"

/* At the value of "@type", which is known already: passes it by, once. */
int json_any_pass_type(struct json_read *r, bool *seen) _must_check_;
/* desc is that of google.protobuf.Any. 0, ERR_FIELD_INVALID, -ENOMEM. */
int json_any_decode(struct json_read *r, const ProtobufCMessageDescriptor *desc,
		    ProtobufCMessage **at) _must_check_;
/* -EBADMSG, with a line in the log, when the type is unknown or the bytes are not of it. */
int json_any_encode(struct json_encode *e, const ProtobufCMessage *any) _must_check_;

#endif
