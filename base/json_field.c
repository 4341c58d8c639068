/* SPDX-License-Identifier: Apache-2.0 */
/* Reads descriptors only; protobuf-c keeps members at offsets, their count or case beside them. */
#include "base/json_field.h"

#include <string.h>

#include "base/cleanup.h"

#define NAME_MAX_LEN 128

void json_field_camel(const char *name, char *ret)
{
	bool up = false;

	for (; *name; name++) {
		if (*name == '_') {
			up = true;
			continue;
		}
		*ret++ = up && *name >= 'a' && *name <= 'z' ? (char)(*name - 'a' + 'A') : *name;
		up = false;
	}
	*ret = '\0';
}

static bool camel_equal(const char *proto, const char *name)
{
	char camel[NAME_MAX_LEN];

	if (strlen(proto) >= sizeof(camel))
		return false;
	json_field_camel(proto, camel);
	return strcmp(camel, name) == 0;
}

const ProtobufCFieldDescriptor *json_field_find(const ProtobufCMessageDescriptor *desc,
						const char *name)
{
	const ProtobufCFieldDescriptor *f =
		protobuf_c_message_descriptor_get_field_by_name(desc, name);

	for (unsigned i = 0; !f && i < desc->n_fields; i++) {
		if (camel_equal(desc->fields[i].name, name))
			f = &desc->fields[i];
	}
	return f;
}

/* "features" -> "FeaturesEntry", as protoc names it. */
static bool entry_name_is(const char *field, const char *entry)
{
	bool up = true;

	for (; *field; field++) {
		char c = *field;

		if (c == '_') {
			up = true;
			continue;
		}
		if (up && c >= 'a' && c <= 'z')
			c = (char)(c - 'a' + 'A');
		up = false;
		if (c != *entry++)
			return false;
	}
	return strcmp(entry, "Entry") == 0;
}

bool json_field_is_map(const ProtobufCMessageDescriptor *desc, const ProtobufCFieldDescriptor *f)
{
	const ProtobufCMessageDescriptor *entry = f->descriptor;
	size_t len = strlen(desc->name);

	return f->label == PROTOBUF_C_LABEL_REPEATED && f->type == PROTOBUF_C_TYPE_MESSAGE &&
	       entry->n_fields == 2 && strcmp(entry->fields[0].name, "key") == 0 &&
	       entry->fields[0].id == 1 && strcmp(entry->fields[1].name, "value") == 0 &&
	       entry->fields[1].id == 2 && strncmp(entry->name, desc->name, len) == 0 &&
	       entry->name[len] == '.' && entry_name_is(f->name, entry->name + len + 1);
}

bool json_field_same_key(const ProtobufCMessage *a, const ProtobufCMessage *b)
{
	const ProtobufCFieldDescriptor *key = a->descriptor->fields;
	const void *one = json_field_at(a, key), *two = json_field_at(b, key);

	if (key->type == PROTOBUF_C_TYPE_STRING)
		return strcmp(*(char *const *)one, *(char *const *)two) == 0;
	return memcmp(one, two, json_field_size(key)) == 0;
}

bool json_field_is_oneof(const ProtobufCFieldDescriptor *f)
{
	return (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) != 0;
}

uint32_t *json_field_case(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	return (uint32_t *)((char *)(uintptr_t)msg + f->quantifier_offset);
}

size_t *json_field_count(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	return (size_t *)((char *)(uintptr_t)msg + f->quantifier_offset);
}

void *json_field_at(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f)
{
	return (char *)(uintptr_t)msg + f->offset;
}

size_t json_field_size(const ProtobufCFieldDescriptor *f)
{
	switch (f->type) {
	case PROTOBUF_C_TYPE_INT64:
	case PROTOBUF_C_TYPE_SINT64:
	case PROTOBUF_C_TYPE_SFIXED64:
	case PROTOBUF_C_TYPE_UINT64:
	case PROTOBUF_C_TYPE_FIXED64:
	case PROTOBUF_C_TYPE_DOUBLE:
		return 8;
	case PROTOBUF_C_TYPE_STRING:
	case PROTOBUF_C_TYPE_MESSAGE:
		return sizeof(void *);
	case PROTOBUF_C_TYPE_BYTES:
		return sizeof(ProtobufCBinaryData);
	case PROTOBUF_C_TYPE_BOOL:
		return sizeof(protobuf_c_boolean);
	default:
		return 4;
	}
}

static bool is_wrapper(const ProtobufCMessageDescriptor *desc)
{
	size_t len = strlen(desc->short_name);

	return len > 5 && strcmp(desc->short_name + len - 5, "Value") == 0 && desc->n_fields == 1 &&
	       strcmp(desc->fields[0].name, "value") == 0;
}

/* The fields count too: what is read by their places is what it is called. */
enum json_form json_field_form(const ProtobufCMessageDescriptor *desc)
{
	static const char google[] = "google.protobuf.";
	static const struct {
		const char *name;
		unsigned n_fields;
		enum json_form form;
	} known[] = {
		{"Timestamp", 2, JSON_FORM_TIMESTAMP}, {"Duration", 2, JSON_FORM_DURATION},
		{"FieldMask", 1, JSON_FORM_MASK},      {"Any", 2, JSON_FORM_ANY},
		{"Struct", 1, JSON_FORM_STRUCT},       {"ListValue", 1, JSON_FORM_LIST},
		{"Value", 6, JSON_FORM_VALUE},
	};

	if (desc->name[0] != 'g' || strncmp(desc->name, google, sizeof(google) - 1) != 0)
		return JSON_FORM_OBJECT;
	for (size_t i = 0; i < ARRAY_LEN(known); i++) {
		if (strcmp(desc->name + sizeof(google) - 1, known[i].name) == 0 &&
		    desc->n_fields == known[i].n_fields)
			return known[i].form;
	}
	return is_wrapper(desc) ? JSON_FORM_WRAPPER : JSON_FORM_OBJECT;
}

bool json_field_is_null(const ProtobufCFieldDescriptor *f)
{
	return f->type == PROTOBUF_C_TYPE_ENUM &&
	       strcmp(((const ProtobufCEnumDescriptor *)f->descriptor)->name,
		      "google.protobuf.NullValue") == 0;
}

bool json_field_takes_null(const ProtobufCFieldDescriptor *f)
{
	if (f->type == PROTOBUF_C_TYPE_MESSAGE)
		return json_field_form(f->descriptor) == JSON_FORM_VALUE;
	return json_field_is_null(f);
}
