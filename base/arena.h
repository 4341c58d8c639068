/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory of one request: a bump allocator with a byte budget. Nothing is freed
 * on its own; arena_done wipes and returns all of it. One thread at a time.
 */
#ifndef QM_ARENA_H
#define QM_ARENA_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>

#include "base/cleanup.h"

struct arena_chunk;

struct arena {
	struct arena_chunk *head;
	size_t used;   /* bytes handed out */
	size_t budget; /* bytes at most */
	ProtobufCAllocator pb;
};

/* budget in bytes; nothing is allocated yet. The arena must not move later. */
void arena_init(struct arena *a, size_t budget);
/* Wipes every byte handed out, then frees. The arena may be used again. */
void arena_done(struct arena *a);
/* The same, but one small chunk stays for the next use: init again with arena_reuse. */
void arena_rest(struct arena *a);
void arena_reuse(struct arena *a, size_t budget);
/* Zeroed, aligned to 16. NULL when the budget or memory is spent. */
void *arena_alloc(struct arena *a, size_t len);
/* Copies; NULL when spent. */
void *arena_memdup(struct arena *a, const void *p, size_t len);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t len);
char *arena_printf(struct arena *a, const char *fmt, ...) _printf_(2, 3);
/* For protobuf-c: alloc from the arena, free does nothing. */
ProtobufCAllocator *arena_pb(struct arena *a);

#define arena_new(a, type) ((type *)arena_alloc((a), sizeof(type)))

#endif
