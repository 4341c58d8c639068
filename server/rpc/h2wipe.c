/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What h2o's buffers held does not outlive them. Requests and answers carry passwords, tokens and
 * private keys; h2o frees a buffer as it is, when all was read or written, when it grew, or when it
 * collected a head from several frames. All of these end in one function of its library, which is
 * called by name: ours stands before it, wipes what the buffer still names as its contents, and
 * hands on. (The tap wipes frame by frame what h2o has read, so little is left to do.) Any thread.
 */
#include <dlfcn.h>
#include <string.h>

#include "server/rpc/h2engine.h"

static void (*theirs)(h2o_buffer_t *);

__attribute__((constructor)) static void find_theirs(void)
{
	void *found = dlsym(RTLD_NEXT, "h2o_buffer__do_free");

	memcpy(&theirs, &found, sizeof(theirs));
}

void h2o_buffer__do_free(h2o_buffer_t *buffer)
{
	explicit_bzero(buffer->bytes, buffer->size);
	theirs(buffer);
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

void h2wipe_make_room(struct st_h2o_buffer_t *buffer)
{
	char *start = buffer->_buf, *end = start + buffer->capacity;
	char *old_end = buffer->bytes + buffer->size;

	if (buffer->bytes == start || end - old_end >= 4096)
		return;
	memmove(start, buffer->bytes, buffer->size);
	buffer->bytes = start;
	explicit_bzero(start + buffer->size, (size_t)(old_end - (start + buffer->size)));
}
