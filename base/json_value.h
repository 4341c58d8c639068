/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One scalar from its text, into the memory of a field: shared by JSON
 * members, map keys and URL parameters. *ret_rule tells what is wrong in plain
 * words (static text). 0, ERR_FIELD_INVALID, -ENOMEM, -EBADMSG. Pure.
 */
#ifndef QM_JSON_VALUE_H
#define QM_JSON_VALUE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/* s is a JSON number. */
int json_value_number(const ProtobufCFieldDescriptor *f, const char *s, size_t len, void *at,
		      const char **ret_rule) _must_check_;
/* s is the text of a JSON string, valid UTF-8 and NUL-terminated; strings point to it afterwards.
 */
int json_value_string(const ProtobufCFieldDescriptor *f, char *s, size_t len, struct arena *arena,
		      void *at, const char **ret_rule) _must_check_;
int json_value_bool(const ProtobufCFieldDescriptor *f, bool on, void *at, const char **ret_rule)
	_must_check_;
/* A message that is written as a string: Timestamp, Duration, FieldMask. */
int json_value_text(const ProtobufCMessageDescriptor *desc, const char *s, size_t len,
		    struct arena *arena, ProtobufCMessage **at, const char **ret_rule) _must_check_;
/* What the field wants: "expected a string". */
const char *json_value_wants(const ProtobufCFieldDescriptor *f);
const char *json_value_wants_message(const ProtobufCMessageDescriptor *desc);
/* A zeroed message of the type. */
ProtobufCMessage *json_value_message(const ProtobufCMessageDescriptor *desc, struct arena *arena);

#endif
