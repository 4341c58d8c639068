/* SPDX-License-Identifier: Apache-2.0 */
/* A request's bytes in every cut: whole, byte by byte, as padded text; limits and violations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/gzip.h"
#include "gateway/inlet.h"

#define MAX_LEN 5000

/* Puts an envelope behind what is in out. */
static void put(struct text *out, uint8_t flags, const void *p, size_t len)
{
	uint8_t head[FRAME_HEAD_LEN];

	frame_head(head, flags, (uint32_t)len);
	text_add(out, head, sizeof(head));
	text_add(out, p, len);
}

static struct inlet make(bool base64, bool gzip)
{
	struct inlet in = {.enveloped = true,
			   .base64 = base64,
			   .gzip = gzip,
			   .malformed = ERR_MESSAGE_INVALID,
			   .max = MAX_LEN};

	inlet_init(&in);
	return in;
}

/* All of it in pieces of n; the first failure, or the end's. */
static int feed(struct inlet *in, const char *p, size_t len, size_t n)
{
	const char *why = NULL;
	int r = 0;

	for (size_t at = 0; at < len && !r; at += n)
		r = inlet_add(in, (const uint8_t *)p + at, len - at < n ? len - at : n, &why);
	if (!r)
		r = inlet_end(in, &why);
	assert_true((r == 0) == (why == NULL));
	return r;
}

static int plain_of(const struct inlet *in, struct text *ret_room, const uint8_t **ret_p,
		    size_t *ret_len)
{
	const char *why;

	return inlet_plain(in, ret_room, ret_p, ret_len, &why);
}

static void assert_holds(const struct inlet *in, const void *want, size_t want_len)
{
	_cleanup_(text_done) struct text room = TEXT_INIT(0);
	const uint8_t *p = NULL;
	size_t len = 0;

	assert_int_equal(plain_of(in, &room, &p, &len), 0);
	assert_int_equal(len, want_len);
	assert_memory_equal(p, want, len);
}

static void every_cut(void **state)
{
	_cleanup_(text_done) struct text bytes = TEXT_INIT(2 * MAX_LEN);
	uint8_t msg[MAX_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(msg); i++)
		msg[i] = (uint8_t)(i * 7);
	put(&bytes, 0, msg, sizeof(msg));
	for (size_t n = 1; n <= bytes.len; n = n < 10 ? n + 1 : n * 3) {
		struct inlet in = make(false, false);

		assert_int_equal(feed(&in, bytes.s, bytes.len, n), 0);
		assert_holds(&in, msg, sizeof(msg));
		inlet_done(&in);
	}
}

/* One text, and each piece padded on its own, in every cut. */
static void base64_pieces(void **state)
{
	_cleanup_(text_done) struct text bytes = TEXT_INIT(2 * MAX_LEN);
	uint8_t msg[1000];

	(void)state;
	memset(msg, 0xa7, sizeof(msg));
	put(&bytes, 0, msg, sizeof(msg));
	for (size_t piece = 1; piece < 3000; piece = piece < 8 ? piece + 1 : piece * 2) {
		_cleanup_(text_done) struct text words = TEXT_INIT(8 * MAX_LEN);

		for (size_t at = 0; at < bytes.len; at += piece) {
			char word[5000];
			size_t len = bytes.len - at < piece ? bytes.len - at : piece;

			text_base64(bytes.s + at, len, word);
			text_adds(&words, word);
		}
		for (size_t n = 1; n <= words.len; n = n * 2 + 1) {
			struct inlet in = make(true, false);

			assert_int_equal(feed(&in, words.s, words.len, n), 0);
			assert_holds(&in, msg, sizeof(msg));
			inlet_done(&in);
		}
	}
}

static void zipped(void **state)
{
	_cleanup_(text_done) struct text bytes = TEXT_INIT(MAX_LEN), gzip = TEXT_INIT(MAX_LEN);
	_cleanup_(text_done) struct text room = TEXT_INIT(0);
	static const uint8_t zeros[MAX_LEN + 1];
	const uint8_t *p;
	size_t len;

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		struct inlet in = make(false, true);

		text_done(&bytes);
		bytes = TEXT_INIT(MAX_LEN);
		text_done(&gzip);
		gzip = TEXT_INIT(MAX_LEN);
		assert_int_equal(gzip_deflate(zeros, MAX_LEN + over, &gzip), 0);
		put(&bytes, INLET_ZIPPED, gzip.s, gzip.len);
		assert_int_equal(feed(&in, bytes.s, bytes.len, 100), 0);
		if (over)
			assert_int_equal(plain_of(&in, &room, &p, &len), ERR_MESSAGE_TOO_LARGE);
		else
			assert_holds(&in, zeros, MAX_LEN);
		inlet_done(&in);
	}
}

static void violations(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool base64, gzip;
		int want;
	} rows[] = {
		{"", 0, false, false, ERR_UNIMPLEMENTED},
		{"\0\0\0", 3, false, false, ERR_MESSAGE_INVALID},
		{"\0\0\0\0\2a", 6, false, false, ERR_MESSAGE_INVALID},
		{"\0\0\0\0\1a\0\0\0\0\1b", 12, false, false, ERR_UNIMPLEMENTED},
		{"\0\0\0\0\1a\0", 7, false, false, ERR_UNIMPLEMENTED},
		{"\1\0\0\0\1a", 6, false, false, ERR_MESSAGE_INVALID},
		{"\2\0\0\0\1a", 6, false, true, ERR_MESSAGE_INVALID},
		{"\x80\0\0\0\1a", 6, false, true, ERR_MESSAGE_INVALID},
		{"\0\xff\xff\xff\xff", 5, false, false, ERR_MESSAGE_TOO_LARGE},
		{"\0\0\0\x13\x89", 5, false, false, ERR_MESSAGE_TOO_LARGE},
		{"AAAA*AAA", 8, true, false, ERR_MESSAGE_INVALID},
		{"=AAA", 4, true, false, ERR_MESSAGE_INVALID},
		{"AAAAA", 5, true, false, ERR_MESSAGE_INVALID},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t n = 1; n <= rows[i].len + 1; n++) {
			struct inlet in = make(rows[i].base64, rows[i].gzip);

			assert_int_equal(feed(&in, rows[i].bytes, rows[i].len, n), rows[i].want);
			inlet_done(&in);
		}
	}
}

/* A whole body: the limit to the byte, compressed or not; empty stays empty. */
static void bare(void **state)
{
	static const char body[MAX_LEN + 1];

	(void)state;
	for (size_t over = 0; over < 2; over++) {
		struct inlet in = {.max = MAX_LEN};

		inlet_init(&in);
		assert_int_equal(feed(&in, body, MAX_LEN + over, 1000),
				 over ? ERR_MESSAGE_TOO_LARGE : 0);
		inlet_done(&in);
	}
	for (int gzip = 0; gzip < 2; gzip++) {
		struct inlet in = {.max = MAX_LEN, .gzip = gzip};

		inlet_init(&in);
		assert_int_equal(feed(&in, body, 0, 1), 0);
		assert_holds(&in, "", 0);
		inlet_done(&in);
	}
}

static void not_gzip(void **state)
{
	_cleanup_(text_done) struct text room = TEXT_INIT(0);
	struct inlet in = make(false, true);
	const uint8_t *p;
	size_t len;

	(void)state;
	assert_int_equal(feed(&in, "\1\0\0\0\3abc", 8, 8), 0);
	assert_int_equal(plain_of(&in, &room, &p, &len), ERR_MESSAGE_INVALID);
	inlet_done(&in);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cut), cmocka_unit_test(base64_pieces),
		cmocka_unit_test(zipped),    cmocka_unit_test(violations),
		cmocka_unit_test(bare),      cmocka_unit_test(not_gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
