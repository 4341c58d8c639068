/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One JSON codec for every generated message, driven by protobuf-c's
 * descriptors. Two modes: REST (proto names, defaults emitted, an absent
 * message is null) and CANONICAL (lowerCamelCase, defaults omitted). Input
 * takes both spellings. int64 and uint64 as strings out, numbers or strings in;
 * bytes base64; enums by name out, name or number in; maps as objects; the
 * messages of google.protobuf in the forms that ProtoJSON gives them. Absent
 * oneof members are left out; null in is absent.
 *
 * Text is read straight into the arena, without a tree between: what is
 * secret lies in memory that is wiped, and all 64 bits of a number arrive.
 */
#ifndef QM_JSON_H
#define QM_JSON_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "base/arena.h"
#include "base/text.h"

enum json_mode { JSON_REST, JSON_CANONICAL };

#define JSON_MAX_DEPTH 32 /* objects and arrays inside each other */

/*
 * The types that a google.protobuf.Any may hold, in any order. Without them, or
 * with another type in it, an Any can neither be read nor written.
 */
struct json_types {
	const ProtobufCMessageDescriptor *const *all;
	size_t n;
};

/* "type.googleapis.com/a.b.C": what is behind the last slash; NULL: not among them. */
const ProtobufCMessageDescriptor *json_types_find(const struct json_types *types, const char *url,
						  size_t len);

/* What a text is read as. */
struct json_schema {
	const ProtobufCMessageDescriptor *desc;
	const struct json_types *types; /* NULL: none */
};

/* Where and why a document was refused. */
struct json_error {
	char path[256]; /* "device.labels[3]" ; "" is the document */
	char rule[256]; /* plain words: "unknown field", "expected a string" */
};

/*
 * Text -> message in the arena. Refuses unknown fields, duplicate keys, wrong
 * types, numbers out of range, over-deep nesting, trailing bytes, invalid UTF-8.
 * 0, ERR_FIELD_INVALID with *ret_error filled, -ENOMEM.
 */
int json_decode(const char *s, size_t len, const ProtobufCMessageDescriptor *desc,
		struct arena *arena, ProtobufCMessage **ret_msg, struct json_error *ret_error)
	_must_check_;
/* The same where an Any may be inside. */
int json_decode_as(const char *s, size_t len, const struct json_schema *schema, struct arena *arena,
		   ProtobufCMessage **ret_msg, struct json_error *ret_error) _must_check_;
/* Sets one field, "a.b" paths allowed, from text as in a URL (path or query). Repeated fields
 * append. */
int json_set_text(ProtobufCMessage *msg, const char *path, const char *value, struct arena *arena,
		  struct json_error *ret_error) _must_check_;
/* Message -> text appended to out; out->failed when it did not fit. -EBADMSG for what has no JSON
 * form. */
int json_encode(const ProtobufCMessage *msg, enum json_mode mode, struct text *out) _must_check_;
/* The same where an Any may be inside. */
int json_encode_with(const ProtobufCMessage *msg, enum json_mode mode,
		     const struct json_types *types, struct text *out) _must_check_;
/* Only one field of the message: an array, object or scalar (response_body). */
int json_encode_field(const ProtobufCMessage *msg, const char *field, enum json_mode mode,
		      struct text *out) _must_check_;
/* A quoted JSON string. */
void json_quote(struct text *out, const char *s);

#endif
