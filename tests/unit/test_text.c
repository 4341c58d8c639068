/* SPDX-License-Identifier: Apache-2.0 */
/* Builder, numbers, hex, base64, ids, UTF-8: good input, bad input, the ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"

static void builder_grows_and_stops_at_max(void **state)
{
	struct text t = TEXT_INIT(300);

	(void)state;
	for (int i = 0; i < 60; i++)
		text_addf(&t, "%05d", i);
	assert_false(t.failed);
	assert_int_equal(t.len, 300);
	text_adds(&t, "x");
	assert_true(t.failed);
	text_adds(&t, "");
	assert_null(text_take(&t));
	assert_false(t.failed);
	text_adds(&t, "again");
	assert_string_equal(t.s, "again");
	text_done(&t);
}

static void take_of_nothing_is_an_empty_string(void **state)
{
	struct text t = TEXT_INIT(10);
	char *s = text_take(&t);

	(void)state;
	assert_string_equal(s, "");
	free(s);
}

static void numbers_are_strict(void **state)
{
	static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1.0", "1e3", "٣"};
	uint64_t n = 77;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(text_parse_u64(bad[i], UINT64_MAX, &n), -EINVAL);
	assert_int_equal(text_parse_u64("18446744073709551616", UINT64_MAX, &n), -ERANGE);
	assert_int_equal(text_parse_u64("99999999999999999999999", UINT64_MAX, &n), -ERANGE);
	assert_int_equal(text_parse_u64("101", 100, &n), -ERANGE);
	assert_int_equal(n, 77);
	assert_int_equal(text_parse_u64("18446744073709551615", UINT64_MAX, &n), 0);
	assert_true(n == UINT64_MAX);
	assert_int_equal(text_parse_u64("0", 0, &n), 0);
	assert_int_equal(n, 0);
}

static void hex_both_ways(void **state)
{
	const uint8_t bytes[] = {0x00, 0x1f, 0xff};
	uint8_t back[3] = {1, 2, 3};
	char hex[7];

	(void)state;
	text_hex(bytes, 3, hex);
	assert_string_equal(hex, "001fff");
	assert_int_equal(text_unhex("001fFF", back, 3), 0);
	assert_memory_equal(back, bytes, 3);
	assert_int_equal(text_unhex("001ff", back, 3), -EINVAL);
	assert_int_equal(text_unhex("001fff0", back, 3), -EINVAL);
	assert_int_equal(text_unhex("001fg0", back, 3), -EINVAL);
	assert_memory_equal(back, bytes, 3);
}

static void base64_vectors(void **state)
{
	/* RFC 4648, section 10. */
	static const char *const plain[] = {"", "f", "fo", "foo", "foob", "fooba", "foobar"};
	static const char *const coded[] = {"",         "Zg==",     "Zm8=",    "Zm9v",
					    "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"};
	char out[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(plain); i++) {
		text_base64(plain[i], strlen(plain[i]), out);
		assert_string_equal(out, coded[i]);
		assert_int_equal(text_unbase64(coded[i], strlen(coded[i]), out, sizeof(out), &len),
				 0);
		assert_int_equal(len, strlen(plain[i]));
		assert_memory_equal(out, plain[i], len);
	}
	text_base64url("\xfb\xff\xfe\xff", 4, out);
	assert_string_equal(out, "-__-_w");
	assert_int_equal(text_unbase64("-__-_w", 6, out, sizeof(out), &len), 0);
	assert_memory_equal(out, "\xfb\xff\xfe\xff", 4);
	assert_int_equal(text_unbase64("+//+/w==", 8, out, sizeof(out), &len), 0);
	assert_memory_equal(out, "\xfb\xff\xfe\xff", 4);
}

static void base64_refuses(void **state)
{
	static const char *const bad[] = {"A",    "Zg=",  "Zg===",    "=",
					  "====", "Z===", "Zm 9",     "Zm9\n",
					  "Zh==", "Zm9=", "Zg==Zg==", "Z\xc3\xa9=="};
	char out[16];
	size_t len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(text_unbase64(bad[i], strlen(bad[i]), out, sizeof(out), &len),
				 -EINVAL);
	assert_int_equal(text_unbase64("Zm9v", 4, out, 2, &len), -ENOBUFS);
	/* "Zh==" and "Zm9=" have bits left over. */
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		bool left_over = strcmp(bad[i], "Zh==") == 0 || strcmp(bad[i], "Zm9=") == 0;

		assert_int_equal(
			text_unbase64_loose(bad[i], strlen(bad[i]), out, sizeof(out), &len),
			left_over ? 0 : -EINVAL);
	}
	assert_int_equal(text_unbase64_loose("Zh==", 4, out, sizeof(out), &len), 0);
	assert_int_equal(len, 1);
	assert_int_equal(out[0], 'f');
	assert_int_equal(text_unbase64_loose("Zm9v", 4, out, 2, &len), -ENOBUFS);
}

static void ids_are_version_7_and_sorted(void **state)
{
	char text[UUID_TEXT_LEN + 1];
	struct uuid a, b, back;

	(void)state;
	clock_fake(1, 0, 0x0192f0c1aa55, NULL);
	a = uuid_make();
	clock_fake(1, 0, 0x0192f0c1aa56, NULL);
	b = uuid_make();
	clock_fake(0, 0, 0, NULL);
	assert_true(memcmp(a.b, b.b, 16) < 0);
	uuid_text(&a, text);
	assert_int_equal(strlen(text), UUID_TEXT_LEN);
	assert_memory_equal(text, "0192f0c1-aa55-7", 15);
	assert_non_null(strchr("89ab", text[19]));
	assert_int_equal(uuid_parse(text, &back), 0);
	assert_true(uuid_equal(&a, &back));
	assert_false(uuid_equal(&a, &b));
	assert_false(uuid_is_nil(&a));
	assert_int_equal(uuid_parse("00000000-0000-0000-0000-000000000000", &back), 0);
	assert_true(uuid_is_nil(&back));
}

static void ids_are_read_strictly(void **state)
{
	static const char *const bad[] = {
		"",
		"0192f0c1aa5570008000000000000001",
		"0192f0c1-aa55-7000-8000-00000000000",
		"0192f0c1-aa55-7000-8000-0000000000011",
		"0192f0c1-aa55-7000-8000-00000000000g",
		"0192f0c1aa-55-7000-8000-000000000001",
		"{192f0c1-aa55-7000-8000-00000000000}",
	};
	struct uuid id = {{1}};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(uuid_parse(bad[i], &id), -EINVAL);
	assert_int_equal(id.b[0], 1);
	assert_int_equal(uuid_parse("0192F0C1-AA55-7000-8000-00000000000A", &id), 0);
	assert_int_equal(id.b[15], 10);
}

static void utf8_well_formed_only(void **state)
{
	static const char *const good[] = {"",
					   "a",
					   "\xc2\x80",
					   "\xe0\xa0\x80",
					   "\xed\x9f\xbf",
					   "\xf0\x90\x80\x80",
					   "\xf4\x8f\xbf\xbf"};
	static const char *const bad[] = {"\x80",
					  "\xc0\x80",
					  "\xc1\xbf",
					  "\xe0\x9f\xbf",
					  "\xed\xa0\x80",
					  "\xf0\x8f\xbf\xbf",
					  "\xf5\x80\x80\x80",
					  "\xf4\x90\x80\x80",
					  "\xc3",
					  "\xe2\x82",
					  "a\xff"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(text_utf8_ok(good[i], strlen(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(text_utf8_ok(bad[i], strlen(bad[i])));
	assert_true(text_equal_ct("abc", "abc"));
	assert_false(text_equal_ct("abc", "abd"));
	assert_false(text_equal_ct("abc", "abcd"));
	assert_true(text_equal_ct("", ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builder_grows_and_stops_at_max),
		cmocka_unit_test(take_of_nothing_is_an_empty_string),
		cmocka_unit_test(numbers_are_strict),
		cmocka_unit_test(hex_both_ways),
		cmocka_unit_test(base64_vectors),
		cmocka_unit_test(base64_refuses),
		cmocka_unit_test(ids_are_version_7_and_sorted),
		cmocka_unit_test(ids_are_read_strictly),
		cmocka_unit_test(utf8_well_formed_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
