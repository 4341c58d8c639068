/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of pieces; small writes share the last one. Taken by the loop in the size
 * the engine has room for.
 */
#include "server/rpc/outq.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"

#define PIECE_MIN 1024

struct outq_piece {
	struct outq_piece *next;
	struct frame *frame; /* NULL: bytes below */
	size_t off, len, cap;
	uint8_t bytes[];
};

static const uint8_t *piece_bytes(const struct outq_piece *p)
{
	return p->frame ? p->frame->bytes : p->bytes;
}

static void append(struct outq *q, struct outq_piece *p)
{
	if (q->tail)
		q->tail->next = p;
	else
		q->head = p;
	q->tail = p;
}

int outq_add(struct outq *q, const void *p, size_t len)
{
	if (len == 0)
		return 0;
	struct outq_piece *t = q->tail;

	if (!t || t->frame || t->cap - t->len < len) {
		size_t cap = len < PIECE_MIN ? PIECE_MIN : len;

		t = malloc(sizeof(*t) + cap);
		if (!t)
			return -ENOMEM;
		*t = (struct outq_piece){.cap = cap};
		append(q, t);
	}
	memcpy(t->bytes + t->len, p, len);
	t->len += len;
	q->len += len;
	return 0;
}

int outq_add_frame(struct outq *q, struct frame *f)
{
	struct outq_piece *p = malloc(sizeof(*p));

	if (!p)
		return -ENOMEM;
	*p = (struct outq_piece){.frame = frame_ref(f), .len = f->len};
	append(q, p);
	q->len += f->len;
	return 0;
}

static void pop(struct outq *q)
{
	struct outq_piece *p = q->head;

	q->head = p->next;
	if (!q->head)
		q->tail = NULL;
	if (p->frame)
		frame_unref(p->frame);
	else if (q->secret)
		explicit_bzero(p->bytes, p->len);
	free(p);
}

size_t outq_take(struct outq *q, void *dst, size_t cap)
{
	size_t done = 0;

	while (q->head && done < cap) {
		struct outq_piece *p = q->head;
		size_t n = p->len - p->off < cap - done ? p->len - p->off : cap - done;

		memcpy((uint8_t *)dst + done, piece_bytes(p) + p->off, n);
		p->off += n;
		done += n;
		if (p->off == p->len)
			pop(q);
	}
	q->len -= done;
	return done;
}

void outq_drop(struct outq *q)
{
	while (q->head)
		pop(q);
	q->len = 0;
}

bool outq_is_stuck(struct outq *q, uint64_t now_ms)
{
	if (q->len <= LIMIT_QUEUE_BYTES)
		q->full_ms = 0;
	else if (q->full_ms == 0)
		q->full_ms = now_ms;
	return q->full_ms != 0 && now_ms - q->full_ms > LIMIT_QUEUE_MS;
}
