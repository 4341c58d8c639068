/* SPDX-License-Identifier: Apache-2.0 */
/* Messages as gRPC frames, plain and compressed. No state, any thread. */
#ifndef QM_PACKING_H
#define QM_PACKING_H

#include <protobuf-c/protobuf-c.h>

#include "base/err.h"
#include "base/frame.h"
#include "base/text.h"

/* In the first byte of a frame. */
#define PACKING_ZIPPED 1

/* With gzip the frame is compressed where it pays; messages with secrets never are. */
int packing_frame(const ProtobufCMessage *msg, bool gzip, struct frame **ret_frame) _must_check_;
/* Puts the compressed form in the frame's place where it pays; not for secrets. -ENOMEM. */
int packing_zip(struct frame **frame) _must_check_;
/*
 * What a compressed message says, appended to room: no more than room->max.
 * 0, ERR_MESSAGE_TOO_LARGE, ERR_MESSAGE_INVALID, -ENOMEM.
 */
int packing_inflate(const void *p, size_t len, struct text *room) _must_check_;
/* Is gzip in this list of encodings, and not by "q=0"? NULL is an empty list. */
bool packing_lists_gzip(const char *list);

#endif
