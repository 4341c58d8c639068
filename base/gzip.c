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

/* What the chunk holds goes to out. */
static int take(struct text *out, const uint8_t *chunk, const z_stream *z)
{
	size_t n = CHUNK_LEN - z->avail_out;

	if (n > out->max - out->len)
		return -EMSGSIZE;
	text_add(out, chunk, n);
	return out->failed ? -ENOMEM : 0;
}

/* Several members in a row are one text (RFC 1952, 2.2). */
static int inflate_all(z_stream *z, uint8_t *chunk, struct text *out)
{
	for (;;) {
		int r, rc;

		z->next_out = chunk;
		z->avail_out = CHUNK_LEN;
		rc = inflate(z, Z_NO_FLUSH);
		if (rc == Z_MEM_ERROR)
			return -ENOMEM;
		if (rc != Z_OK && rc != Z_STREAM_END)
			return -EBADMSG;
		r = take(out, chunk, z);
		if (r)
			return r;
		if (rc == Z_OK)
			continue;
		if (z->avail_in == 0)
			return 0;
		if (inflateReset(z) != Z_OK)
			return -EBADMSG;
	}
}

int gzip_inflate(const void *p, size_t len, struct text *out)
{
	z_stream z = stream_over(p, len);
	uint8_t chunk[CHUNK_LEN];
	int r;

	if (len > UINT32_MAX)
		return -EMSGSIZE;
	if (inflateInit2(&z, MAX_WBITS + GZIP_ONLY) != Z_OK)
		return -ENOMEM;
	r = inflate_all(&z, chunk, out);
	inflateEnd(&z);
	key_wipe_bytes(chunk, sizeof(chunk));
	return r;
}

static int deflate_all(z_stream *z, uint8_t *chunk, struct text *out)
{
	int r, rc;

	do {
		z->next_out = chunk;
		z->avail_out = CHUNK_LEN;
		rc = deflate(z, Z_FINISH);
		r = take(out, chunk, z);
		if (r)
			return r;
	} while (rc == Z_OK);
	return rc == Z_STREAM_END ? 0 : -EIO;
}

int gzip_deflate(const void *p, size_t len, struct text *out)
{
	z_stream z = stream_over(p, len);
	uint8_t chunk[CHUNK_LEN];
	int r;

	if (len > UINT32_MAX)
		return -EMSGSIZE;
	/* Speed: an answer is compressed once, often on the loop. */
	if (deflateInit2(&z, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + GZIP_ONLY, 8,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return -ENOMEM;
	r = deflate_all(&z, chunk, out);
	deflateEnd(&z);
	key_wipe_bytes(chunk, sizeof(chunk));
	return r;
}
