/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC's frames. A reader belongs to one stream and one thread; a frame is
 * shared: its count is atomic, its bytes never change after the first send.
 */
#include "base/frame.h"

#include <errno.h>
#include <string.h>

#include "base/key.h"

#define READER_FIRST_CAP 4096

void frame_reader_init(struct frame_reader *r, size_t max)
{
	*r = (struct frame_reader){.max = max};
}

void frame_reader_done(struct frame_reader *r)
{
	size_t max = r->max;

	if (r->buf)
		key_wipe_bytes(r->buf, r->cap);
	free(r->buf);
	frame_reader_init(r, max);
}

/* Messages already handed out make room; the buffer grows only for what is waiting. */
static int make_room(struct frame_reader *r, size_t len)
{
	size_t waiting = r->len - r->off;
	size_t cap = r->cap ? r->cap : READER_FIRST_CAP;
	uint8_t *buf;

	if (len > SIZE_MAX / 4 - waiting)
		return -ENOMEM;
	if (r->len + len <= r->cap)
		return 0;
	if (waiting + len <= r->cap) {
		memmove(r->buf, r->buf + r->off, waiting);
		r->len = waiting;
		r->off = 0;
		return 0;
	}
	while (cap < waiting + len)
		cap *= 2;
	buf = malloc(cap);
	if (!buf)
		return -ENOMEM;
	if (r->buf) {
		memcpy(buf, r->buf + r->off, waiting);
		key_wipe_bytes(r->buf, r->cap);
		free(r->buf);
	}
	r->buf = buf;
	r->cap = cap;
	r->len = waiting;
	r->off = 0;
	return 0;
}

int frame_reader_add(struct frame_reader *r, const void *p, size_t len)
{
	int rc;

	if (len == 0)
		return 0;
	if (r->off == r->len)
		r->off = r->len = 0;
	rc = make_room(r, len);
	if (rc)
		return rc;
	memcpy(r->buf + r->len, p, len);
	r->len += len;
	return 0;
}

int frame_reader_next(struct frame_reader *r, uint8_t *ret_flag, const uint8_t **ret_p,
		      size_t *ret_len)
{
	size_t waiting = r->len - r->off, len;
	const uint8_t *head;

	if (waiting < FRAME_HEAD_LEN)
		return 0;
	head = r->buf + r->off;
	len = (size_t)head[1] << 24 | (size_t)head[2] << 16 | (size_t)head[3] << 8 | head[4];
	if (len > r->max)
		return -EMSGSIZE;
	if (waiting - FRAME_HEAD_LEN < len)
		return 0;
	*ret_flag = head[0];
	*ret_p = head + FRAME_HEAD_LEN;
	*ret_len = len;
	r->off += FRAME_HEAD_LEN + len;
	return 1;
}

size_t frame_reader_rest(const struct frame_reader *r)
{
	return r->len - r->off;
}

void frame_head(uint8_t ret[FRAME_HEAD_LEN], uint8_t flag, uint32_t len)
{
	ret[0] = flag;
	ret[1] = (uint8_t)(len >> 24);
	ret[2] = (uint8_t)(len >> 16);
	ret[3] = (uint8_t)(len >> 8);
	ret[4] = (uint8_t)len;
}

struct frame *frame_new(size_t len)
{
	struct frame *f;

	if (len > UINT32_MAX)
		return NULL;
	f = malloc(sizeof(*f) + FRAME_HEAD_LEN + len);
	if (!f)
		return NULL;
	atomic_init(&f->refs, 1);
	f->secret = false;
	f->len = FRAME_HEAD_LEN + len;
	frame_head(f->bytes, 0, (uint32_t)len);
	return f;
}

struct frame *frame_ref(struct frame *f)
{
	atomic_fetch_add_explicit(&f->refs, 1, memory_order_relaxed);
	return f;
}

void frame_unref(struct frame *f)
{
	if (!f || atomic_fetch_sub_explicit(&f->refs, 1, memory_order_acq_rel) != 1)
		return;
	if (f->secret)
		key_wipe_bytes(f->bytes, f->len);
	free(f);
}
