/* SPDX-License-Identifier: Apache-2.0 */
/* Who may change something: the table of what browsers and other clients send. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"
#include "server/rpc/origin.h"

struct row {
	const char *site, *origin;
	bool by_cookie;
	int want;
};

static void test_table(void **state)
{
	static const struct row rows[] = {
		{"same-origin", NULL, true, 0},
		{"same-origin", "https://evil.example", true, 0},
		{"same-site", NULL, true, ERR_CROSS_SITE},
		{"cross-site", NULL, true, ERR_CROSS_SITE},
		{"cross-site", NULL, false, ERR_CROSS_SITE},
		{"cross-site", "https://node.example:7444", true, ERR_CROSS_SITE},
		{"none", NULL, true, ERR_CROSS_SITE},
		{"none", NULL, false, ERR_CROSS_SITE},
		{"", NULL, false, ERR_CROSS_SITE},
		{"Same-Origin", NULL, true, ERR_CROSS_SITE},
		{NULL, "https://node.example:7444", true, 0},
		{NULL, "https://NODE.example:7444", true, 0},
		{NULL, "http://node.example:7444", true, ERR_CROSS_SITE},
		{NULL, "https://node.example", true, ERR_CROSS_SITE},
		{NULL, "https://node.example:7444.evil.example", true, ERR_CROSS_SITE},
		{NULL, "https://evil.example", false, ERR_CROSS_SITE},
		{NULL, "null", true, ERR_CROSS_SITE},
		{NULL, "null", false, ERR_CROSS_SITE},
		{NULL, "", true, ERR_CROSS_SITE},
		{NULL, NULL, true, ERR_CROSS_SITE},
		{NULL, NULL, false, 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct exchange x = {.scheme = "https", .authority = "node.example:7444"};
		struct header headers[2];
		const char *why = NULL;

		if (rows[i].site)
			headers[x.n_headers++] = (struct header){"sec-fetch-site", rows[i].site,
								 strlen(rows[i].site)};
		if (rows[i].origin)
			headers[x.n_headers++] =
				(struct header){"origin", rows[i].origin, strlen(rows[i].origin)};
		x.headers = headers;
		assert_int_equal(origin_check(&x, rows[i].by_cookie, &why), rows[i].want);
		assert_true((why != NULL) == (rows[i].want != 0));
	}
}

/* Two values cannot both be the browser's. */
static void test_twice(void **state)
{
	static const struct header sites[] = {{"sec-fetch-site", "same-origin", 11},
					      {"sec-fetch-site", "same-origin", 11}};
	static const struct header origins[] = {{"origin", "https://a", 9},
						{"origin", "https://a", 9}};
	struct exchange x = {.scheme = "https", .authority = "a", .n_headers = 2};
	const char *why;

	(void)state;
	x.headers = sites;
	assert_int_equal(origin_check(&x, true, &why), ERR_CROSS_SITE);
	x.headers = origins;
	assert_int_equal(origin_check(&x, true, &why), ERR_CROSS_SITE);
}

static void test_no_host(void **state)
{
	static const struct header origin[] = {{"origin", "https://", 8}};
	struct exchange x = {.scheme = "https", .authority = "", .headers = origin, .n_headers = 1};
	const char *why;

	(void)state;
	assert_int_equal(origin_check(&x, true, &why), ERR_CROSS_SITE);
}

static void test_safe(void **state)
{
	(void)state;
	assert_true(origin_is_safe("GET"));
	assert_true(origin_is_safe("HEAD"));
	assert_true(origin_is_safe("OPTIONS"));
	assert_false(origin_is_safe("POST"));
	assert_false(origin_is_safe("PATCH"));
	assert_false(origin_is_safe("DELETE"));
	assert_false(origin_is_safe("get"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_twice),
		cmocka_unit_test(test_no_host),
		cmocka_unit_test(test_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
