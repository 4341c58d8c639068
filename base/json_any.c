/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The type must be known before the first member is read, so an object that
 * does not begin with it is looked over once for its name. What is inside is
 * made a message and packed: an Any holds bytes.
 */
#include "base/json_any.h"

#include <string.h>

#include "base/err.h"
#include "base/json_decode.h"
#include "base/json_field.h"
#include "base/json_value.h"
#include "base/json_write.h"
#include "base/log.h"
#include "base/unpack.h"

#define INSIDE_MAX_LEN (16u << 20) /* bytes of the message in memory */

/* Of an Any whose message stands in "value". */
struct boxed {
	const ProtobufCMessageDescriptor *desc;
	ProtobufCMessage *inside;
	bool type_seen;
};

const ProtobufCMessageDescriptor *json_types_find(const struct json_types *types, const char *url,
						  size_t len)
{
	const char *name = url + len;

	while (name > url && name[-1] != '/')
		name--;
	if (!types || name == url)
		return NULL;
	len -= (size_t)(name - url);
	for (size_t i = 0; i < types->n; i++) {
		const char *known = types->all[i]->name;

		if (strlen(known) == len && memcmp(known, name, len) == 0)
			return types->all[i];
	}
	return NULL;
}

/* --- in --- */

/* One member of an object that is looked over; *ret_url when it is "@type". */
static int look_at_member(struct json_read *r, char **ret_url, size_t *ret_len)
{
	size_t len;
	char *name;
	int rc;

	rc = json_read_name(r, &name, &len);
	if (rc)
		return rc;
	if (!json_scan_take(&r->scan, ':'))
		return json_read_refuse(r, "expected : after a name");
	if (strcmp(name, JSON_ANY_TYPE) == 0)
		return json_read_string(r, ret_url, ret_len);
	json_scan_skip(&r->scan);
	return 0;
}

/*
 * The value of "@type" in the object that is next; NULL: there is none. Nothing
 * is consumed when it is 0.
 */
static int find_type(struct json_read *r, char **ret_url, size_t *ret_len)
{
	struct json_scan before = r->scan;
	char *url = NULL;
	size_t len = 0;
	int rc;

	if (!json_scan_take(&r->scan, '{'))
		return json_read_unexpected(r, "expected an object");
	if (!json_scan_take(&r->scan, '}')) {
		do {
			rc = look_at_member(r, &url, &len);
			if (rc)
				return rc;
		} while (!url && json_scan_take(&r->scan, ','));
		if (!url && !json_scan_take(&r->scan, '}'))
			return json_read_refuse(r, "expected , or } in an object");
	}
	r->scan = before;
	*ret_url = url;
	*ret_len = len;
	return 0;
}

int json_any_pass_type(struct json_read *r, bool *seen)
{
	size_t len;
	char *url;

	if (*seen)
		return json_read_refuse(r, "given twice");
	*seen = true;
	return json_read_string(r, &url, &len);
}

static int boxed_member(struct json_read *r, char *name, size_t len, void *arg)
{
	struct boxed *b = arg;

	(void)len;
	if (strcmp(name, JSON_ANY_TYPE) == 0)
		return json_any_pass_type(r, &b->type_seen);
	if (strcmp(name, "value") != 0)
		return json_read_refuse(r, "unknown field");
	if (b->inside)
		return json_read_refuse(r, "given twice");
	return json_decode_message(r, b->desc, &b->inside);
}

static bool is_empty_type(const ProtobufCMessageDescriptor *desc)
{
	return strcmp(desc->name, "google.protobuf.Empty") == 0;
}

static int decode_boxed(struct json_read *r, const ProtobufCMessageDescriptor *desc,
			ProtobufCMessage **at)
{
	struct boxed b = {.desc = desc};
	int rc = json_read_object(r, false, boxed_member, &b);

	if (rc)
		return rc;
	/* Some write {"@type": …, "value": {}} of an Empty, some leave the value out. */
	if (!b.inside && is_empty_type(desc)) {
		b.inside = json_value_message(desc, r->scan.arena);
		if (!b.inside)
			return err_origin(-ENOMEM);
	}
	if (!b.inside)
		return json_read_refuse(r, "the type wants a member \"value\"");
	*at = b.inside;
	return 0;
}

static int pack_inside(struct arena *arena, const ProtobufCMessage *inside, ProtobufCMessage *any)
{
	ProtobufCBinaryData *value = json_field_at(any, &any->descriptor->fields[1]);
	size_t len = protobuf_c_message_get_packed_size(inside);
	uint8_t *bytes = arena_alloc(arena, len + 1);

	if (!bytes)
		return err_origin(-ENOMEM);
	value->data = bytes;
	value->len = protobuf_c_message_pack(inside, bytes);
	return 0;
}

static int refuse_type(struct json_read *r, const char *rule)
{
	json_read_push(r, "%s" JSON_ANY_TYPE, r->path_len ? "." : "");
	return json_read_refuse(r, rule);
}

static int decode_inside(struct json_read *r, const ProtobufCMessageDescriptor *desc,
			 ProtobufCMessage *any)
{
	ProtobufCMessage *inside = NULL;
	bool plain = json_field_form(desc) == JSON_FORM_OBJECT && !is_empty_type(desc);
	int rc =
		plain ? json_decode_object(r, desc, true, &inside) : decode_boxed(r, desc, &inside);

	return rc ? rc : pack_inside(r->scan.arena, inside, any);
}

int json_any_decode(struct json_read *r, const ProtobufCMessageDescriptor *desc,
		    ProtobufCMessage **at)
{
	const ProtobufCMessageDescriptor *type;
	struct json_scan look;
	ProtobufCMessage *any;
	size_t len = 0;
	char *url = NULL;
	int rc = find_type(r, &url, &len);

	if (rc)
		return rc;
	any = json_value_message(desc, r->scan.arena);
	if (!any)
		return err_origin(-ENOMEM);
	if (url) {
		type = json_types_find(r->types, url, len);
		if (!type)
			return refuse_type(r, "unknown type");
		*(char **)json_field_at(any, &desc->fields[0]) = url;
		rc = decode_inside(r, type, any);
	} else {
		/* {} is an Any with nothing in it. */
		look = r->scan;
		(void)json_scan_take(&look, '{');
		if (json_scan_peek(&look) != '}')
			return refuse_type(r, "must tell the type");
		rc = json_read_object(r, false, NULL, NULL);
	}
	if (!rc)
		*at = any;
	return rc;
}

/* --- out --- */

static int encode_inside(struct json_encode *e, const char *url, const ProtobufCMessage *inside)
{
	bool plain = json_field_form(inside->descriptor) == JSON_FORM_OBJECT;
	int r;

	json_write(e->out, "{\"" JSON_ANY_TYPE "\":", sizeof("{\"" JSON_ANY_TYPE "\":") - 1);
	json_quote(e->out, url);
	if (plain) {
		r = json_encode_members(e, inside, false);
	} else {
		text_adds(e->out, ",\"value\":");
		r = json_encode_message(e, inside);
	}
	json_write(e->out, "}", 1);
	return r;
}

int json_any_encode(struct json_encode *e, const ProtobufCMessage *any)
{
	const ProtobufCFieldDescriptor *f = any->descriptor->fields;
	const char *url = *(const char *const *)json_field_at(any, &f[0]);
	const ProtobufCBinaryData *value = json_field_at(any, &f[1]);
	const ProtobufCMessageDescriptor *type;
	_cleanup_(arena_done) struct arena arena;
	ProtobufCMessage *inside;

	arena_init(&arena, INSIDE_MAX_LEN);
	if (!*url && value->len == 0) {
		json_write(e->out, "{}", 2);
		return 0;
	}
	type = json_types_find(e->types, url, strlen(url));
	if (!type) {
		log_warn("json", "an Any holds %s, a type that is unknown here", url);
		return err_origin(-EBADMSG);
	}
	inside = unpack_message(type, arena_pb(&arena), value->data, value->len);
	if (!inside) {
		log_warn("json", "an Any says it holds %s, but its bytes are none", url);
		return err_origin(-EBADMSG);
	}
	return encode_inside(e, url, inside);
}
