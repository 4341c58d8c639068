/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What h2o's buffers held does not outlive them. Requests and answers carry passwords, tokens and
 * private keys; h2o frees a buffer as it is, when all was read or written, when it grew, or when it
 * collected a head from several frames; and where there is room in front, it moves what is unread
 * there and leaves it where it was, too. All of these end in two functions of its library, which
 * are called by name: ours stand before them, wipe what the buffer still names as its contents, or
 * move and wipe, and hand on. (The tap wipes frame by frame what h2o has read, so little is left to
 * do.) Any thread.
 */
#include <dlfcn.h>
#include <string.h>

#include "server/rpc/h2engine.h"

static void (*their_free)(h2o_buffer_t *);
static h2o_iovec_t (*their_reserve)(h2o_buffer_t **, size_t);

__attribute__((constructor)) static void find_theirs(void)
{
	void *found = dlsym(RTLD_NEXT, "h2o_buffer__do_free");

	memcpy(&their_free, &found, sizeof(their_free));
	found = dlsym(RTLD_NEXT, "h2o_buffer_reserve");
	memcpy(&their_reserve, &found, sizeof(their_reserve));
}

void h2o_buffer__do_free(h2o_buffer_t *buffer)
{
	explicit_bzero(buffer->bytes, buffer->size);
	their_free(buffer);
}

static void move_to_front(h2o_buffer_t *buffer)
{
	size_t moved = (size_t)(buffer->bytes - buffer->_buf);

	memmove(buffer->_buf, buffer->bytes, buffer->size);
	buffer->bytes = buffer->_buf;
	if (moved < buffer->size)
		explicit_bzero(buffer->_buf + buffer->size, moved);
	else
		explicit_bzero(buffer->_buf + moved, buffer->size);
}

/* Where h2o would move it, there is room at once; else the old one is freed, or nothing moves. */
h2o_iovec_t h2o_buffer_reserve(h2o_buffer_t **at, size_t len)
{
	h2o_buffer_t *buffer = *at;

	if (buffer->bytes && (buffer->size + len) * 2 <= buffer->capacity &&
	    len > buffer->capacity - buffer->size - (size_t)(buffer->bytes - buffer->_buf))
		move_to_front(buffer);
	return their_reserve(at, len);
}

static void wipe_text(void *p)
{
	h2o_iovec_t *text = p;

	explicit_bzero(text->base, text->len);
}

/* None of them has a value in HPACK's table of fixed fields. */
static bool says_who(const h2o_iovec_t *name)
{
	return name == &H2O_TOKEN_AUTHORIZATION->buf || name == &H2O_TOKEN_COOKIE->buf ||
	       h2o_memis(name->base, name->len, H2O_STRLIT("x-qmesh-user"));
}

void h2wipe_later(const h2o_headers_t *fields)
{
	for (size_t i = 0; i < fields->size; i++) {
		const h2o_header_t *field = &fields->entries[i];
		struct st_h2o_mem_pool_shared_entry_t *entry;

		if (field->value.len == 0 || !says_who(field->name))
			continue;
		/* A text stands right behind its description, in a block of its own with a count of
		 * users. */
		entry = H2O_STRUCT_FROM_MEMBER(struct st_h2o_mem_pool_shared_entry_t, bytes,
					       field->value.base - sizeof(h2o_iovec_t));
		entry->dispose = wipe_text;
	}
}
