/* SPDX-License-Identifier: Apache-2.0 */
/* There and back, bombs, and everything that is no gzip. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "base/gzip.h"

#define BIG_LEN (4u << 20)

static void there_and_back(void **state)
{
	static const size_t lens[] = {0, 1, 100, 16384, 16385, 100000};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		_cleanup_(text_done) struct text zipped = TEXT_INIT(BIG_LEN);
		_cleanup_(text_done) struct text plain = TEXT_INIT(lens[i]);
		_cleanup_(freep) uint8_t *data = malloc(lens[i] + 1);

		for (size_t n = 0; n < lens[i]; n++)
			data[n] = (uint8_t)(n * n >> 3);
		assert_int_equal(gzip_deflate(data, lens[i], &zipped), 0);
		assert_int_equal(gzip_inflate(zipped.s, zipped.len, &plain), 0);
		assert_int_equal(plain.len, lens[i]);
		assert_memory_equal(plain.s, data, lens[i]);
	}
}

/* The limit holds to the byte, however much would come. */
static void bombs(void **state)
{
	_cleanup_(text_done) struct text zipped = TEXT_INIT(BIG_LEN);
	_cleanup_(freep) uint8_t *zeros = calloc(1, BIG_LEN);

	(void)state;
	assert_int_equal(gzip_deflate(zeros, BIG_LEN, &zipped), 0);
	assert_true(zipped.len < BIG_LEN / 100);
	for (int over = 0; over < 2; over++) {
		_cleanup_(text_done) struct text plain = TEXT_INIT(BIG_LEN - (size_t)over);

		assert_int_equal(gzip_inflate(zipped.s, zipped.len, &plain), over ? -EMSGSIZE : 0);
		assert_true(plain.len <= plain.max);
	}
}

static void several_members(void **state)
{
	_cleanup_(text_done) struct text zipped = TEXT_INIT(1000);
	_cleanup_(text_done) struct text plain = TEXT_INIT(1000);

	(void)state;
	assert_int_equal(gzip_deflate("one ", 4, &zipped), 0);
	assert_int_equal(gzip_deflate("two", 3, &zipped), 0);
	assert_int_equal(gzip_inflate(zipped.s, zipped.len, &plain), 0);
	assert_string_equal(plain.s, "one two");
}

/* Every cut and every flipped byte: an answer, never more. */
static void broken(void **state)
{
	static const char words[] = "words that are said, words that are said again";
	_cleanup_(text_done) struct text zipped = TEXT_INIT(1000);

	(void)state;
	assert_int_equal(gzip_deflate(words, sizeof(words), &zipped), 0);
	for (size_t len = 0; len < zipped.len; len++) {
		_cleanup_(text_done) struct text plain = TEXT_INIT(1000);

		assert_int_equal(gzip_inflate(zipped.s, len, &plain), -EBADMSG);
	}
	for (size_t i = 0; i < zipped.len; i++) {
		_cleanup_(text_done) struct text plain = TEXT_INIT(1000);

		zipped.s[i] ^= 0x15;
		(void)!gzip_inflate(zipped.s, zipped.len, &plain);
		zipped.s[i] ^= 0x15;
	}
	for (size_t i = 0; i < 2; i++) {
		_cleanup_(text_done) struct text plain = TEXT_INIT(1000);
		static const char *const not_gzip[] = {"not gzip at all", "\x78\x9c\x03\0\0\0\0\1"};

		assert_int_equal(gzip_inflate(not_gzip[i], 8, &plain), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(there_and_back),
		cmocka_unit_test(bombs),
		cmocka_unit_test(several_members),
		cmocka_unit_test(broken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
