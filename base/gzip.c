/* SPDX-License-Identifier: Apache-2.0 */
/* The only file that knows zlib. Its window and tables lie in memory that is wiped when freed. */
#include "base/gzip.h"

#include <errno.h>
#include <stdint.h>
#include <zlib.h>

#include "base/key.h"

#define GZIP_ONLY 16 /* added to the window bits: neither zlib's own form nor raw */
#define CHUNK_LEN 16384

/* In front of every block: its length, for the wiping. Keeps zlib's alignment. */
#define BLOCK_HEAD 16

static void *block_alloc(void *opaque, unsigned n, unsigned size)
{
	size_t len = (size_t)n * size + BLOCK_HEAD;
	size_t *block = malloc(len);

	(void)opaque;
	if (!block)
		return NULL;
	*block = len;
	return (char *)block + BLOCK_HEAD;
}

static void block_free(void *opaque, void *p)
{
	size_t *block = (size_t *)(void *)((char *)p - BLOCK_HEAD);

	(void)opaque;
	key_wipe_bytes(block, *block);
	free(block);
}

static z_stream stream_over(const void *p, size_t len)
{
	return (z_stream){
		.zalloc = block_alloc,
		.zfree = block_free,
		.next_in = (Bytef *)(uintptr_t)p,
		.avail_in = (uInt)len,
	};
}

/* Runs inflate or deflate until it is through or stuck; *ret_said is its last word. */
static int pump(z_stream *z, int (*step)(z_stream *, int), int flush, struct text *out,
		int *ret_said)
{
	uint8_t chunk[CHUNK_LEN];
	int r = 0, said;

	do {
		size_t n;

		z->next_out = chunk;
		z->avail_out = CHUNK_LEN;
		said = step(z, flush);
		n = CHUNK_LEN - z->avail_out;
		if (n > out->max - out->len) {
			r = -EMSGSIZE;
		} else {
			text_add(out, chunk, n);
			r = out->failed ? -ENOMEM : 0;
		}
	} while (!r && said == Z_OK);
	key_wipe_bytes(chunk, sizeof(chunk));
	*ret_said = said;
	return r;
}

int gzip_inflate(const void *p, size_t len, struct text *out)
{
	z_stream z = stream_over(p, len);
	int r, said;

	if (len > UINT32_MAX)
		return -EMSGSIZE;
	if (inflateInit2(&z, MAX_WBITS + GZIP_ONLY) != Z_OK)
		return -ENOMEM;
	/* Several members in a row are one text (RFC 1952, 2.2). */
	do {
		r = pump(&z, inflate, Z_NO_FLUSH, out, &said);
	} while (!r && said == Z_STREAM_END && z.avail_in && inflateReset(&z) == Z_OK);
	inflateEnd(&z);
	if (r || said == Z_STREAM_END)
		return r;
	return said == Z_MEM_ERROR ? -ENOMEM : -EBADMSG;
}

int gzip_deflate(const void *p, size_t len, struct text *out)
{
	z_stream z = stream_over(p, len);
	int r, said;

	if (len > UINT32_MAX)
		return -EMSGSIZE;
	/* Speed: an answer is compressed once, often on the loop. */
	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + GZIP_ONLY, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	r = pump(&z, deflate, Z_FINISH, out, &said);
	deflateEnd(&z);
	return r || said == Z_STREAM_END ? r : -EIO;
}
