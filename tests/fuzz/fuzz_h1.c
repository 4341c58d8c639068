/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 from its first byte: a head, then chunks, whole and in pieces the
 * same. What is taken holds nothing that another reader would see otherwise.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/sign.h"
#include "server/rpc/h1.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_line(const char *s, const char *from, const char *end)
{
	assert(s >= from && s < end);
	assert(strcspn(s, "\r\n") == strlen(s) && s + strlen(s) < end);
}

static void check_head(const struct h1_head *h, const char *from, const char *end)
{
	size_t n_lengths = 0, n_codings = 0;

	check_line(h->method, from, end);
	check_line(h->path, from, end);
	assert(h->minor <= 1 && h->n_headers <= LIMIT_FIELDS);
	assert(h->path[0] == '/' || strcmp(h->path, "*") == 0);
	for (size_t i = 0; i < h->n_headers; i++) {
		const struct header *field = &h->headers[i];

		check_line(field->name, from, end);
		check_line(field->value, from, end);
		assert(*field->name && strlen(field->value) == field->value_len);
		assert(strpbrk(field->name, " \t:ABCDEFGHIJKLMNOPQRSTUVWXYZ") == NULL);
		n_lengths += strcmp(field->name, "content-length") == 0;
		n_codings += strcmp(field->name, "transfer-encoding") == 0;
	}
	assert(n_lengths + n_codings <= 1);
	assert(h->chunked == (n_codings > 0));
	assert(!h->chunked || h->minor == 1);
}

/* The length of the head; the same verdict whether it comes at once or grows. */
static size_t find(const uint8_t *p, size_t len, size_t step, unsigned *ret_status)
{
	unsigned whole = 0, part;
	size_t n = h1_head_find(p, len, &whole), m = 0;

	for (size_t at = step; at < len && m == 0; at += step) {
		part = 0;
		m = h1_head_find(p, at, &part);
		assert(m == 0 || m == n);
		if (m == 0 && part) {
			assert(n == 0 && whole == part);
			break;
		}
	}
	*ret_status = whole;
	return n;
}

/* A hash over the payload, and how it ended. */
static long eat(const uint8_t *p, size_t len, size_t step, uint8_t ret_hash[HASH_LEN],
		bool *ret_done)
{
	struct h1_chunks s = {0};
	uint8_t *body = malloc(len + 1);
	size_t n = 0, at = 0;
	long r = 0;

	assert(body);
	*ret_done = false;
	while (at < len && !*ret_done) {
		size_t most = step < len - at ? step : len - at, body_len = 0;
		const uint8_t *piece = NULL;
		ssize_t eaten = h1_chunks_eat(&s, p + at, most, &piece, &body_len, ret_done);

		if (eaten < 0) {
			r = -1;
			break;
		}
		assert((size_t)eaten <= most && body_len <= (size_t)eaten);
		assert(eaten > 0 || *ret_done);
		if (body_len) {
			assert(piece >= p + at && piece + body_len <= p + at + eaten);
			memcpy(body + n, piece, body_len);
		}
		n += body_len;
		at += (size_t)eaten;
	}
	const struct hash_part parts[] = {{body, n}};

	hash_parts(NULL, 0, parts, ARRAY_LEN(parts), ret_hash);
	free(body);
	return r < 0 ? r : (long)at;
}

static void chunks(const uint8_t *p, size_t len, size_t step)
{
	uint8_t whole[HASH_LEN], pieces[HASH_LEN];
	bool done, done_pieces;
	long n = eat(p, len, len ? len : 1, whole, &done);

	assert(n == eat(p, len, step, pieces, &done_pieces));
	assert(done == done_pieces);
	assert(memcmp(whole, pieces, HASH_LEN) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct h1_head h;
	size_t step, head;
	unsigned status;
	char *copy;

	if (len < 2)
		return 0;
	step = data[0] + 1u;
	data++;
	len--;
	head = find(data, len, step, &status);
	if (head == 0) {
		assert(status == 0 || status == 400 || status == 431);
		chunks(data, len, step);
		return 0;
	}
	copy = malloc(head);
	assert(copy);
	memcpy(copy, data, head);
	status = h1_head_parse(copy, head, &h);
	if (status == 0)
		check_head(&h, copy, copy + head);
	else
		assert(status >= 400 && status <= 505);
	chunks(data + head, len - head, step);
	free(copy);
	return 0;
}
