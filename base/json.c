/* SPDX-License-Identifier: Apache-2.0 */
/* Message -> text. Reading is in json_decode.c. One pass over the descriptor. */
#include "base/json_encode.h"

#include <errno.h>
#include <math.h>

#include "base/err.h"
#include "base/json_any.h"
#include "base/json_field.h"
#include "base/json_mask.h"
#include "base/json_time.h"
#include "base/json_write.h"

static void add_enum(struct text *out, const ProtobufCFieldDescriptor *f, int n)
{
	const ProtobufCEnumValue *v = protobuf_c_enum_descriptor_get_value(f->descriptor, n);

	if (json_field_is_null(f)) {
		json_write(out, "null", 4);
		return;
	}
	if (!v) {
		json_write_i64(out, n);
		return;
	}
	json_write(out, "\"", 1);
	text_adds(out, v->name);
	json_write(out, "\"", 1);
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

static int encode_time(const ProtobufCMessage *msg, enum json_form form, struct text *out)
{
	const ProtobufCMessageDescriptor *desc = msg->descriptor;
	int64_t seconds = *(int64_t *)json_field_at(msg, &desc->fields[0]);
	int32_t nanos = *(int32_t *)json_field_at(msg, &desc->fields[1]);
	char s[JSON_TIME_MAX];
	bool ok;

	ok = form == JSON_FORM_TIMESTAMP ? json_time_text(seconds, nanos, s)
					 : json_time_duration_text(seconds, nanos, s);
	if (!ok)
		return err_origin(-EBADMSG);
	text_addf(out, "\"%s\"", s);
	return 0;
}

/* As deep as what we read back. */
static int enter(struct json_encode *e)
{
	if (e->depth == JSON_MAX_DEPTH)
		return err_origin(-EBADMSG);
	e->depth++;
	return 0;
}

/* One value at p. */
static int encode_value(struct json_encode *e, const ProtobufCFieldDescriptor *f, const void *p)
{
	struct text *out = e->out;
	const char *s;

	switch (f->type) {
	case PROTOBUF_C_TYPE_INT32:
	case PROTOBUF_C_TYPE_SINT32:
	case PROTOBUF_C_TYPE_SFIXED32:
		json_write_i64(out, *(const int32_t *)p);
		return 0;
	case PROTOBUF_C_TYPE_UINT32:
	case PROTOBUF_C_TYPE_FIXED32:
		json_write_u64(out, *(const uint32_t *)p);
		return 0;
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
		json_write_long(out, true, *(const uint64_t *)p);
		return 0;
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
		json_write_long(out, false, *(const uint64_t *)p);
		return 0;
	case PROTOBUF_C_TYPE_FLOAT:
		json_write_real(out, (double)*(const float *)p, true);
		return 0;
	case PROTOBUF_C_TYPE_DOUBLE:
		json_write_real(out, *(const double *)p, false);
		return 0;
	case PROTOBUF_C_TYPE_BOOL:
		text_adds(out, *(const protobuf_c_boolean *)p ? "true" : "false");
		return 0;
	case PROTOBUF_C_TYPE_ENUM:
		add_enum(out, f, *(const int *)p);
		return 0;
	case PROTOBUF_C_TYPE_STRING:
		s = *(const char *const *)p;
		json_quote(out, s ? s : "");
		return 0;
	case PROTOBUF_C_TYPE_BYTES:
		return json_write_base64(out, p);
	default:
		if (*(ProtobufCMessage *const *)p)
			return json_encode_message(e, *(ProtobufCMessage *const *)p);
		json_write(out, "null", 4);
		return 0;
	}
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

/* An entry without a value on the wire has the one that its type begins with. */
static int encode_absent(struct json_encode *e, const ProtobufCMessageDescriptor *desc)
{
	_cleanup_(freep) ProtobufCMessage *msg = malloc(desc->sizeof_message);

	if (!msg)
		return err_origin(-ENOMEM);
	protobuf_c_message_init(desc, msg);
	return json_encode_message(e, msg);
}

/* "key": value; a key of any type is written as a string. */
static int encode_entry(struct json_encode *e, const ProtobufCMessage *entry)
{
	const ProtobufCFieldDescriptor *key = entry->descriptor->fields, *value = key + 1;
	struct text *out = e->out;
	size_t at = out->len;
	int r = encode_value(e, key, json_field_at(entry, key));

	if (!r && !out->failed && out->s[at] != '"') {
		char copy[24];

		snprintf(copy, sizeof(copy), "%s", out->s + at);
		out->len = at;
		text_addf(out, "\"%s\"", copy);
	}
	json_write(out, ":", 1);
	if (r)
		return err_trace(r);
	if (value->type == PROTOBUF_C_TYPE_MESSAGE && !*(void **)json_field_at(entry, value))
		return encode_absent(e, value->descriptor);
	return encode_value(e, value, json_field_at(entry, value));
}

static int encode_map(struct json_encode *e, const ProtobufCMessage *msg,
		      const ProtobufCFieldDescriptor *f)
{
	ProtobufCMessage *const *entries = *(ProtobufCMessage *const **)json_field_at(msg, f);
	size_t n = *json_field_count(msg, f);
	bool first = true;
	int r = enter(e);

	json_write(e->out, "{", 1);
	for (size_t i = 0; i < n && !r; i++) {
		if (is_replaced(entries, n, i))
			continue;
		if (!first)
			json_write(e->out, ",", 1);
		first = false;
		r = encode_entry(e, entries[i]);
	}
	json_write(e->out, "}", 1);
	e->depth--;
	return r ? err_trace(r) : 0;
}

static int encode_list(struct json_encode *e, const ProtobufCMessage *msg,
		       const ProtobufCFieldDescriptor *f)
{
	size_t n = *json_field_count(msg, f);
	const char *p = *(const char *const *)json_field_at(msg, f);
	size_t size = json_field_size(f);
	int r = enter(e);

	json_write(e->out, "[", 1);
	for (size_t i = 0; i < n && !r; i++) {
		if (i)
			json_write(e->out, ",", 1);
		r = encode_value(e, f, p + i * size);
	}
	json_write(e->out, "]", 1);
	e->depth--;
	return r ? err_trace(r) : 0;
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
 * null there: a page finds every key. (Of a Value null would say something.) A oneof's member
 * counts when it is set.
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
		return *(void *const *)p || (mode == JSON_REST && !json_field_takes_null(f));
	if (f->label == PROTOBUF_C_LABEL_OPTIONAL && f->quantifier_offset)
		return *(const protobuf_c_boolean *)json_field_case(msg, f);
	return mode == JSON_REST || !is_default(f, p);
}

static int encode_member(struct json_encode *e, const ProtobufCMessage *msg,
			 const ProtobufCFieldDescriptor *f)
{
	if (f->label != PROTOBUF_C_LABEL_REPEATED)
		return encode_value(e, f, json_field_at(msg, f));
	return json_field_is_map(msg->descriptor, f) ? encode_map(e, msg, f)
						     : encode_list(e, msg, f);
}

static void add_name(const ProtobufCFieldDescriptor *f, enum json_mode mode, struct text *out)
{
	char camel[128];

	json_write(out, "\"", 1);
	if (mode == JSON_CANONICAL && strlen(f->name) < sizeof(camel)) {
		json_field_camel(f->name, camel);
		json_write(out, camel, strlen(camel));
	} else {
		json_write(out, f->name, strlen(f->name));
	}
	json_write(out, "\":", 2);
}

int json_encode_members(struct json_encode *e, const ProtobufCMessage *msg, bool first)
{
	const ProtobufCMessageDescriptor *desc = msg->descriptor;

	for (unsigned i = 0; i < desc->n_fields; i++) {
		const ProtobufCFieldDescriptor *f = &desc->fields[i];
		int r;

		if (!is_written(msg, f, e->mode))
			continue;
		if (!first)
			json_write(e->out, ",", 1);
		first = false;
		add_name(f, e->mode, e->out);
		r = encode_member(e, msg, f);
		if (r)
			return err_trace(r);
	}
	return 0;
}

static int encode_object(struct json_encode *e, const ProtobufCMessage *msg, enum json_form form)
{
	int r = enter(e);

	if (r)
		return err_trace(r);
	if (form == JSON_FORM_ANY) {
		r = json_any_encode(e, msg);
	} else {
		json_write(e->out, "{", 1);
		r = json_encode_members(e, msg, true);
		json_write(e->out, "}", 1);
	}
	e->depth--;
	return r;
}

/* Whatever kind is set; none is no JSON, and neither is a number that is not finite. */
static int encode_kind(struct json_encode *e, const ProtobufCMessage *msg)
{
	const ProtobufCFieldDescriptor *f = msg->descriptor->fields;
	uint32_t kind = *json_field_case(msg, f);
	const void *p;

	if (kind == 0 || kind > msg->descriptor->n_fields)
		return err_origin(-EBADMSG);
	f += kind - 1;
	p = json_field_at(msg, f);
	if (f->type == PROTOBUF_C_TYPE_DOUBLE && !isfinite(*(const double *)p))
		return err_origin(-EBADMSG);
	return encode_value(e, f, p);
}

int json_encode_message(struct json_encode *e, const ProtobufCMessage *msg)
{
	enum json_form form = json_field_form(msg->descriptor);
	const ProtobufCFieldDescriptor *f = msg->descriptor->fields;

	switch (form) {
	case JSON_FORM_OBJECT:
	case JSON_FORM_ANY:
		return encode_object(e, msg, form);
	case JSON_FORM_MASK:
		return encode_mask(msg, e->out);
	case JSON_FORM_WRAPPER:
		return encode_value(e, f, json_field_at(msg, f));
	case JSON_FORM_STRUCT:
		return encode_map(e, msg, f);
	case JSON_FORM_LIST:
		return encode_list(e, msg, f);
	case JSON_FORM_VALUE:
		return encode_kind(e, msg);
	default:
		return encode_time(msg, form, e->out);
	}
}

int json_encode_with(const ProtobufCMessage *msg, enum json_mode mode,
		     const struct json_types *types, struct text *out)
{
	struct json_encode e = {.out = out, .mode = mode, .types = types};

	return json_encode_message(&e, msg);
}

int json_encode(const ProtobufCMessage *msg, enum json_mode mode, struct text *out)
{
	return json_encode_with(msg, mode, NULL, out);
}

int json_encode_field(const ProtobufCMessage *msg, const char *field, enum json_mode mode,
		      struct text *out)
{
	const ProtobufCFieldDescriptor *f = json_field_find(msg->descriptor, field);
	struct json_encode e = {.out = out, .mode = mode};

	if (!f)
		return err_origin(-EBADMSG);
	if (f->label != PROTOBUF_C_LABEL_REPEATED && f->type == PROTOBUF_C_TYPE_MESSAGE &&
	    !*(void *const *)json_field_at(msg, f)) {
		json_write(out, "{}", 2);
		return 0;
	}
	return encode_member(&e, msg, f);
}
