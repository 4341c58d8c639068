/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of notes with one reader; bounded by bytes, not by number. */
#ifndef QM_INBOX_H
#define QM_INBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define INBOX_MAX_BYTES (64u << 20)

struct inbox_note {
	struct inbox_note *next;
	int kind;
	unsigned number;
	void (*fn)(void *arg, int result);
	void *arg;
	size_t len;
	uint8_t bytes[];
};

struct inbox {
	pthread_mutex_t lock;
	pthread_cond_t filled;
	struct inbox_note *first, **end;
	size_t n_bytes;
	bool overflowed; /* a note was dropped: the reader starts anew */
};

void inbox_init(struct inbox *b);
void inbox_done(struct inbox *b);
/* Copies p. -ENOMEM, -ENOBUFS. */
int inbox_post(struct inbox *b, const struct inbox_note *head, const void *p, size_t len);
/* All notes, or NULL after ms. Free each with inbox_note_free. */
struct inbox_note *inbox_take(struct inbox *b, uint64_t ms, bool *ret_overflowed);
void inbox_note_free(struct inbox_note *note); /* wipes: events may hold keys */

#endif
