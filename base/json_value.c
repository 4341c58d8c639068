/* SPDX-License-Identifier: Apache-2.0 */
/* Numbers are read as integers whenever they are written as such: no bit gets lost in a double. */
#include "base/json_value.h"

#include <errno.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/json_field.h"
#include "base/json_mask.h"
#include "base/json_scan.h"
#include "base/json_time.h"
#include "base/text.h"

/* A number is a sign and a magnitude until the field's range is known. */
struct integer {
	bool minus;
	uint64_t n;
};

static int refuse(const char **ret_rule, const char *rule)
{
	*ret_rule = rule;
	return ERR_FIELD_INVALID;
}

const char *json_value_wants_message(const ProtobufCMessageDescriptor *desc)
{
	switch (json_field_form(desc)) {
	case JSON_FORM_TIMESTAMP:
		return "expected a time like 2026-01-31T12:00:00Z";
	case JSON_FORM_DURATION:
		return "expected a duration like 1.5s";
	case JSON_FORM_MASK:
		return "expected names with commas between";
	case JSON_FORM_WRAPPER:
		return json_value_wants(desc->fields);
	case JSON_FORM_LIST:
		return "expected an array";
	case JSON_FORM_VALUE:
		return "expected a value";
	default:
		return "expected an object";
	}
}

const char *json_value_wants(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		return "expected a string";
	case PROTOBUF_C_TYPE_BYTES:
		return "expected base64 in a string";
	case PROTOBUF_C_TYPE_BOOL:
		return "expected true or false";
	case PROTOBUF_C_TYPE_ENUM:
		return json_field_is_null(f) ? "expected null" : "expected the name of a value";
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
		return "expected a number";
	case PROTOBUF_C_TYPE_MESSAGE:
		return json_value_wants_message(f->descriptor);
	default:
		return "expected a whole number";
	}
}

/* "12"; also "12.0" and "1e3", which are whole numbers in a roundabout way. */
static bool parse_integer(const char *s, size_t len, struct integer *ret)
{
	size_t at = len && s[0] == '-' ? 1 : 0;
	struct integer v = {.minus = at == 1};
	double d;

	for (; at < len && s[at] >= '0' && s[at] <= '9'; at++) {
		unsigned digit = (unsigned)(s[at] - '0');

		if (v.n > (UINT64_MAX - digit) / 10)
			return false;
		v.n = v.n * 10 + digit;
	}
	if (at < len) {
		char copy[64];

		if (len >= sizeof(copy))
			return false;
		memcpy(copy, s, len);
		copy[len] = '\0';
		d = strtod(copy, NULL);
		if (!(fabs(d) <= 9007199254740992.0) || fabs(d) != (double)(uint64_t)fabs(d))
			return false;
		v.minus = d < 0;
		v.n = (uint64_t)fabs(d);
	}
	*ret = v;
	return true;
}

static bool put_signed(struct integer v, unsigned bits, void *at)
{
	uint64_t most = (1ull << (bits - 1)) - (v.minus ? 0 : 1);
	int64_t n;

	if (v.n > most)
		return false;
	n = v.minus ? (int64_t)(0 - v.n) : (int64_t)v.n;
	if (bits == 32)
		*(int32_t *)at = (int32_t)n;
	else
		*(int64_t *)at = n;
	return true;
}

static bool put_unsigned(struct integer v, unsigned bits, void *at)
{
	if ((v.minus && v.n) || (bits == 32 && v.n > UINT32_MAX))
		return false;
	if (bits == 32)
		*(uint32_t *)at = (uint32_t)v.n;
	else
		*(uint64_t *)at = v.n;
	return true;
}

static int put_integer(const ProtobufCFieldDescriptor *f, const char *s, size_t len, void *at,
		       const char **ret_rule)
{
	struct integer v;
	bool ok = parse_integer(s, len, &v);

	if (!ok)
		return refuse(ret_rule, "expected a whole number in range");
	switch (f->type) {
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		ok = put_unsigned(v, 32, at);
		break;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		ok = put_unsigned(v, 64, at);
		break;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		ok = put_signed(v, 64, at);
		break;
	default: /* int32 and enums */
		ok = put_signed(v, 32, at);
		break;
	}
	return ok ? 0 : refuse(ret_rule, "number out of range");
}

static int put_real(const ProtobufCFieldDescriptor *f, const char *s, size_t len, void *at,
		    const char **ret_rule)
{
	char copy[400];
	double d;

	if (len >= sizeof(copy))
		return refuse(ret_rule, "number too long");
	memcpy(copy, s, len);
	copy[len] = '\0';
	d = strtod(copy, NULL);
	if (!isfinite(d) || (f->type == PROTOBUF_C_TYPE_FLOAT && fabs(d) > (double)FLT_MAX))
		return refuse(ret_rule, "number out of range");
	if (f->type == PROTOBUF_C_TYPE_FLOAT)
		*(float *)at = (float)d;
	else
		*(double *)at = d;
	return 0;
}

int json_value_number(const ProtobufCFieldDescriptor *f, const char *s, size_t len, void *at,
		      const char **ret_rule)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_BYTES:
	case PROTOBUF_C_TYPE_BOOL:
	case PROTOBUF_C_TYPE_MESSAGE:
		return refuse(ret_rule, json_value_wants(f));
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
		return put_real(f, s, len, at, ret_rule);
	default:
		return put_integer(f, s, len, at, ret_rule);
	}
}

int json_value_bool(const ProtobufCFieldDescriptor *f, bool on, void *at, const char **ret_rule)
{
	if (f->type != PROTOBUF_C_TYPE_BOOL)
		return refuse(ret_rule, json_value_wants(f));
	*(protobuf_c_boolean *)at = on;
	return 0;
}

static int put_bytes(const char *s, size_t len, struct arena *arena, ProtobufCBinaryData *at,
		     const char **ret_rule)
{
	size_t cap = len / 4 * 3 + 3;
	uint8_t *p = arena_alloc(arena, cap);
	size_t n;

	if (!p)
		return err_origin(-ENOMEM);
	if (text_unbase64_loose(s, len, p, cap, &n) < 0)
		return refuse(ret_rule, "not valid base64");
	at->data = p;
	at->len = n;
	return 0;
}

static int put_enum(const ProtobufCFieldDescriptor *f, const char *s, size_t len, void *at,
		    const char **ret_rule)
{
	const ProtobufCEnumValue *v =
		protobuf_c_enum_descriptor_get_value_by_name(f->descriptor, s);

	if (v) {
		*(int *)at = v->value;
		return 0;
	}
	if (len && json_scan_number_len(s, len) == len && !strpbrk(s, ".eE"))
		return put_integer(f, s, len, at, ret_rule);
	return refuse(ret_rule, "unknown name of a value");
}

/* "NaN" and its like have no form as a JSON number. */
static bool put_special(const ProtobufCFieldDescriptor *f, const char *s, void *at)
{
	double d;

	if (strcmp(s, "NaN") == 0)
		d = NAN;
	else if (strcmp(s, "Infinity") == 0)
		d = INFINITY;
	else if (strcmp(s, "-Infinity") == 0)
		d = -INFINITY;
	else
		return false;
	if (f->type == PROTOBUF_C_TYPE_FLOAT)
		*(float *)at = (float)d;
	else
		*(double *)at = d;
	return true;
}

ProtobufCMessage *json_value_message(const ProtobufCMessageDescriptor *desc, struct arena *arena)
{
	ProtobufCMessage *msg = arena_alloc(arena, desc->sizeof_message);

	if (msg)
		protobuf_c_message_init(desc, msg);
	return msg;
}

static bool parse_time(const ProtobufCMessageDescriptor *desc, const char *s, size_t len,
		       ProtobufCMessage *msg)
{
	int64_t *seconds = json_field_at(msg, &desc->fields[0]);
	int32_t *nanos = json_field_at(msg, &desc->fields[1]);

	return json_field_form(desc) == JSON_FORM_TIMESTAMP
		       ? json_time_parse(s, len, seconds, nanos)
		       : json_time_parse_duration(s, len, seconds, nanos);
}

int json_value_text(const ProtobufCMessageDescriptor *desc, const char *s, size_t len,
		    struct arena *arena, ProtobufCMessage **at, const char **ret_rule)
{
	ProtobufCMessage *msg = json_value_message(desc, arena);
	int r;

	if (!msg)
		return err_origin(-ENOMEM);
	if (json_field_form(desc) == JSON_FORM_MASK)
		r = json_mask_parse(s, arena, json_field_at(msg, desc->fields),
				    json_field_count(msg, desc->fields));
	else
		r = parse_time(desc, s, len, msg) ? 0 : ERR_FIELD_INVALID;
	if (r)
		return r > 0 ? refuse(ret_rule, json_value_wants_message(desc)) : err_trace(r);
	*at = msg;
	return 0;
}

int json_value_string(const ProtobufCFieldDescriptor *f, char *s, size_t len, struct arena *arena,
		      void *at, const char **ret_rule)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_STRING:
		*(char **)at = s;
		return 0;
	case PROTOBUF_C_TYPE_BYTES:
		return put_bytes(s, len, arena, at, ret_rule);
	case PROTOBUF_C_TYPE_ENUM:
		return put_enum(f, s, len, at, ret_rule);
	case PROTOBUF_C_TYPE_FLOAT:
	case PROTOBUF_C_TYPE_DOUBLE:
		if (put_special(f, s, at))
			return 0;
		break;
	default:
		break;
	}
	if (len == 0 || json_scan_number_len(s, len) != len)
		return refuse(ret_rule, json_value_wants(f));
	return json_value_number(f, s, len, at, ret_rule);
}
