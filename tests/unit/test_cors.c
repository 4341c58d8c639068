/* SPDX-License-Identifier: Apache-2.0 */
/* Which origins a list may hold, and which requests come from one of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "gateway/cors.h"

static void lists(void **state)
{
	static const char *const good[] = {"https://a.example", "http://localhost:5173",
					   " https://a.example,http://[::1]:80800 ,"};
	static const char *const bad[] = {"*",
					  "null",
					  "a.example",
					  "https://a.example/",
					  "https://",
					  "https://A.com",
					  "https://a.com:443",
					  "http://a.com:80",
					  "ftp://a.com",
					  "https://a.com https://b.com/x",
					  "https://:1",
					  "https://a.com:"};
	struct cors *c = NULL;

	(void)state;
	assert_int_equal(cors_new(NULL, &c), 0);
	assert_null(c);
	assert_int_equal(cors_new(" , ", &c), 0);
	assert_null(c);
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(cors_new(good[i], &c), 0);
		assert_non_null(c);
		cors_free(c);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(cors_new(bad[i], &c), -EINVAL);
}

static bool allows(const struct cors *c, const char *one, const char *two)
{
	const struct header headers[] = {{"origin", one, strlen(one)},
					 {"origin", two ? two : "", two ? strlen(two) : 0}};
	const struct exchange x = {.headers = headers, .n_headers = two ? 2 : 1};

	return cors_allows(c, &x);
}

static void origins(void **state)
{
	const struct exchange nobody = {.n_headers = 0};
	struct cors *c = NULL;

	(void)state;
	assert_int_equal(cors_new("https://a.example,http://localhost:5173", &c), 0);
	assert_true(allows(c, "https://a.example", NULL));
	assert_true(allows(c, "http://localhost:5173", NULL));
	assert_false(allows(c, "http://a.example", NULL));
	assert_false(allows(c, "https://a.example.evil", NULL));
	assert_false(allows(c, "https://a.exampl", NULL));
	assert_false(allows(c, "", NULL));
	assert_false(allows(c, "null", NULL));
	assert_false(allows(c, "https://a.example", "https://a.example"));
	assert_false(allows(NULL, "https://a.example", NULL));
	assert_false(cors_allows(c, &nobody));
	cors_free(c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(lists), cmocka_unit_test(origins)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
