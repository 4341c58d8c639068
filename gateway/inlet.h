/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request's bytes until they are its message, for gRPC-Web and Connect:
 * out of base64 when they came as text, cut by their envelopes
 * (flags (1), length (4, big endian), bytes) or taken as they are, bounded by
 * the method's limit before and after inflating. Bytes are only gathered here;
 * what they mean is asked after the guards. On the exchange's loop but for
 * inlet_plain. Everything it held is wiped.
 */
#ifndef QM_INLET_H
#define QM_INLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/frame.h"
#include "base/text.h"

#define INLET_ZIPPED 0x01 /* flag of an envelope */

struct inlet {
	bool enveloped;     /* else the whole body is the message */
	bool base64;        /* the body is text */
	bool many;          /* a stream of messages: inlet_next takes them one by one */
	bool gzip;          /* the head names gzip: for the body, or for marked messages */
	enum err malformed; /* what the protocol calls bytes that make no sense */
	size_t max;
	/* Its own. */
	struct frame_reader reader;
	struct text body;
	char quad[4];
	size_t n_quad;
	const uint8_t *msg; /* inside reader or body */
	size_t msg_len;
	bool have, zipped;
};

/* The first part is filled by the caller. */
void inlet_init(struct inlet *in);
void inlet_done(struct inlet *in);
/* 0, or what is wrong, with words for the caller. */
int inlet_add(struct inlet *in, const uint8_t *p, size_t len, const char **ret_why) _must_check_;
/* The body is over: now there is one message, or too few bytes. */
int inlet_end(struct inlet *in, const char **ret_why) _must_check_;
/* A message that did not come in the body. */
int inlet_give(struct inlet *in, const uint8_t *p, size_t len, const char **ret_why) _must_check_;
/*
 * The next message of a stream, inflated; borrowed until the next call. *ret_p is NULL when none
 * is whole yet.
 */
int inlet_next(struct inlet *in, struct text *room, const uint8_t **ret_p, size_t *ret_len,
	       const char **ret_why) _must_check_;
/* Bytes of a message that is not whole. */
bool inlet_is_cut(const struct inlet *in);
/* The message inflated; borrowed, from the inlet or from room. Any thread, once it has one. */
int inlet_plain(const struct inlet *in, struct text *room, const uint8_t **ret_p, size_t *ret_len,
		const char **ret_why) _must_check_;

#endif
