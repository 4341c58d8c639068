/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that only the holder of a private key can read, and nobody can change
 * unseen. Numbers are big-endian:
 *
 *      0  8   "qmsealed"
 *      8  2   version of this form: 1
 *     10  2   what is inside: 1, a backup of a Control Panel
 *     12  8   time it was made, ms since 1970
 *     20  8   BLAKE2b of the public key, first 8 bytes: which key opens it
 *     28  80  a random key, in a sealed box to the public key
 *    108  24  head of the secret stream
 *    132      chunks: length (4), then that many bytes; the last one says so
 *
 * The stream's key is keyed BLAKE2b(random key, bytes 0 to 28): a changed head
 * opens nothing. Any thread; no state but the caller's.
 */
#ifndef QM_SEALED_H
#define QM_SEALED_H

#include "base/key.h"

#define SEALED_VERSION 1
#define SEALED_BACKUP 1
#define SEALED_HEAD_LEN 132
#define SEALED_CHUNK_LEN 65536 /* of what is inside, at most, in one chunk */
#define SEALED_CHUNK_ROOM (4 + SEALED_CHUNK_LEN + KEY_STREAM_OVERHEAD)
#define SEALED_ID_LEN 8

struct sealed_writer {
	struct key_stream stream;
};

/* What the head says to everybody. */
struct sealed_head {
	uint16_t version, kind;
	int64_t made_ms;
	uint8_t id[SEALED_ID_LEN]; /* of the public key */
};

/* Why a file does not open. */
enum sealed_fault {
	SEALED_NOT_OURS = 1, /* no file of this form */
	SEALED_NEWER,        /* a form that this program does not know */
	SEALED_OTHER_KEY,    /* sealed to another public key */
	SEALED_DAMAGED,      /* not as it was written */
	SEALED_CUT,          /* its end is not there */
};

int sealed_begin(struct sealed_writer *w, const struct key *public, int64_t made_ms,
		 uint8_t ret_head[SEALED_HEAD_LEN]) _must_check_;
/* At most SEALED_CHUNK_LEN bytes into ret (SEALED_CHUNK_ROOM); ret_len is what it takes there. */
int sealed_add(struct sealed_writer *w, const void *p, size_t len, bool last, uint8_t *ret,
	       size_t *ret_len) _must_check_;
void sealed_done(struct sealed_writer *w); /* wipes */

/* Head only: 0, SEALED_NOT_OURS, SEALED_NEWER, SEALED_CUT. */
int sealed_peek(const uint8_t *p, size_t len, struct sealed_head *ret) _must_check_;
/*
 * The whole file: 0 and what is inside, on the heap, for sealed_free; an enum
 * sealed_fault; -ENOMEM.
 */
int sealed_open(const uint8_t *p, size_t len, const struct key *private, uint8_t **ret_plain,
		size_t *ret_len) _must_check_;
void sealed_free(uint8_t *plain, size_t len); /* wipes */

#endif
