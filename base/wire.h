/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Protobuf's wire format by hand, for the one message that must never fail to
 * travel: the error itself (status_wire.c). Everything else uses gen/.
 */
#ifndef QM_WIRE_H
#define QM_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"

enum wire_type { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* Writers append to a builder; t->failed when it did not fit. */
void wire_put_varint(struct text *t, unsigned field, uint64_t n);
void wire_put_bytes(struct text *t, unsigned field, const void *p, size_t len);
/* Empty and NULL are left out, as proto3 has it. */
void wire_put_string(struct text *t, unsigned field, const char *s);

struct wire_reader {
	const uint8_t *p;
	size_t len;
};

struct wire_field {
	unsigned number;
	enum wire_type type;
	uint64_t n; /* of WIRE_VARINT and the fixed ones */
	const uint8_t *p;
	size_t len; /* of WIRE_BYTES; borrowed from the input */
};

/* 1 and a field, 0 at the end, -EBADMSG. */
int wire_next(struct wire_reader *r, struct wire_field *ret_field) _must_check_;
/* A reader over the bytes of a field. */
struct wire_reader wire_enter(const struct wire_field *f);
/* A copy on the heap. -EBADMSG when it is not UTF-8 or holds a NUL, -ENOMEM. */
int wire_string(const struct wire_field *f, char **ret) _must_check_;

#endif
