/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text -> message, in one pass that is driven by the descriptor: what the
 * message does not have is refused where it stands.
 */
#include "base/json_decode.h"

#include <string.h>

#include "base/err.h"
#include "base/json_any.h"
#include "base/json_field.h"
#include "base/json_value.h"

#define MAX_FIELDS 256
#define MAX_MAP_ENTRIES 1024

/* A message that is being read, and what of it was there already. */
struct target {
	ProtobufCMessage *msg;
	uint64_t seen[MAX_FIELDS / 64];
	bool in_any, type_seen; /* "@type" stands among its members */
};

/* A repeated field that is being read. */
struct list {
	ProtobufCMessage *msg;
	const ProtobufCFieldDescriptor *f;
};

/* --- one value --- */

static int decode_word(struct json_read *r, const ProtobufCFieldDescriptor *f, void *at)
{
	const char *rule = NULL;
	bool on = json_scan_word(&r->scan, "true");
	int rc;

	if (!on && !json_scan_word(&r->scan, "false"))
		return json_read_refuse(r, "not JSON");
	rc = json_value_bool(f, on, at, &rule);
	return rc == ERR_FIELD_INVALID ? json_read_refuse(r, rule) : rc;
}

static int decode_number(struct json_read *r, const ProtobufCFieldDescriptor *f, void *at)
{
	const char *rule = "not JSON", *number;
	size_t len;
	int rc = json_scan_number(&r->scan, &number, &len);

	if (!rc)
		rc = json_value_number(f, number, len, at, &rule);
	return rc == ERR_FIELD_INVALID ? json_read_refuse(r, rule) : rc;
}

static int decode_string(struct json_read *r, const ProtobufCFieldDescriptor *f, void *at)
{
	const char *rule = NULL;
	size_t len;
	char *s;
	int rc = json_read_string(r, &s, &len);

	if (rc)
		return rc;
	rc = json_value_string(f, s, len, r->scan.arena, at, &rule);
	return rc == ERR_FIELD_INVALID ? json_read_refuse(r, rule) : rc;
}

static int decode_value(struct json_read *r, const ProtobufCFieldDescriptor *f, void *at)
{
	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return json_decode_message(r, f->descriptor, at);
	switch (json_scan_peek(&r->scan)) {
	case '"':
		return decode_string(r, f, at);
	case 't':
	case 'f':
		return decode_word(r, f, at);
	case 'n':
		if (json_field_is_null(f) && json_scan_word(&r->scan, "null"))
			return 0;
		return json_read_unexpected(r, json_value_wants(f));
	case '{':
	case '[':
	case '\0':
		return json_read_unexpected(r, json_value_wants(f));
	default:
		return decode_number(r, f, at);
	}
}

/* --- many values --- */

/* Room for one more value of a repeated field; NULL out of memory. Grows at powers of two. */
static void *append(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, struct arena *arena)
{
	size_t *n = json_field_count(msg, f);
	char **array = json_field_at(msg, f);
	size_t size = json_field_size(f);

	if ((*n & (*n - 1)) == 0) {
		char *bigger = arena_alloc(arena, (*n ? *n * 2 : 1) * size);

		if (!bigger)
			return NULL;
		if (*n)
			memcpy(bigger, *array, *n * size);
		*array = bigger;
	}
	return *array + (*n)++ * size;
}

static int decode_item(struct json_read *r, void *arg)
{
	struct list *list = arg;
	void *at = append(list->msg, list->f, r->scan.arena);

	return at ? decode_value(r, list->f, at) : err_origin(-ENOMEM);
}

static int decode_array(struct json_read *r, ProtobufCMessage *msg,
			const ProtobufCFieldDescriptor *f)
{
	return json_read_array(r, decode_item, &(struct list){msg, f});
}

static bool map_has(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f,
		    const ProtobufCMessage *entry)
{
	ProtobufCMessage *const *entries = *(ProtobufCMessage *const **)json_field_at(msg, f);

	for (size_t i = 0; i < *json_field_count(msg, f); i++) {
		if (json_field_same_key(entries[i], entry))
			return true;
	}
	return false;
}

static bool is_integer(const ProtobufCFieldDescriptor *f)
{
	return f->type <= PROTOBUF_C_TYPE_FIXED64;
}

/*
 * A key is always written as a string, and so is what a URL says. One number
 * has one spelling there: no "1e1".
 */
static int decode_key(struct json_read *r, const ProtobufCFieldDescriptor *f, char *s, size_t len,
		      void *at)
{
	const char *rule = NULL;
	int rc;

	if (is_integer(f) && strpbrk(s, ".eE"))
		return json_read_refuse(r, json_value_wants(f));
	if (f->type != PROTOBUF_C_TYPE_BOOL)
		rc = json_value_string(f, s, len, r->scan.arena, at, &rule);
	else if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
		rc = json_value_bool(f, *s == 't', at, &rule);
	else
		return json_read_refuse(r, json_value_wants(f));
	return rc == ERR_FIELD_INVALID ? json_read_refuse(r, rule) : rc;
}

static int decode_entry(struct json_read *r, char *key, size_t len, void *arg)
{
	struct list *map = arg;
	const ProtobufCMessageDescriptor *desc = map->f->descriptor;
	ProtobufCMessage *entry = json_value_message(desc, r->scan.arena), **at;
	int rc;

	if (!entry)
		return err_origin(-ENOMEM);
	rc = decode_key(r, &desc->fields[0], key, len, json_field_at(entry, &desc->fields[0]));
	if (rc)
		return rc;
	if (map_has(map->msg, map->f, entry))
		return json_read_refuse(r, "given twice");
	rc = decode_value(r, &desc->fields[1], json_field_at(entry, &desc->fields[1]));
	if (rc)
		return rc;
	if (*json_field_count(map->msg, map->f) == MAX_MAP_ENTRIES)
		return json_read_refuse(r, "too many entries");
	at = append(map->msg, map->f, r->scan.arena);
	if (!at)
		return err_origin(-ENOMEM);
	*at = entry;
	return 0;
}

static int decode_map(struct json_read *r, ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	return json_read_object(r, true, decode_entry, &(struct list){msg, f});
}

/* --- a message --- */

/* Marks the member of a oneof or an optional field as given. */
static int mark_present(struct json_read *r, ProtobufCMessage *msg,
			const ProtobufCFieldDescriptor *f)
{
	if (json_field_is_oneof(f)) {
		uint32_t *which = json_field_case(msg, f);

		if (*which)
			return json_read_refuse(r, "excludes another field that is given too");
		*which = f->id;
	} else if (f->label == PROTOBUF_C_LABEL_OPTIONAL && f->quantifier_offset) {
		*(protobuf_c_boolean *)json_field_case(msg, f) = 1;
	}
	return 0;
}

/*
 * The union of a oneof is not set up by init: its bytes are zeroed in the
 * arena, and a string in it must not stay NULL when reading it fails half-way.
 */
static int decode_field(struct json_read *r, ProtobufCMessage *msg,
			const ProtobufCFieldDescriptor *f)
{
	bool is_list = f->label == PROTOBUF_C_LABEL_REPEATED;
	int rc;

	if ((is_list || !json_field_takes_null(f)) && json_scan_word(&r->scan, "null"))
		return 0;
	if (is_list)
		return json_field_is_map(msg->descriptor, f) ? decode_map(r, msg, f)
							     : decode_array(r, msg, f);
	rc = mark_present(r, msg, f);
	return rc ? rc : decode_value(r, f, json_field_at(msg, f));
}

static int decode_member(struct json_read *r, char *name, size_t len, void *arg)
{
	struct target *t = arg;
	const ProtobufCFieldDescriptor *f = json_field_find(t->msg->descriptor, name);
	size_t i;

	(void)len;
	if (!f && t->in_any && strcmp(name, JSON_ANY_TYPE) == 0)
		return json_any_pass_type(r, &t->type_seen);
	if (!f)
		return json_read_refuse(r, "unknown field");
	i = (size_t)(f - t->msg->descriptor->fields);
	if (t->seen[i / 64] >> (i % 64) & 1)
		return json_read_refuse(r, "given twice");
	t->seen[i / 64] |= 1ull << (i % 64);
	return decode_field(r, t->msg, f);
}

int json_decode_object(struct json_read *r, const ProtobufCMessageDescriptor *desc, bool in_any,
		       ProtobufCMessage **at)
{
	struct target t = {.in_any = in_any};
	int rc;

	/* Its memory is made when the first byte looks right. */
	if (json_scan_peek(&r->scan) != '{')
		return json_read_unexpected(r, "expected an object");
	if (desc->n_fields > MAX_FIELDS)
		return err_origin(-EBADMSG);
	t.msg = json_value_message(desc, r->scan.arena);
	if (!t.msg)
		return err_origin(-ENOMEM);
	rc = json_read_object(r, false, decode_member, &t);
	if (!rc)
		*at = t.msg;
	return rc;
}

static int decode_text(struct json_read *r, const ProtobufCMessageDescriptor *desc,
		       ProtobufCMessage **at)
{
	const char *rule = NULL;
	size_t len;
	char *s;
	int rc;

	if (json_scan_peek(&r->scan) != '"')
		return json_read_unexpected(r, json_value_wants_message(desc));
	rc = json_read_string(r, &s, &len);
	if (rc)
		return rc;
	rc = json_value_text(desc, s, len, r->scan.arena, at, &rule);
	return rc == ERR_FIELD_INVALID ? json_read_refuse(r, rule) : rc;
}

/* What is next, as a message whose members are not written by their names. */
static int decode_inside(struct json_read *r, ProtobufCMessage *msg, enum json_form form)
{
	const ProtobufCFieldDescriptor *f = msg->descriptor->fields;
	static const char kinds[] = "n0\"t{["; /* as Value's members stand */
	const char *kind;
	char c;

	if (form == JSON_FORM_STRUCT)
		return decode_map(r, msg, f);
	if (form == JSON_FORM_LIST)
		return decode_array(r, msg, f);
	if (form == JSON_FORM_WRAPPER)
		return decode_value(r, f, json_field_at(msg, f));
	c = json_scan_peek(&r->scan);
	if ((c >= '0' && c <= '9') || c == '-')
		c = '0';
	kind = c ? strchr(kinds, c == 'f' ? 't' : c) : NULL;
	if (!kind)
		return json_read_unexpected(r, "expected a value");
	f += kind - kinds;
	*json_field_case(msg, f) = f->id;
	return decode_value(r, f, json_field_at(msg, f));
}

int json_decode_message(struct json_read *r, const ProtobufCMessageDescriptor *desc,
			ProtobufCMessage **at)
{
	enum json_form form = json_field_form(desc);
	ProtobufCMessage *msg;
	int rc;

	switch (form) {
	case JSON_FORM_OBJECT:
		return json_decode_object(r, desc, false, at);
	case JSON_FORM_ANY:
		return json_any_decode(r, desc, at);
	case JSON_FORM_TIMESTAMP:
	case JSON_FORM_DURATION:
	case JSON_FORM_MASK:
		return decode_text(r, desc, at);
	default:
		msg = json_value_message(desc, r->scan.arena);
		if (!msg)
			return err_origin(-ENOMEM);
		rc = decode_inside(r, msg, form);
		if (!rc)
			*at = msg;
		return rc;
	}
}

int json_decode_as(const char *s, size_t len, const struct json_schema *schema, struct arena *arena,
		   ProtobufCMessage **ret_msg, struct json_error *ret_error)
{
	struct json_read r = {
		.scan = {.p = s, .end = s + len, .arena = arena},
		.error = ret_error,
		.types = schema->types,
	};
	ProtobufCMessage *msg = NULL;
	int rc;

	ret_error->path[0] = ret_error->rule[0] = '\0';
	/* Whatever else stands there: an object is what people forgot. */
	if (json_field_form(schema->desc) == JSON_FORM_OBJECT && json_scan_peek(&r.scan) != '{')
		return json_read_refuse(&r, "expected an object");
	rc = json_decode_message(&r, schema->desc, &msg);
	if (rc)
		return rc;
	if (json_scan_peek(&r.scan) || r.scan.p != r.scan.end)
		return json_read_refuse(&r, "bytes after the end of the object");
	*ret_msg = msg;
	return 0;
}

int json_decode(const char *s, size_t len, const ProtobufCMessageDescriptor *desc,
		struct arena *arena, ProtobufCMessage **ret_msg, struct json_error *ret_error)
{
	return json_decode_as(s, len, &(struct json_schema){.desc = desc}, arena, ret_msg,
			      ret_error);
}

/* --- one field by its text --- */

/* A wrapper is written as the value in it: from here on f and at mean that. */
static int unwrap(struct json_read *r, const ProtobufCFieldDescriptor **f, void **at)
{
	ProtobufCMessage *msg;

	if ((*f)->type != PROTOBUF_C_TYPE_MESSAGE ||
	    json_field_form((*f)->descriptor) != JSON_FORM_WRAPPER)
		return 0;
	msg = json_value_message((*f)->descriptor, r->scan.arena);
	if (!msg)
		return err_origin(-ENOMEM);
	*(ProtobufCMessage **)*at = msg;
	*f = msg->descriptor->fields;
	*at = json_field_at(msg, *f);
	return 0;
}

static bool has_text(const ProtobufCFieldDescriptor *f)
{
	enum json_form form;

	if (f->type != PROTOBUF_C_TYPE_MESSAGE)
		return false;
	form = json_field_form(f->descriptor);
	return form == JSON_FORM_TIMESTAMP || form == JSON_FORM_DURATION || form == JSON_FORM_MASK;
}

static int decode_url_value(struct json_read *r, const ProtobufCFieldDescriptor *f, char *s,
			    size_t len, void *at)
{
	const char *rule = NULL;
	int rc = unwrap(r, &f, &at);

	if (rc)
		return rc;
	if (!has_text(f))
		return f->type == PROTOBUF_C_TYPE_MESSAGE ? json_read_refuse(r, json_value_wants(f))
							  : decode_key(r, f, s, len, at);
	rc = json_value_text(f->descriptor, s, len, r->scan.arena, at, &rule);
	return rc == ERR_FIELD_INVALID ? json_read_refuse(r, rule) : rc;
}

/* The text of a URL: as in a JSON string, and true and false without quotes. */
static int set_leaf(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, const char *value,
		    struct json_read *r)
{
	size_t len = strlen(value);
	void *at = json_field_at(msg, f);
	char *copy;
	int rc;

	if (!text_utf8_ok(value, len))
		return json_read_refuse(r, "must be valid UTF-8");
	if (json_field_is_map(msg->descriptor, f))
		return json_read_refuse(r, "cannot be given in a URL");
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		at = append(msg, f, r->scan.arena);
	copy = arena_strndup(r->scan.arena, value, len);
	if (!at || !copy)
		return err_origin(-ENOMEM);
	rc = f->label == PROTOBUF_C_LABEL_REPEATED ? 0 : mark_present(r, msg, f);
	return rc ? rc : decode_url_value(r, f, copy, len, at);
}

/* The message of one step on the way to the leaf; made when it is not there. */
static int step_into(ProtobufCMessage **msg, const ProtobufCFieldDescriptor *f, struct json_read *r)
{
	ProtobufCMessage **at = json_field_at(*msg, f);

	if (f->type != PROTOBUF_C_TYPE_MESSAGE || f->label == PROTOBUF_C_LABEL_REPEATED ||
	    json_field_is_oneof(f) || json_field_form(f->descriptor) != JSON_FORM_OBJECT)
		return json_read_refuse(r, "cannot be given in a URL");
	if (!*at)
		*at = json_value_message(f->descriptor, r->scan.arena);
	if (!*at)
		return err_origin(-ENOMEM);
	*msg = *at;
	return 0;
}

int json_set_text(ProtobufCMessage *msg, const char *path, const char *value, struct arena *arena,
		  struct json_error *ret_error)
{
	struct json_read r = {.scan = {.arena = arena}, .error = ret_error};

	ret_error->rule[0] = ret_error->path[0] = '\0';
	json_read_push(&r, "%s", path);
	for (unsigned depth = 0; depth < JSON_MAX_DEPTH; depth++) {
		const ProtobufCFieldDescriptor *f;
		size_t len = strcspn(path, ".");
		char name[128];
		int rc;

		if (len >= sizeof(name))
			return json_read_refuse(&r, "unknown field");
		memcpy(name, path, len);
		name[len] = '\0';
		f = json_field_find(msg->descriptor, name);
		if (!f)
			return json_read_refuse(&r, "unknown field");
		if (!path[len])
			return set_leaf(msg, f, value, &r);
		rc = step_into(&msg, f, &r);
		if (rc)
			return rc;
		path += len + 1;
	}
	return json_read_refuse(&r, "unknown field");
}
