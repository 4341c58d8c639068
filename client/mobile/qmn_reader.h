/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Puts the answer of a call together from the pieces in which HTTP/2 hands it
 * over. The buffer is the caller's; no heap, no threads: one reader is used by
 * one thread at a time.
 */
#ifndef QMN_READER_H
#define QMN_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

struct qmn_reader {
	uint8_t *buf;
	size_t cap;
	size_t len;   /* received */
	size_t given; /* of these, handed over by the last qmn_reader_next */
};

/* cap as QMN_*_ANSWER_MAX of the method. */
void qmn_reader_init(struct qmn_reader *r, uint8_t *buf, size_t cap);
/* Adds a piece. false: more than fits; the call is to be cancelled. */
bool qmn_reader_push(struct qmn_reader *r, const uint8_t *p, size_t len);
/*
 * One frame for qmn_*_decode, valid until the next push or next. 1: there is
 * one; 0: not yet; -1: no frame of ours, or one that never fits.
 */
int qmn_reader_next(struct qmn_reader *r, const uint8_t **ret_p, size_t *ret_len);
/* Nothing is left over: the stream ended at the end of a frame. */
bool qmn_reader_is_clean(const struct qmn_reader *r);
/* Zeroes the buffer: it may have held a config. */
void qmn_reader_done(struct qmn_reader *r);

#ifdef __cplusplus
}
#endif
#endif
