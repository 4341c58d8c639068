/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of a peer -> message. protobuf-c takes any bytes as a string, and a C
 * string ends at its first NUL; here such bytes are no message: strings are
 * UTF-8 (as proto3 demands) and hold no NUL. Pure.
 */
#ifndef QM_UNPACK_H
#define QM_UNPACK_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "base/cleanup.h"

#define UNPACK_MAX_DEPTH 100 /* messages inside each other, as protobuf's own decoders have it */

/* NULL: not a message of this type, or no memory. Freed as protobuf-c's own. */
ProtobufCMessage *unpack_message(const ProtobufCMessageDescriptor *desc,
				 ProtobufCAllocator *allocator, const void *p, size_t len)
	_must_check_;

#endif
