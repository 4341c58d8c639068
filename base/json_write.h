/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens of JSON text on their way out, each at the end of a builder.
 * Without judgement: what may be written where is the codec's. Pure.
 */
#ifndef QM_JSON_WRITE_H
#define QM_JSON_WRITE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/text.h"

/* text_add without its call where there is room: an answer is a thousand small pieces. */
static inline void json_write(struct text *out, const char *p, size_t len)
{
	if (out->failed || out->len + len >= out->cap || out->len + len > out->max) {
		text_add(out, p, len);
		return;
	}
	memcpy(out->s + out->len, p, len);
	out->len += len;
	out->s[out->len] = '\0';
}

void json_write_i64(struct text *out, int64_t n);
void json_write_u64(struct text *out, uint64_t n);
/* 64 bits as a string: a number of JavaScript holds 53. */
void json_write_long(struct text *out, bool is_signed, uint64_t n);
/* The shortest decimal that reads back as the same number; what is none as a string. */
void json_write_real(struct text *out, double d, bool is_float);
/* A string of base64. 0 or -ENOMEM. */
int json_write_base64(struct text *out, const ProtobufCBinaryData *b) _must_check_;

#endif
