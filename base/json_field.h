/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What JSON needs to know of protobuf-c's descriptors: names in both
 * spellings, presence, maps, the messages with a text form of their own. Pure.
 */
#ifndef QM_JSON_FIELD_H
#define QM_JSON_FIELD_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum json_form {
	JSON_FORM_OBJECT,
	JSON_FORM_TIMESTAMP,
	JSON_FORM_DURATION,
	JSON_FORM_MASK,    /* FieldMask: one string */
	JSON_FORM_WRAPPER, /* Int32Value and its like: as the value in it */
	JSON_FORM_ANY,     /* the message in it, with "@type" */
	JSON_FORM_STRUCT,  /* any object */
	JSON_FORM_LIST,    /* ListValue: any array */
	JSON_FORM_VALUE    /* whatever JSON has */
};

/* By proto name or lowerCamelCase; NULL: no such field. */
const ProtobufCFieldDescriptor *json_field_find(const ProtobufCMessageDescriptor *desc,
						const char *name);
/* The lowerCamelCase of a proto name; ret holds at least strlen(name) + 1. */
void json_field_camel(const char *name, char *ret);
/* A map<>: protoc makes a repeated message <FieldName>Entry {key = 1, value = 2}. */
bool json_field_is_map(const ProtobufCMessageDescriptor *desc, const ProtobufCFieldDescriptor *f);
/* Two entries of one map with the same key. */
bool json_field_same_key(const ProtobufCMessage *a, const ProtobufCMessage *b);
bool json_field_is_oneof(const ProtobufCFieldDescriptor *f);
/* The case member of the field's oneof. */
uint32_t *json_field_case(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f);
size_t *json_field_count(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f);
void *json_field_at(const ProtobufCMessage *msg, const ProtobufCFieldDescriptor *f);
/* Bytes of one value in memory. */
size_t json_field_size(const ProtobufCFieldDescriptor *f);
/* How a message is written. */
enum json_form json_field_form(const ProtobufCMessageDescriptor *desc);
/* Of google.protobuf.NullValue, which is null. */
bool json_field_is_null(const ProtobufCFieldDescriptor *f);
/* One value of Value: null says something there, where it else means absent. */
bool json_field_takes_null(const ProtobufCFieldDescriptor *f);

#endif
