/* SPDX-License-Identifier: Apache-2.0 */
/* Message -> text. Reading is in json_decode.c. One pass over the descriptor, no state. */
#include "base/json.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/err.h"
#include "base/json_field.h"
#include "base/json_mask.h"
#include "base/json_time.h"

static int encode_message(const ProtobufCMessage *msg, enum json_mode mode, struct text *out,
			  unsigned depth);

/* text_add without its call where there is room: an answer is a thousand small pieces. */
static inline void put(struct text *out, const char *p, size_t len)
{
	if (out->failed || out->len + len >= out->cap || out->len + len > out->max) {
		text_add(out, p, len);
		return;
	}
	memcpy(out->s + out->len, p, len);
	out->len += len;
	out->s[out->len] = '\0';
}

/* Bytes of a well-formed UTF-8 sequence at s; 0 if it is none. */
static size_t sequence_len(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	for (size_t i = 1; i < len; i++) {
		if (!s[i])
			return 0;
	}
	return text_utf8_ok(s, len) ? len : 0;
}

/*
 * '<', '>' and '&' are escaped too, so that an answer that somebody puts into
 * a page is no markup; U+2028 and U+2029 end lines in JavaScript.
 */
static size_t quote_special(struct text *out, const char *s)
{
	static const char short_from[] = "\"\\\n\r\t";
	static const char *const short_to[] = {"\\\"", "\\\\", "\\n", "\\r", "\\t"};
	const char *at = strchr(short_from, *s);
	size_t len;

	if (at) {
		put(out, short_to[at - short_from], 2);
		return 1;
	}
	if ((unsigned char)*s < 0x80) {
		text_addf(out, "\\u%04x", (unsigned char)*s);
		return 1;
	}
	len = sequence_len(s);
	if (len == 0) {
		put(out, "\\ufffd", 6);
		return 1;
	}
	if (memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0)
		text_adds(out, s[2] == '\xa8' ? "\\u2028" : "\\u2029");
	else
		put(out, s, len);
	return len;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

void json_quote(struct text *out, const char *s)
{
	if (!*s) {
		put(out, "\"\"", 2);
		return;
	}
	put(out, "\"", 1);
	while (*s) {
		const char *start = s;

		while (is_plain((unsigned char)*s))
			s++;
		put(out, start, (size_t)(s - start));
		if (*s)
			s += quote_special(out, s);
	}
	put(out, "\"", 1);
}

static void add_u64(struct text *out, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	put(out, digits + at, sizeof(digits) - at);
}

static void add_i64(struct text *out, int64_t n)
{
	if (n < 0)
		put(out, "-", 1);
	add_u64(out, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

/* The shortest decimal that reads back as the same number. */
static void add_double(struct text *out, double d, bool is_float)
{
	char s[40];

	if (isnan(d)) {
		put(out, "\"NaN\"", 5);
		return;
	}
	if (isinf(d)) {
		text_adds(out, d > 0 ? "\"Infinity\"" : "\"-Infinity\"");
		return;
	}
	if (d == 0) {
		text_adds(out, signbit(d) ? "-0.0" : "0");
		return;
	}
	for (int digits = is_float ? 6 : 15; digits <= 17; digits++) {
		snprintf(s, sizeof(s), "%.*g", digits, d);
		if (is_float ? strtof(s, NULL) == (float)d : strtod(s, NULL) == d)
			break;
	}
	text_adds(out, s);
}

static int add_base64(struct text *out, const ProtobufCBinaryData *b)
{
	char *s = malloc(TEXT_BASE64_LEN(b->len) + 1);

	if (!s)
		return err_origin(-ENOMEM);
	text_base64(b->data, b->len, s);
	put(out, "\"", 1);
	text_adds(out, s);
	put(out, "\"", 1);
	explicit_bzero(s, TEXT_BASE64_LEN(b->len));
	free(s);
	return 0;
}

static void add_enum(struct text *out, const ProtobufCEnumDescriptor *desc, int n)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(desc, n);

	if (!v) {
		add_i64(out, n);
		return;
	}
	put(out, "\"", 1);
	text_adds(out, v->name);
	put(out, "\"", 1);
}

static void add_quoted_number(struct text *out, bool is_signed, uint64_t n)
{
	put(out, "\"", 1);
	if (is_signed)
		add_i64(out, (int64_t)n);
	else
		add_u64(out, n);
	put(out, "\"", 1);
}

static int encode_mask(const ProtobufCMessage *msg, struct text *out)
{
	const ProtobufCFieldDescriptor *f = msg->descriptor->fields;
	_cleanup_(text_done) struct text paths = TEXT_INIT(out->max);

	if (!json_mask_text(*(char **const *)json_field_at(msg, f), *json_field_count(msg, f),
			    &paths))
		return err_origin(-EBADMSG);
	json_quote(out, paths.s ? paths.s : "");
	out->failed |= paths.failed;
	return 0;
}

/* One value at p. */
static int encode_value(const ProtobufCFieldDescriptor *f, const void *p, enum json_mode mode,
			struct text *out, unsigned depth)
{
	const char *s;

	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		add_i64(out, *(const int32_t *)p);
		return 0;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		add_u64(out, *(const uint32_t *)p);
		return 0;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		add_quoted_number(out, true, *(const uint64_t *)p);
		return 0;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		add_quoted_number(out, false, *(const uint64_t *)p);
		return 0;
	case PROTOBUF_C_TYPE_FLOAT:
		add_double(out, (double)*(const float *)p, true);
		return 0;
	case PROTOBUF_C_TYPE_DOUBLE:
		add_double(out, *(const double *)p, false);
		return 0;
	case PROTOBUF_C_TYPE_BOOL:
		text_adds(out, *(const protobuf_c_boolean *)p ? "true" : "false");
		return 0;
	case PROTOBUF_C_TYPE_ENUM:
		add_enum(out, f->descriptor, *(const int *)p);
		return 0;
	case PROTOBUF_C_TYPE_STRING:
		s = *(const char *const *)p;
		json_quote(out, s ? s : "");
		return 0;
	case PROTOBUF_C_TYPE_BYTES:
		return add_base64(out, p);
	default:
		if (*(ProtobufCMessage *const *)p)
			return encode_message(*(ProtobufCMessage *const *)p, mode, out, depth + 1);
		put(out, "null", 4);
		return 0;
	}
}

static int encode_time(const ProtobufCMessage *msg, enum json_form form, struct text *out)
{
	const ProtobufCMessageDescriptor *desc = msg->descriptor;
	char s[JSON_TIME_MAX];
	int64_t seconds;
	int32_t nanos;
	bool ok;

	if (desc->n_fields != 2)
		return err_origin(-EBADMSG);
	seconds = *(int64_t *)json_field_at(msg, &desc->fields[0]);
	nanos = *(int32_t *)json_field_at(msg, &desc->fields[1]);
	ok = form == JSON_FORM_TIMESTAMP ? json_time_text(seconds, nanos, s)
					 : json_time_duration_text(seconds, nanos, s);
	if (!ok)
		return err_origin(-EBADMSG);
	text_addf(out, "\"%s\"", s);
	return 0;
}

/* On the wire the last of two entries with one key counts; in JSON there may be but one. */
static bool is_replaced(ProtobufCMessage *const *entries, size_t n, size_t i)
{
	for (size_t later = i + 1; later < n; later++) {
		if (json_field_same_key(entries[i], entries[later]))
			return true;
	}
	return false;
}

/* "key": value; a key of any type is written as a string. */
static int encode_entry(const ProtobufCMessage *entry, enum json_mode mode, struct text *out,
			unsigned depth)
{
	const ProtobufCFieldDescriptor *key = entry->descriptor->fields, *value = key + 1;
	size_t at = out->len;
	int r = encode_value(key, json_field_at(entry, key), mode, out, depth);

	if (!r && !out->failed && out->s[at] != '"') {
		char copy[24];

		snprintf(copy, sizeof(copy), "%s", out->s + at);
		out->len = at;
		text_addf(out, "\"%s\"", copy);
	}
	put(out, ":", 1);
	if (r)
		return err_trace(r);
	if (value->type == PROTOBUF_C_TYPE_MESSAGE && !*(void **)json_field_at(entry, value)) {
		put(out, "{}", 2);
		return 0;
	}
	return encode_value(value, json_field_at(entry, value), mode, out, depth);
}

static int encode_map(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f,
		      enum json_mode mode, struct text *out, unsigned depth)
{
	ProtobufCMessage *const *entries = *(ProtobufCMessage *const **)json_field_at(msg, f);
	size_t n = *json_field_count(msg, f);
	bool first = true;

	put(out, "{", 1);
	for (size_t i = 0; i < n; i++) {
		int r;

		if (is_replaced(entries, n, i))
			continue;
		if (!first)
			put(out, ",", 1);
		first = false;
		r = encode_entry(entries[i], mode, out, depth);
		if (r)
			return err_trace(r);
	}
	put(out, "}", 1);
	return 0;
}

static int encode_repeated(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f,
			   enum json_mode mode, struct text *out, unsigned depth)
{
	size_t n = *json_field_count(msg, f);
	const char *p = *(const char *const *)json_field_at(msg, f);
	size_t size = json_field_size(f);

	if (depth + 1 > JSON_MAX_DEPTH)
		return err_origin(-EBADMSG);
	if (json_field_is_map(msg->descriptor, f))
		return encode_map(msg, f, mode, out, depth + 1);
	put(out, "[", 1);
	for (size_t i = 0; i < n; i++) {
		int r;

		if (i)
			put(out, ",", 1);
		r = encode_value(f, p + i * size, mode, out, depth + 1);
		if (r)
			return err_trace(r);
	}
	put(out, "]", 1);
	return 0;
}

static bool is_default(const ProtobufCFieldDescriptor *f, const void *p)
{
	static const char zero[8];

	if (f->type == PROTOBUF_C_TYPE_STRING)
		return !*(const char *const *)p || **(const char *const *)p == '\0';
	if (f->type == PROTOBUF_C_TYPE_BYTES)
		return ((const ProtobufCBinaryData *)p)->len == 0;
	return memcmp(p, zero, json_field_size(f)) == 0;
}

/*
 * Is there anything to write? Defaults count in REST, and an absent message is
 * null there: a page finds every key. A oneof's member counts when it is set.
 */
static bool is_written(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f,
		       enum json_mode mode)
{
	const void *p = json_field_at(msg, f);

	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return mode == JSON_REST || *json_field_count(msg, f) > 0;
	if (json_field_is_oneof(f)) {
		return *json_field_case(msg, f) == f->id &&
		       (f->type != PROTOBUF_C_TYPE_MESSAGE || *(void *const *)p);
	}
	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return mode == JSON_REST || *(void *const *)p;
	if (f->label == PROTOBUF_C_LABEL_OPTIONAL && f->quantifier_offset)
		return *(const protobuf_c_boolean *)json_field_case(msg, f);
	return mode == JSON_REST || !is_default(f, p);
}

static int encode_member(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f,
			 enum json_mode mode, struct text *out, unsigned depth)
{
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		return encode_repeated(msg, f, mode, out, depth);
	return encode_value(f, json_field_at(msg, f), mode, out, depth);
}

static void add_name(const ProtobufCFieldDescriptor *f, enum json_mode mode, struct text *out)
{
	char camel[128];

	put(out, "\"", 1);
	if (mode == JSON_CANONICAL && strlen(f->name) < sizeof(camel)) {
		json_field_camel(f->name, camel);
		put(out, camel, strlen(camel));
	} else {
		put(out, f->name, strlen(f->name));
	}
	put(out, "\":", 2);
}

static int encode_object(const ProtobufCMessage *msg, enum json_mode mode, struct text *out,
			 unsigned depth)
{
	const ProtobufCMessageDescriptor *desc = msg->descriptor;
	bool first = true;

	put(out, "{", 1);
	for (unsigned i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &desc->fields[i];
		int r;

		if (!is_written(msg, f, mode))
			continue;
		if (!first)
			put(out, ",", 1);
		first = false;
		add_name(f, mode, out);
		r = encode_member(msg, f, mode, out, depth);
		if (r)
			return err_trace(r);
	}
	put(out, "}", 1);
	return 0;
}

static int encode_message(const ProtobufCMessage *msg, enum json_mode mode, struct text *out,
			  unsigned depth)
{
	enum json_form form = json_field_form(msg->descriptor);
	const ProtobufCFieldDescriptor *held = msg->descriptor->fields;

	if (form == JSON_FORM_NONE || depth > JSON_MAX_DEPTH)
		return err_origin(-EBADMSG);
	switch (form) {
	case JSON_FORM_OBJECT:
		return encode_object(msg, mode, out, depth);
	case JSON_FORM_MASK:
		return encode_mask(msg, out);
	case JSON_FORM_WRAPPER:
		return encode_value(held, json_field_at(msg, held), mode, out, depth);
	default:
		return encode_time(msg, form, out);
	}
}

int json_encode(const ProtobufCMessage *msg, enum json_mode mode, struct text *out)
{
	return encode_message(msg, mode, out, 1);
}

int json_encode_field(const ProtobufCMessage *msg, const char *field, enum json_mode mode,
		      struct text *out)
{
	const ProtobufCFieldDescriptor *f = json_field_find(msg->descriptor, field);

	if (!f)
		return err_origin(-EBADMSG);
	if (f->label != PROTOBUF_C_LABEL_REPEATED && f->type == PROTOBUF_C_TYPE_MESSAGE &&
	    !*(void *const *)json_field_at(msg, f)) {
		put(out, "{}", 2);
		return 0;
	}
	return encode_member(msg, f, mode, out, 1);
}
