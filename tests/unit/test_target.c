/* SPDX-License-Identifier: Apache-2.0 */
/* Targets of the client: what is taken, and how it is read. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "client/target.h"

static void expect(const char *s, enum target_kind kind, const char *host, unsigned port,
		   const char *authority)
{
	struct target t;

	assert_int_equal(target_parse(s, &t), 0);
	assert_int_equal(t.kind, kind);
	assert_string_equal(t.host, host);
	assert_int_equal(t.port, port);
	assert_string_equal(t.authority, authority);
	assert_string_equal(t.text, s);
}

static void test_good(void **state)
{
	(void)state;
	expect("https://cp.example", TARGET_TLS, "cp.example", 443, "cp.example:443");
	expect("https://cp.example:7443/", TARGET_TLS, "cp.example", 7443, "cp.example:7443");
	expect("https://192.0.2.1:1", TARGET_TLS, "192.0.2.1", 1, "192.0.2.1:1");
	expect("https://[2001:db8::1]:65535", TARGET_TLS, "2001:db8::1", 65535,
	       "[2001:db8::1]:65535");
	expect("https://[::1]", TARGET_TLS, "::1", 443, "[::1]:443");
	expect("http://127.0.0.1:8080", TARGET_PLAIN, "127.0.0.1", 8080, "127.0.0.1:8080");
	expect("http://127.3.2.1", TARGET_PLAIN, "127.3.2.1", 80, "127.3.2.1:80");
	expect("http://localhost:1", TARGET_PLAIN, "localhost", 1, "localhost:1");
	expect("http://[::1]:2", TARGET_PLAIN, "::1", 2, "[::1]:2");
	expect("unix:/run/x.sock", TARGET_UNIX, "/run/x.sock", 0, "localhost");
	expect("unix:///run/x.sock", TARGET_UNIX, "/run/x.sock", 0, "localhost");
}

static void test_bad(void **state)
{
	static const char *const bad[] = {
		"",
		"https://",
		"https:///",
		"https://:443",
		"https://a:0",
		"https://a:65536",
		"https://a:",
		"https://a:1:2",
		"https://a:-1",
		"https://a:1a",
		"https://a/b",
		"https://a?b",
		"https://u@a",
		"https://a b",
		"https://-a",
		"https://[::1",
		"https://[a]",
		"https://[::1]x",
		"https://[1.2.3.4]",
		"HTTPS://a",
		"http://192.0.2.1",
		"http://example.com:80",
		"http://128.0.0.1",
		"http://[2001:db8::1]:80",
		"http://localhost.example",
		"unix:",
		"unix:x",
		"unix://x",
		"grpc://a",
		"a:443",
		"a\nb",
		"https://a\n",
	};
	char longest[400] = "unix:/";
	struct target t;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(target_parse(bad[i], &t), -EINVAL);
	assert_int_equal(target_parse(NULL, &t), -EINVAL);
	memset(longest + 6, 'x', 200);
	assert_int_equal(target_parse(longest, &t), -EINVAL);
	memset(longest, 'x', sizeof(longest) - 1);
	memcpy(longest, "https://", 8);
	assert_int_equal(target_parse(longest, &t), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
