/* SPDX-License-Identifier: Apache-2.0 */
/* Checks a decoded message against the bounds its .proto file gives. Pure. */
#ifndef QM_BOUNDS_H
#define QM_BOUNDS_H

#include <protobuf-c/protobuf-c.h>

#include "base/cleanup.h"
#include "base/err.h"

struct bounds_error {
	char path[256]; /* "device.label" */
	char rule[160]; /* "is longer than 64 bytes" */
};

/* 0, or ERR_FIELD_INVALID and which field broke which rule. */
int bounds_check(const ProtobufCMessage *msg, struct bounds_error *ret) _must_check_;

#endif
