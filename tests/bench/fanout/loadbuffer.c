/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/bench/fanout/loadbuffer.h"

#include <stdlib.h>
#include <string.h>

uint8_t *loadbuffer_room(struct loadbuffer *b, size_t len)
{
	if (b->cap - b->len < len) {
		size_t cap = b->cap ? b->cap : 256;

		while (cap - b->len < len)
			cap *= 2;
		b->p = realloc(b->p, cap);
		if (!b->p)
			abort();
		b->cap = cap;
	}
	return b->p + b->len;
}

void loadbuffer_add(struct loadbuffer *b, const void *p, size_t len)
{
	memcpy(loadbuffer_room(b, len), p, len);
	b->len += len;
}

void loadbuffer_drop(struct loadbuffer *b, size_t len)
{
	memmove(b->p, b->p + len, b->len - len);
	b->len -= len;
	/* Ten thousand of them: none keeps what a snapshot took. */
	if (!b->len && b->cap > 4096) {
		free(b->p);
		*b = (struct loadbuffer){0};
	}
}

void loadbuffer_clear(struct loadbuffer *b)
{
	free(b->p);
	*b = (struct loadbuffer){0};
}
