/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chunks in a list, the newest first; an allocation is a step forward in it.
 * A message too big for a chunk gets one of its own. Owned by one call.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#define CHUNK_FIRST_LEN 976 /* with its head in malloc's per-thread cache: no lock, no search */
#define CHUNK_MAX_LEN 65536
#define ALIGN_LEN 16

struct arena_chunk {
	struct arena_chunk *next;
	size_t cap, used;
	_Alignas(ALIGN_LEN) uint8_t data[];
};

static void *pb_alloc(void *allocator_data, size_t size)
{
	return arena_alloc(allocator_data, size);
}

static void pb_free(void *allocator_data, void *p)
{
	(void)allocator_data;
	(void)p;
}

void arena_init(struct arena *a, size_t budget)
{
	*a = (struct arena){.budget = budget};
	a->pb = (ProtobufCAllocator){.alloc = pb_alloc, .free = pb_free, .allocator_data = a};
}

void arena_done(struct arena *a)
{
	struct arena_chunk *c = a->head;

	while (c) {
		struct arena_chunk *next = c->next;

		explicit_bzero(c->data, c->used);
		free(c);
		c = next;
	}
	a->head = NULL;
	a->used = 0;
}

void arena_rest(struct arena *a)
{
	struct arena_chunk *keep = NULL, *next;

	for (struct arena_chunk *c = a->head; c; c = next) {
		next = c->next;
		explicit_bzero(c->data, c->used);
		c->used = 0;
		c->next = NULL;
		if (!keep && c->cap == CHUNK_FIRST_LEN)
			keep = c;
		else
			free(c);
	}
	a->head = keep;
	a->used = 0;
}

void arena_reuse(struct arena *a, size_t budget)
{
	struct arena_chunk *kept = a->head;

	arena_init(a, budget);
	a->head = kept;
}

/* Doubles, so that a small call costs one small malloc and a big one few. */
static struct arena_chunk *chunk_add(struct arena *a, size_t len)
{
	size_t cap = a->head ? a->head->cap * 2 : CHUNK_FIRST_LEN;
	struct arena_chunk *c;

	if (cap > CHUNK_MAX_LEN)
		cap = CHUNK_MAX_LEN;
	if (cap < len)
		cap = len;
	c = malloc(sizeof(*c) + cap);
	if (!c)
		return NULL;
	c->next = a->head;
	c->cap = cap;
	c->used = 0;
	a->head = c;
	return c;
}

void *arena_alloc(struct arena *a, size_t len)
{
	struct arena_chunk *c = a->head;
	void *p;

	if (len > a->budget)
		return NULL;
	len = (len + ALIGN_LEN - 1) & ~(size_t)(ALIGN_LEN - 1);
	if (len == 0)
		len = ALIGN_LEN;
	if (len > a->budget - a->used)
		return NULL;
	if (!c || c->cap - c->used < len) {
		c = chunk_add(a, len);
		if (!c)
			return NULL;
	}
	p = c->data + c->used;
	c->used += len;
	a->used += len;
	return memset(p, 0, len);
}

void *arena_memdup(struct arena *a, const void *p, size_t len)
{
	void *copy = arena_alloc(a, len);

	if (copy && len)
		memcpy(copy, p, len);
	return copy;
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
	char *copy;

	len = strnlen(s, len);
	if (len == SIZE_MAX)
		return NULL;
	copy = arena_alloc(a, len + 1);
	if (copy)
		memcpy(copy, s, len);
	return copy;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	char *s;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0)
		return NULL;
	s = arena_alloc(a, (size_t)n + 1);
	if (!s)
		return NULL;
	va_start(ap, fmt);
	vsnprintf(s, (size_t)n + 1, fmt, ap);
	va_end(ap);
	return s;
}

ProtobufCAllocator *arena_pb(struct arena *a)
{
	return &a->pb;
}
