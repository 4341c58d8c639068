/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC's length-prefixed message: flag (1), length (4, big endian), bytes.
 * (grpc/grpc doc/PROTOCOL-HTTP2.md). Shared by server and client.
 */
#ifndef QM_FRAME_H
#define QM_FRAME_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define FRAME_HEAD_LEN 5

/* Cuts a byte stream into messages; the buffer grows up to max and is kept for reuse. */
struct frame_reader {
	uint8_t *buf;
	size_t len, off, cap;
	size_t max; /* message bytes at most */
};

void frame_reader_init(struct frame_reader *r, size_t max);
void frame_reader_done(struct frame_reader *r); /* wipes */
/* -ENOMEM. */
int frame_reader_add(struct frame_reader *r, const void *p, size_t len) _must_check_;
/*
 * 1 and the next message (valid until the next add), 0 when it is not whole yet,
 * -EMSGSIZE when it is announced over max.
 */
int frame_reader_next(struct frame_reader *r, uint8_t *ret_flag, const uint8_t **ret_p,
		      size_t *ret_len) _must_check_;
/* Bytes that no message has claimed yet. */
size_t frame_reader_rest(const struct frame_reader *r);

/* Writes the 5 bytes. */
void frame_head(uint8_t ret[FRAME_HEAD_LEN], uint8_t flag, uint32_t len);

/*
 * An encoded message with its 5 bytes in front, shared by many streams:
 * encoded once, counted, freed by the last.
 */
struct frame {
	atomic_uint refs;
	bool secret; /* wiped when freed */
	size_t len;  /* with the head */
	uint8_t bytes[];
};

/* len bytes after the head for the caller to fill; NULL when out of memory. One reference. */
struct frame *frame_new(size_t len);
struct frame *frame_ref(struct frame *f);
void frame_unref(struct frame *f); /* NULL is fine */
CLEANUP_DEFINE(struct frame, frame_unref);

#endif
