/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HPACK blocks, of one connection and so with one table: counted by us without
 * decoding, in pieces or whole the same; as many fields as nghttp2 finds where
 * it takes the block; then decoded by h2o as on a connection.
 */
#include <assert.h>
#include <h2o.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>
#include <nghttp2/nghttp2.h>
#include <stdint.h>
#include <string.h>

#include "base/limits.h"
#include "server/rpc/h2frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* Fields, or -1. */
static long count(const uint8_t *p, size_t len, size_t piece)
{
	struct h2fields s = {0};

	for (size_t at = 0; at < len; at += piece)
		if (h2fields_add(&s, p + at, piece < len - at ? piece : len - at) < 0)
			return -1;
	return (long)s.n;
}

static long count_by_nghttp2(nghttp2_hd_inflater *inflater, const uint8_t *p, size_t len)
{
	long n = 0;

	for (;;) {
		nghttp2_nv nv;
		int flags = 0;
		ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, p, len, 1);

		if (used < 0)
			return -1;
		p += used;
		len -= (size_t)used;
		n += (flags & NGHTTP2_HD_INFLATE_EMIT) != 0;
		if (flags & NGHTTP2_HD_INFLATE_FINAL)
			break;
	}
	nghttp2_hd_inflate_end_headers(inflater);
	return len ? -1 : n;
}

static int decode(h2o_hpack_header_table_t *table, const uint8_t *p, size_t len, int trailers)
{
	h2o_req_t *req = calloc(1, sizeof(*req));
	size_t content_length = SIZE_MAX;
	const char *why = NULL;
	int map = 0, r;

	assert(req);
	h2o_mem_init_pool(&req->pool);
	r = h2o_hpack_parse_headers(req, table, p, len, trailers ? NULL : &map, &content_length,
				    NULL, &why);
	assert(req->headers.size <= LIMIT_FIELDS);
	h2o_mem_clear_pool(&req->pool);
	free(req);
	return r;
}

static void one_connection(const uint8_t *data, size_t len)
{
	h2o_hpack_header_table_t table = {.hpack_capacity = 4096, .hpack_max_capacity = 4096};
	nghttp2_hd_inflater *inflater;
	int usable = 1, refused = 0;

	assert(nghttp2_hd_inflate_new(&inflater) == 0);
	while (len > 2 && !refused) {
		size_t piece = data[0] % 32 + 1u, n = 16u * data[1] + 1u;
		int trailers = data[0] & 128;
		long ours, theirs = -1;

		data += 2;
		len -= 2;
		n = n < len ? n : len;
		ours = count(data, n, n);
		assert(ours == count(data, n, piece));
		if (usable)
			theirs = count_by_nghttp2(inflater, data, n);
		usable = theirs >= 0;
		assert(theirs < 0 || ours == theirs);
		refused =
			ours < 0 || ours > LIMIT_FIELDS || (decode(&table, data, n, trailers) != 0);
		data += n;
		len -= n;
	}
	nghttp2_hd_inflate_del(inflater);
	h2o_hpack_dispose_header_table(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	one_connection(data, len);
	return 0;
}
