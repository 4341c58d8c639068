/* SPDX-License-Identifier: Apache-2.0 */
/* The head of a request in one block: texts with their NUL, path and query, what is refused. */
#include "server/rpc/h2head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void fills_to_the_last_byte(void **state)
{
	struct h2head *head = h2head_new(1, sizeof("te") + sizeof("") + sizeof("/a?b=1"));
	struct exchange x = {0};

	(void)state;
	assert_non_null(head);
	head->headers[0] = (struct header){.name = h2head_text(head, "teX", 2),
					   .value = h2head_text(head, NULL, 0)};
	assert_true(h2head_target(head, "/a?b=1", 6, &x));
	assert_string_equal(head->headers[0].name, "te");
	assert_string_equal(head->headers[0].value, "");
	assert_string_equal(x.path, "/a");
	assert_string_equal(x.query, "b=1");
	assert_ptr_equal(head->at, (char *)head + head->len);
	h2head_free(head);
	h2head_free(NULL);
}

static void refuses(void **state)
{
	static const struct {
		const char *path;
		size_t len;
		bool good;
	} rows[] = {
		{"/", 1, true},        {"/%00", 4, true},   {"", 0, false},
		{"a", 1, false},       {"*", 1, false},     {"/a b", 4, false},
		{"/\0b", 3, false},    {"/\x7f", 2, false}, {"/\xc3\xa4", 3, false},
		{"/a?q=\n", 6, false}, {"?q=/", 4, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct h2head *head = h2head_new(0, rows[i].len + 1);
		struct exchange x = {0};

		assert_non_null(head);
		assert_int_equal(h2head_target(head, rows[i].path, rows[i].len, &x), rows[i].good);
		h2head_free(head);
	}
}

static unsigned check(const char *authority, const char *name, const char *value,
		      struct exchange *x)
{
	static struct header headers[2];

	headers[0] = (struct header){.name = "a", .value = "b", .value_len = 1};
	headers[1] = (struct header){.name = name, .value = value, .value_len = strlen(value)};
	*x = (struct exchange){.method = "GET",
			       .authority = authority,
			       .path = "/",
			       .headers = headers,
			       .n_headers = 2};
	return h2head_check(x);
}

static void hosts_and_connections(void **state)
{
	struct exchange x;

	(void)state;
	assert_int_equal(check("a:1", "host", "A:1", &x), 0);
	assert_int_equal(check("", "host", "a", &x), 0);
	assert_string_equal(x.authority, "a");
	assert_int_equal(check("a", "x", "", &x), 0);
	assert_int_equal(check("", "x", "", &x), 400);
	assert_int_equal(check("a", "host", "b", &x), 400);
	assert_int_equal(check("a", "host", "", &x), 400);
	assert_int_equal(check("a/b", "x", "", &x), 400);
	assert_int_equal(check("a", "", "x", &x), 400);
	assert_int_equal(check("a", "keep-alive", "x", &x), 400);
	assert_int_equal(check("a", "upgrade", "x", &x), 400);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_to_the_last_byte),
		cmocka_unit_test(refuses),
		cmocka_unit_test(hosts_and_connections),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
