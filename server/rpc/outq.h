/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Body bytes on their way out: copied pieces and shared frames, in order.
 * One per exchange, on its loop.
 */
#ifndef QM_OUTQ_H
#define QM_OUTQ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/frame.h"

struct outq_piece;

struct outq {
	struct outq_piece *head, *tail;
	size_t len;
	bool secret;      /* copied pieces are wiped */
	uint64_t full_ms; /* since when more waits than may; 0: it does not */
};

/* -ENOMEM. */
int outq_add(struct outq *q, const void *p, size_t len) _must_check_;
/* Takes a reference of its own. -ENOMEM. */
int outq_add_frame(struct outq *q, struct frame *f) _must_check_;
/* Moves up to cap bytes to dst; returns how many. */
size_t outq_take(struct outq *q, void *dst, size_t cap);
void outq_drop(struct outq *q);
/* Once a second: its reader is too slow for what he is sent. A large answer alone is no fault. */
bool outq_is_stuck(struct outq *q, uint64_t now_ms);

#endif
