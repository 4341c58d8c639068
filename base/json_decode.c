/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text -> message, in one pass that is driven by the descriptor: what the
 * message does not have is refused where it stands. The path to the present
 * value is kept while reading, for the refusal.
 */
#include <stdarg.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/json_field.h"
#include "base/json_scan.h"
#include "base/json_value.h"

#define MAX_FIELDS 256
#define MAX_MAP_ENTRIES 1024

struct decoder {
	struct json_scan scan;
	struct json_error *error;
	size_t path_len;
	unsigned depth;
};

/* Which fields of a message were there already. */
struct seen {
	uint64_t bits[MAX_FIELDS / 64];
};

static int decode_message(struct decoder *d, ProtobufCMessage *msg);

/* Cuts at max bytes, never inside a UTF-8 sequence. */
static void cut_utf8(char *s, size_t max)
{
	size_t len = strlen(s);

	if (len <= max)
		return;
	while (max > 0 && ((unsigned char)s[max] & 0xc0) == 0x80)
		max--;
	s[max] = '\0';
}

static int refuse(struct decoder *d, const char *rule)
{
	snprintf(d->error->rule, sizeof(d->error->rule), "%s", rule);
	return ERR_FIELD_INVALID;
}

/* The scanner refused: its words. Anything negative goes up as it is. */
static int refuse_scan(struct decoder *d, int r)
{
	return r == ERR_FIELD_INVALID ? refuse(d, d->scan.rule) : err_trace(r);
}

/* ".name" or "[3]" is added; the length before is what path_pop wants. */
static size_t _printf_(2, 3) path_push(struct decoder *d, const char *fmt, ...)
{
	size_t before = d->path_len;
	size_t room = sizeof(d->error->path) - before;
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(d->error->path + before, room, fmt, ap);
	va_end(ap);
	if (n > 0 && (size_t)n >= room)
		cut_utf8(d->error->path, sizeof(d->error->path) - 5);
	d->path_len = strlen(d->error->path);
	return before;
}

static void path_pop(struct decoder *d, size_t before)
{
	d->path_len = before;
	d->error->path[before] = '\0';
}

static size_t path_push_name(struct decoder *d, const char *name)
{
	return path_push(d, "%s%s", d->path_len ? "." : "", name);
}

static int enter(struct decoder *d)
{
	if (++d->depth > JSON_MAX_DEPTH)
		return refuse(d, "nested too deeply");
	return 0;
}

/* A message member in an object; its memory is made when the first byte looks right. */
static int decode_object_at(struct decoder *d, const ProtobufCMessageDescriptor *desc,
			    ProtobufCMessage **at)
{
	ProtobufCMessage *msg;
	int r;

	if (json_scan_peek(&d->scan) != '{')
		return refuse(d, "expected an object");
	msg = json_value_message(desc, d->scan.arena);
	if (!msg)
		return err_origin(-ENOMEM);
	r = decode_message(d, msg);
	if (!r)
		*at = msg;
	return r;
}

/* A wrapper is written as the value in it: from here on f and at mean that. */
static int unwrap(struct decoder *d, const ProtobufCFieldDescriptor **f, void **at)
{
	ProtobufCMessage *msg;

	if ((*f)->type != PROTOBUF_C_TYPE_MESSAGE ||
	    json_field_form((*f)->descriptor) != JSON_FORM_WRAPPER)
		return 0;
	msg = json_value_message((*f)->descriptor, d->scan.arena);
	if (!msg)
		return err_origin(-ENOMEM);
	*(ProtobufCMessage **)*at = msg;
	*f = msg->descriptor->fields;
	*at = json_field_at(msg, *f);
	return 0;
}

/* One value that is not null, into the memory of the field. */
static int decode_value(struct decoder *d, const ProtobufCFieldDescriptor *f, void *at)
{
	const char *rule = NULL, *number;
	size_t len;
	char *s;
	int r = unwrap(d, &f, &at);

	if (r)
		return r;
	switch (json_scan_peek(&d->scan)) {
	case '"':
		r = json_scan_string(&d->scan, &s, &len);
		if (r)
			return refuse_scan(d, r);
		r = json_value_string(f, s, len, d->scan.arena, at, &rule);
		break;
	case 't':
	case 'f':
		if (json_scan_word(&d->scan, "true"))
			r = json_value_bool(f, true, at, &rule);
		else if (json_scan_word(&d->scan, "false"))
			r = json_value_bool(f, false, at, &rule);
		else
			return refuse(d, "not JSON");
		break;
	case '{':
		if (f->type != PROTOBUF_C_TYPE_MESSAGE ||
		    json_field_form(f->descriptor) != JSON_FORM_OBJECT)
			return refuse(d, json_value_wants(f));
		return decode_object_at(d, f->descriptor, at);
	case '[':
		return refuse(d, json_value_wants(f));
	case 'n':
		return refuse(d, "null is not allowed here");
	case '\0':
		return refuse(d, "the text ends too early");
	default:
		r = json_scan_number(&d->scan, &number, &len);
		if (r)
			return refuse(d, "not JSON");
		r = json_value_number(f, number, len, at, &rule);
		break;
	}
	return r == ERR_FIELD_INVALID ? refuse(d, rule) : r;
}

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

static int decode_array(struct decoder *d, ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	int r;

	if (!json_scan_take(&d->scan, '['))
		return refuse(d, "expected an array");
	r = enter(d);
	if (r)
		return r;
	if (json_scan_take(&d->scan, ']')) {
		d->depth--;
		return 0;
	}
	for (size_t i = 0;; i++) {
		size_t before = path_push(d, "[%zu]", i);
		void *at = append(msg, f, d->scan.arena);

		if (!at)
			return err_origin(-ENOMEM);
		r = decode_value(d, f, at);
		if (r)
			return r;
		path_pop(d, before);
		if (json_scan_take(&d->scan, ']'))
			break;
		if (!json_scan_take(&d->scan, ','))
			return refuse(d, "expected , or ] in an array");
	}
	d->depth--;
	return 0;
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
static int decode_key(struct decoder *d, const ProtobufCFieldDescriptor *f, char *s, size_t len,
		      void *at)
{
	const char *rule = NULL;
	int r = unwrap(d, &f, &at);

	if (r)
		return r;
	if (is_integer(f) && strpbrk(s, ".eE"))
		return refuse(d, json_value_wants(f));
	if (f->type != PROTOBUF_C_TYPE_BOOL)
		r = json_value_string(f, s, len, d->scan.arena, at, &rule);
	else if (strcmp(s, "true") == 0 || strcmp(s, "false") == 0)
		r = json_value_bool(f, *s == 't', at, &rule);
	else
		return refuse(d, json_value_wants(f));
	return r == ERR_FIELD_INVALID ? refuse(d, rule) : r;
}

static int decode_entry(struct decoder *d, ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *desc = f->descriptor;
	ProtobufCMessage *entry = json_value_message(desc, d->scan.arena);
	ProtobufCMessage **at;
	size_t before, len;
	char *key;
	int r;

	if (!entry)
		return err_origin(-ENOMEM);
	r = json_scan_string(&d->scan, &key, &len);
	if (r)
		return refuse_scan(d, r);
	before = path_push(d, "[%s]", key);
	r = decode_key(d, &desc->fields[0], key, len, json_field_at(entry, &desc->fields[0]));
	if (r)
		return r;
	if (map_has(msg, f, entry))
		return refuse(d, "given twice");
	if (!json_scan_take(&d->scan, ':'))
		return refuse(d, "expected : after a name");
	r = decode_value(d, &desc->fields[1], json_field_at(entry, &desc->fields[1]));
	if (r)
		return r;
	if (*json_field_count(msg, f) == MAX_MAP_ENTRIES)
		return refuse(d, "too many entries");
	at = append(msg, f, d->scan.arena);
	if (!at)
		return err_origin(-ENOMEM);
	*at = entry;
	path_pop(d, before);
	return 0;
}

static int decode_map(struct decoder *d, ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	int r;

	if (!json_scan_take(&d->scan, '{'))
		return refuse(d, "expected an object");
	r = enter(d);
	if (r)
		return r;
	if (!json_scan_take(&d->scan, '}')) {
		do {
			r = decode_entry(d, msg, f);
			if (r)
				return r;
		} while (json_scan_take(&d->scan, ','));
		if (!json_scan_take(&d->scan, '}'))
			return refuse(d, "expected , or } in an object");
	}
	d->depth--;
	return 0;
}

/* Marks the member of a oneof or an optional field as given. */
static int mark_present(struct decoder *d, ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	if (json_field_is_oneof(f)) {
		uint32_t *which = json_field_case(msg, f);

		if (*which)
			return refuse(d, "excludes another field that is given too");
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
static int decode_field(struct decoder *d, ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	int r;

	if (json_scan_word(&d->scan, "null"))
		return 0;
	if (f->label == PROTOBUF_C_LABEL_REPEATED) {
		return json_field_is_map(msg->descriptor, f) ? decode_map(d, msg, f)
							     : decode_array(d, msg, f);
	}
	r = mark_present(d, msg, f);
	return r ? r : decode_value(d, f, json_field_at(msg, f));
}

static int decode_member(struct decoder *d, ProtobufCMessage *msg, struct seen *seen)
{
	const ProtobufCMessageDescriptor *desc = msg->descriptor;
	const ProtobufCFieldDescriptor *f;
	size_t before, len, i;
	char *name;
	int r;

	if (json_scan_peek(&d->scan) != '"')
		return refuse(d, "expected a name in quotes");
	r = json_scan_string(&d->scan, &name, &len);
	if (r)
		return refuse_scan(d, r);
	before = path_push_name(d, name);
	f = json_field_find(desc, name);
	if (!f)
		return refuse(d, "unknown field");
	i = (size_t)(f - desc->fields);
	if (seen->bits[i / 64] >> (i % 64) & 1)
		return refuse(d, "given twice");
	seen->bits[i / 64] |= 1ull << (i % 64);
	if (!json_scan_take(&d->scan, ':'))
		return refuse(d, "expected : after a name");
	r = decode_field(d, msg, f);
	if (r)
		return r;
	path_pop(d, before);
	return 0;
}

/* At the opening brace. */
static int decode_message(struct decoder *d, ProtobufCMessage *msg)
{
	struct seen seen = {0};
	int r;

	if (!json_scan_take(&d->scan, '{'))
		return refuse(d, "expected an object");
	if (msg->descriptor->n_fields > MAX_FIELDS ||
	    json_field_form(msg->descriptor) != JSON_FORM_OBJECT)
		return err_origin(-EBADMSG);
	r = enter(d);
	if (r)
		return r;
	if (!json_scan_take(&d->scan, '}')) {
		do {
			r = decode_member(d, msg, &seen);
			if (r)
				return r;
		} while (json_scan_take(&d->scan, ','));
		if (!json_scan_take(&d->scan, '}'))
			return refuse(d, "expected , or } in an object");
	}
	d->depth--;
	return 0;
}

int json_decode(const char *s, size_t len, const ProtobufCMessageDescriptor *desc,
		struct arena *arena, ProtobufCMessage **ret_msg, struct json_error *ret_error)
{
	struct decoder d = {
		.scan = {.p = s, .end = s + len, .arena = arena},
		.error = ret_error,
	};
	ProtobufCMessage *msg = json_value_message(desc, arena);
	int r;

	ret_error->path[0] = ret_error->rule[0] = '\0';
	if (!msg)
		return err_origin(-ENOMEM);
	r = decode_message(&d, msg);
	if (r)
		return r;
	if (json_scan_peek(&d.scan) || d.scan.p != d.scan.end)
		return refuse(&d, "bytes after the end of the object");
	*ret_msg = msg;
	return 0;
}

/* The text of a URL: as in a JSON string, and true and false without quotes. */
static int set_leaf(ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f, const char *value,
		    struct decoder *d)
{
	size_t len = strlen(value);
	void *at = json_field_at(msg, f);
	char *copy;
	int r;

	if (!text_utf8_ok(value, len))
		return refuse(d, "must be valid UTF-8");
	if (json_field_is_map(msg->descriptor, f))
		return refuse(d, "cannot be given in a URL");
	if (f->label == PROTOBUF_C_LABEL_REPEATED)
		at = append(msg, f, d->scan.arena);
	copy = arena_strndup(d->scan.arena, value, len);
	if (!at || !copy)
		return err_origin(-ENOMEM);
	r = f->label == PROTOBUF_C_LABEL_REPEATED ? 0 : mark_present(d, msg, f);
	return r ? r : decode_key(d, f, copy, len, at);
}

/* The message of one step on the way to the leaf; made when it is not there. */
static int step_into(ProtobufCMessage **msg, const ProtobufCFieldDescriptor *f, struct decoder *d)
{
	ProtobufCMessage **at = json_field_at(*msg, f);

	if (f->type != PROTOBUF_C_TYPE_MESSAGE || f->label == PROTOBUF_C_LABEL_REPEATED ||
	    json_field_is_oneof(f) || json_field_form(f->descriptor) != JSON_FORM_OBJECT)
		return refuse(d, "cannot be given in a URL");
	if (!*at)
		*at = json_value_message(f->descriptor, d->scan.arena);
	if (!*at)
		return err_origin(-ENOMEM);
	*msg = *at;
	return 0;
}

int json_set_text(ProtobufCMessage *msg, const char *path, const char *value, struct arena *arena,
		  struct json_error *ret_error)
{
	struct decoder d = {.scan = {.arena = arena}, .error = ret_error};

	ret_error->rule[0] = ret_error->path[0] = '\0';
	path_push(&d, "%s", path);
	for (unsigned depth = 0; depth < JSON_MAX_DEPTH; depth++) {
		const ProtobufCFieldDescriptor *f;
		size_t len = strcspn(path, ".");
		char name[128];
		int r;

		if (len >= sizeof(name))
			return refuse(&d, "unknown field");
		memcpy(name, path, len);
		name[len] = '\0';
		f = json_field_find(msg->descriptor, name);
		if (!f)
			return refuse(&d, "unknown field");
		if (!path[len])
			return set_leaf(msg, f, value, &d);
		r = step_into(&msg, f, &d);
		if (r)
			return r;
		path += len + 1;
	}
	return refuse(&d, "unknown field");
}
