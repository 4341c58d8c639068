/* SPDX-License-Identifier: Apache-2.0 */
/* Heads and chunks; the refusals are tested over real connections in attack/test_h1_strict.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "server/rpc/h1.h"

static char buf[32768];

static unsigned parse(const char *text, struct h1_head *ret)
{
	unsigned status = 0;
	size_t len = strlen(text), head;

	memcpy(buf, text, len);
	head = h1_head_find((const uint8_t *)buf, len, &status);
	if (head == 0)
		return status ? status : 1;
	return h1_head_parse(buf, head, ret);
}

static void good_heads(void **state)
{
	struct h1_head h;

	(void)state;
	assert_int_equal(parse("PATCH /a%20b?c=d?e HTTP/1.1\r\nHost: [::1]:7\r\nX-A: \t b c \t\r\n"
			       "Content-Length: 12\r\nEMPTY:\r\n\r\nbody",
			       &h),
			 0);
	assert_string_equal(h.method, "PATCH");
	assert_string_equal(h.path, "/a%20b");
	assert_string_equal(h.query, "c=d?e");
	assert_string_equal(h.host, "[::1]:7");
	assert_int_equal(h.n_headers, 4);
	assert_string_equal(h.headers[1].name, "x-a");
	assert_string_equal(h.headers[1].value, "b c");
	assert_int_equal(h.headers[1].value_len, 3);
	assert_string_equal(h.headers[3].value, "");
	assert_int_equal(h.content_length, 12);
	assert_true(h.keep_alive);
	assert_int_equal(parse("GET / HTTP/1.0\r\n\r\n", &h), 0);
	assert_false(h.keep_alive);
	assert_null(h.query);
	assert_int_equal(parse("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", &h), 0);
	assert_true(h.keep_alive);
	assert_int_equal(parse("GET / HTTP/1.1\r\nhost: a\r\nconnection: x, Close\r\n\r\n", &h), 0);
	assert_false(h.keep_alive);
}

static void absolute_targets(void **state)
{
	struct h1_head h;

	(void)state;
	assert_int_equal(parse("GET http://a.b:7/c?d HTTP/1.1\r\nhost: A.b:7\r\n\r\n", &h), 0);
	assert_string_equal(h.host, "a.b:7");
	assert_string_equal(h.path, "/c");
	assert_string_equal(h.query, "d");
	assert_int_equal(parse("GET https://a/ HTTP/1.0\r\n\r\n", &h), 0);
	assert_string_equal(h.host, "a");
	assert_int_equal(parse("GET http://a/ HTTP/1.1\r\nhost: b\r\n\r\n", &h), 400);
	assert_int_equal(parse("GET http://a/ HTTP/1.1\r\n\r\n", &h), 400);
	assert_int_equal(parse("GET http:// HTTP/1.1\r\nhost: b\r\n\r\n", &h), 400);
	assert_int_equal(parse("GET :// HTTP/1.1\r\nhost: b\r\n\r\n", &h), 400);
	assert_int_equal(parse("GET ://b/ HTTP/1.1\r\nhost: b\r\n\r\n", &h), 400);
	assert_int_equal(parse("GET ht://b/ HTTP/1.1\r\nhost: b\r\n\r\n", &h), 400);
}

static void parts_of_heads(void **state)
{
	static const char whole[] = "GET / HTTP/1.1\r\nhost: a\r\n\r\n";
	unsigned status;

	(void)state;
	for (size_t i = 0; i < sizeof(whole) - 1; i++) {
		status = 0;
		assert_int_equal(h1_head_find((const uint8_t *)whole, i, &status), 0);
		assert_int_equal(status, 0);
	}
	assert_int_equal(h1_head_find((const uint8_t *)whole, sizeof(whole) - 1, &status),
			 sizeof(whole) - 1);
	memset(buf, 'a', LIMIT_HEAD_BYTES);
	assert_int_equal(h1_head_find((const uint8_t *)buf, LIMIT_HEAD_BYTES, &status), 0);
	assert_int_equal(status, 431);
}

static ssize_t eat_all(const char *text, size_t step, char *ret_body, bool *ret_done)
{
	struct h1_chunks s = {0};
	size_t at = 0, len = strlen(text), n = 0;

	*ret_done = false;
	while (at < len && !*ret_done) {
		const uint8_t *p = NULL;
		size_t p_len, give = len - at < step ? len - at : step;
		ssize_t r =
			h1_chunks_eat(&s, (const uint8_t *)text + at, give, &p, &p_len, ret_done);

		if (r < 0)
			return r;
		if (p_len)
			memcpy(ret_body + n, p, p_len);
		n += p_len;
		at += (size_t)r;
	}
	ret_body[n] = '\0';
	return (ssize_t)at;
}

static void chunks(void **state)
{
	static const char text[] = "3\r\nabc\r\n0A\r\n0123456789\r\n0\r\n\r\nGET";
	char body[64];
	bool done;

	(void)state;
	for (size_t step = 1; step < sizeof(text); step++) {
		assert_int_equal(eat_all(text, step, body, &done), sizeof(text) - 4);
		assert_true(done);
		assert_string_equal(body, "abc0123456789");
	}
	assert_int_equal(eat_all("3\r\nabc\r\n0\r\n", 100, body, &done), 11);
	assert_false(done);
	assert_int_equal(eat_all("G\r\n", 100, body, &done), -EPROTO);
	assert_int_equal(eat_all("0\r\nx: y\r\n\r\n", 100, body, &done), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_heads),
		cmocka_unit_test(absolute_targets),
		cmocka_unit_test(parts_of_heads),
		cmocka_unit_test(chunks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
