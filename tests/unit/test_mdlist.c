/* SPDX-License-Identifier: Apache-2.0 */
/* Metadata of the client and its form on the wire. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "client/mdlist.h"

static int own(struct mdlist *l, const char *name, const char *value, size_t len)
{
	return mdlist_add_own(l, &(struct qm_md){name, value, len});
}

static void test_own(void **state)
{
	struct mdlist l = {0};

	(void)state;
	assert_int_equal(own(&l, "authorization", "Bearer x y", 10), 0);
	assert_int_equal(own(&l, "a-bin", "\0\1\377", 3), 0);
	assert_int_equal(own(&l, "b-bin", "\377", 1), 0);
	assert_int_equal(own(&l, "empty", "", 0), 0);
	assert_string_equal(l.v[0].value, "Bearer x y");
	assert_string_equal(l.v[1].value, "AAH/");
	assert_string_equal(l.v[2].value, "/w"); /* no padding */
	assert_int_equal(l.v[3].value_len, 0);
	assert_int_equal(l.n, 4);
	mdlist_done(&l);
	assert_int_equal(l.n, 0);
}

static void test_own_refused(void **state)
{
	static const char *const names[] = {
		"",        "A",     "a b",         "a:",        ":path",
		"te",      "grpc-", "grpc-status", "host",      "content-type",
		"upgrade", "a\n",   "\xc3\xa4",    "connection"};
	struct mdlist l = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		assert_int_equal(own(&l, names[i], "v", 1), -EINVAL);
	assert_int_equal(own(&l, "a", "x\ny", 3), -EINVAL);
	assert_int_equal(own(&l, "a", "x\0y", 3), -EINVAL);
	assert_int_equal(own(&l, "a", "\x7f", 1), -EINVAL);
	assert_int_equal(own(&l, "a", "\xff", 1), -EINVAL);
	assert_int_equal(own(&l, "a", " x", 2), -EINVAL);
	assert_int_equal(own(&l, "a", "x ", 2), -EINVAL);
	assert_int_equal(own(&l, "a", NULL, 1), -EINVAL);
	assert_int_equal(own(&l, NULL, "x", 1), -EINVAL);
	assert_int_equal(l.n, 0);
	mdlist_done(&l);
}

static void expect(const char *value, int r, const char *first, const char *second)
{
	struct mdlist l = {0};

	assert_int_equal(mdlist_add_wire(&l, "x-bin", 5, value, strlen(value)), r);
	if (r == 0) {
		assert_int_equal(l.n, second ? 2 : 1);
		assert_string_equal(l.v[0].value, first);
		if (second)
			assert_string_equal(l.v[1].value, second);
	}
	mdlist_done(&l);
}

static void test_wire(void **state)
{
	(void)state;
	expect("YWI=", 0, "ab", NULL);
	expect("YWI", 0, "ab", NULL);
	expect("YWI=,Yw==", 0, "ab", "c");
	expect("YWI, Yw", 0, "ab", "c");
	expect("", 0, "", NULL);
	expect(",", 0, "", "");
	expect("!", -EBADMSG, NULL, NULL);
	expect("YWI=,!", -EBADMSG, NULL, NULL);
}

static void test_many(void **state)
{
	struct mdlist l = {0};
	size_t before;

	(void)state;
	for (int i = 0; i < 100; i++) {
		before = l.bytes;
		assert_int_equal(mdlist_add(&l, "name", 4, "value", 5), 0);
		assert_int_equal(l.bytes - before, 41);
	}
	assert_int_equal(l.n, 100);
	assert_string_equal(l.v[99].name, "name");
	mdlist_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_own_refused),
		cmocka_unit_test(test_wire),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
