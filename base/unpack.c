/* SPDX-License-Identifier: Apache-2.0 */
/* The strings are looked at on the wire, where their length is still known. */
#include "base/unpack.h"

#include <string.h>

#include "base/text.h"
#include "base/wire.h"

static bool string_ok(const struct wire_field *f)
{
	return f->len == 0 ||
	       (text_utf8_ok((const char *)f->p, f->len) && !memchr(f->p, '\0', f->len));
}

static bool strings_ok(const ProtobufCMessageDescriptor *desc, struct wire_reader r, unsigned depth)
{
	struct wire_field field;
	int more;

	if (depth > UNPACK_MAX_DEPTH)
		return false;
	while ((more = wire_next(&r, &field)) == 1) {
		const ProtobufCFieldDescriptor *f =
			protobuf_c_message_descriptor_get_field(desc, field.number);

		if (!f || field.type != WIRE_BYTES)
			continue;
		if (f->type == PROTOBUF_C_TYPE_STRING && !string_ok(&field))
			return false;
		if (f->type == PROTOBUF_C_TYPE_MESSAGE &&
		    !strings_ok(f->descriptor, wire_enter(&field), depth + 1))
			return false;
	}
	return more == 0;
}

ProtobufCMessage *unpack_message(const ProtobufCMessageDescriptor *desc,
				 ProtobufCAllocator *allocator, const void *p, size_t len)
{
	if (!strings_ok(desc, (struct wire_reader){.p = p, .len = len}, 1))
		return NULL;
	return protobuf_c_message_unpack(desc, allocator, len, p);
}
