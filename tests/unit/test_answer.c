/* SPDX-License-Identifier: Apache-2.0 */
/* What a client accepts, by its header; and that the gathered headers never overflow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gateway/answer.h"

static bool accepts(const char *accept, const char *type)
{
	const struct header header = {"accept", accept, accept ? strlen(accept) : 0};
	struct exchange x = {.headers = &header, .n_headers = accept ? 1 : 0};

	return answer_accepts(&x, type);
}

static void test_accepts(void **state)
{
	static const char *const good[] = {
		NULL,
		"",
		"*/*",
		"application/json",
		"Application/JSON",
		"application/*",
		"text/html,application/json",
		"text/html, application/json;q=0.1",
		" application/json ; q=1",
		"text/html;level=1, */*;q=0.1",
		", ,application/json",
	};
	static const char *const bad[] = {
		"text/html",
		"application/jsonp",
		"application/jso",
		"text/*",
		"application/xml",
		"*/json",
		"application",
		";application/json",
		"text/html;a=*/*",
		"*",
		"json",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(accepts(good[i], "application/json"));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(accepts(bad[i], "application/json"));
	assert_true(accepts("text/event-stream", "text/event-stream"));
	assert_false(accepts("text/event-stream", "application/json"));
}

static void test_headers(void **state)
{
	struct answer a;

	(void)state;
	answer_init_api(&a, "text/csv", NULL);
	for (size_t i = 0; i < a.n; i++)
		assert_string_not_equal(a.headers[i].name, "x-request-id");
	for (int i = 0; i < 100; i++)
		answer_add(&a, "x", "y");
	assert_int_equal(a.n, ANSWER_MAX_HEADERS);
	for (size_t i = 0; i < a.n; i++)
		assert_int_equal(a.headers[i].value_len, strlen(a.headers[i].value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepts),
		cmocka_unit_test(test_headers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
