/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 frames and stateless HPACK, free of any engine's types: reading frame
 * heads, counting the fields of a block before anything decodes it, and writing
 * header blocks that never touch a compression table (RFC 9113, RFC 7541).
 */
#ifndef QM_H2FRAME_H
#define QM_H2FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define H2FRAME_HEAD_LEN 9

enum h2frame_type {
	H2_DATA,
	H2_HEADERS,
	H2_PRIORITY,
	H2_RST_STREAM,
	H2_SETTINGS,
	H2_PUSH_PROMISE,
	H2_PING,
	H2_GOAWAY,
	H2_WINDOW_UPDATE,
	H2_CONTINUATION,
};

enum {
	H2_END_STREAM = 0x1,
	H2_ACK = 0x1,
	H2_END_HEADERS = 0x4,
	H2_PADDED = 0x8,
	H2_HAS_PRIORITY = 0x20,
};

enum h2_code {
	H2_NO_ERROR = 0,
	H2_PROTOCOL_ERROR = 1,
	H2_INTERNAL_ERROR = 2,
	H2_FLOW_CONTROL_ERROR = 3,
	H2_STREAM_CLOSED = 5,
	H2_FRAME_SIZE_ERROR = 6,
	H2_REFUSED_STREAM = 7,
	H2_CANCEL = 8,
	H2_COMPRESSION_ERROR = 9,
	H2_ENHANCE_YOUR_CALM = 11,
};

struct h2frame {
	uint32_t len;
	uint8_t type;
	uint8_t flags;
	uint32_t stream;
};

void h2frame_read(const uint8_t p[H2FRAME_HEAD_LEN], struct h2frame *ret);
void h2frame_write(uint8_t ret[H2FRAME_HEAD_LEN], const struct h2frame *f);

/*
 * Cuts padding (and the five priority bytes of HEADERS) off. 0, or -EPROTO
 * when the padding does not fit.
 */
int h2frame_payload(const struct h2frame *f, const uint8_t *payload, const uint8_t **ret_p,
		    size_t *ret_len) _must_check_;

/*
 * Counts the fields of a piece of a header block without decoding it. A field
 * may be cut by the end of the piece: state carries over to the next one.
 */
struct h2fields {
	uint32_t n;    /* fields begun */
	uint64_t skip; /* bytes of a string still to come */
	uint8_t phase; /* what comes next */
	uint8_t shift; /* inside an integer */
	uint64_t value;
	uint8_t after; /* phase after the present string */
};

/* 0, -EPROTO for an integer that overflows. */
int h2fields_add(struct h2fields *s, const uint8_t *p, size_t len) _must_check_;

/* A header block under construction in a caller's buffer; failed once it did not fit. */
struct h2block {
	uint8_t *p;
	size_t len, cap;
	bool failed;
};

/* Tells the peer that its smaller table is in use. First in a block. */
void h2block_table_size(struct h2block *b, size_t size);
void h2block_status(struct h2block *b, unsigned status);
/* name in lower case. */
void h2block_add(struct h2block *b, const char *name, const char *value, size_t value_len);

#endif
