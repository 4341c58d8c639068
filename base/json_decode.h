/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values and messages out of JSON, for the files of the codec: an Any holds a
 * message, and a message may hold an Any. Everything is made in the reader's
 * arena. 0, ERR_FIELD_INVALID with the error told, -ENOMEM.
 */
#ifndef QM_JSON_DECODE_H
#define QM_JSON_DECODE_H

#include "base/json_read.h"

/* A message in whatever form it is written; *at is untouched on failure. */
int json_decode_message(struct json_read *r, const ProtobufCMessageDescriptor *desc,
			ProtobufCMessage **at) _must_check_;
/* As an object of its fields; in an Any "@type" may stand among them. */
int json_decode_object(struct json_read *r, const ProtobufCMessageDescriptor *desc, bool in_any,
		       ProtobufCMessage **at) _must_check_;

#endif
