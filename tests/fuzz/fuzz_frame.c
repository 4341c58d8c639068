/* SPDX-License-Identifier: Apache-2.0 */
/* A gRPC byte stream: the first byte says in which pieces it arrives; the cut is the same. */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/frame.h"
#include "base/sign.h"

#define MESSAGE_MAX 1000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A hash over all messages; the reader's end state in ret_end. */
static void cut(const uint8_t *data, size_t len, size_t piece, uint8_t ret_hash[HASH_LEN],
		int *ret_end)
{
	struct frame_reader r;
	int rc = 0;

	frame_reader_init(&r, MESSAGE_MAX);
	memset(ret_hash, 0, HASH_LEN);
	for (size_t at = 0; at < len && rc >= 0; at += piece) {
		const uint8_t *p;
		uint8_t flag;
		size_t n;

		assert(frame_reader_add(&r, data + at, piece < len - at ? piece : len - at) == 0);
		while ((rc = frame_reader_next(&r, &flag, &p, &n)) == 1) {
			const struct hash_part parts[] = {
				{ret_hash, HASH_LEN}, {&flag, 1}, {&n, sizeof(n)}, {p, n}};

			assert(n <= MESSAGE_MAX);
			hash_parts(NULL, 0, parts, ARRAY_LEN(parts), ret_hash);
		}
	}
	assert(r.cap <= 65536 * 2);
	*ret_end = rc;
	frame_reader_done(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	uint8_t whole[HASH_LEN], pieces[HASH_LEN];
	int end_whole, end_pieces;

	if (len < 1)
		return 0;
	cut(data + 1, len - 1, len, whole, &end_whole);
	cut(data + 1, len - 1, data[0] + 1u, pieces, &end_pieces);
	assert(end_whole == end_pieces);
	assert(memcmp(whole, pieces, HASH_LEN) == 0);
	return 0;
}
