/* SPDX-License-Identifier: Apache-2.0 */
/* The cookie's name by host and scheme, its value out of a request, its line in an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gateway/cookie.h"

static struct exchange request(const char *authority, bool tls, int family)
{
	struct exchange x = {.method = "GET", .authority = authority, .tls = tls};

	x.scheme = tls ? "https" : "http";
	x.peer.ss_family = (sa_family_t)family;
	return x;
}

static void check_name(const char *authority, bool tls, int family, const char *want)
{
	struct exchange x = request(authority, tls, family);
	char name[COOKIE_NAME_MAX];

	cookie_name(&x, name);
	assert_string_equal(name, want);
}

static void test_name(void **state)
{
	(void)state;
	check_name("localhost:7480", false, AF_INET, "qmesh-7480");
	check_name("node.example:7444", true, AF_INET6, "__Host-qmesh-7444");
	check_name("node.example", true, AF_INET, "__Host-qmesh-443");
	check_name("localhost", false, AF_INET, "qmesh-80");
	check_name("[::1]:7480", false, AF_INET6, "qmesh-7480");
	check_name("[::1]", false, AF_INET6, "qmesh-80");
	check_name("a:65536", true, AF_INET, "");
	check_name("a:99999999999999999999", true, AF_INET, "");
	check_name("a:7x", true, AF_INET, "");
	check_name("a:", true, AF_INET, "__Host-qmesh-443");
	check_name("localhost:7480", false, AF_UNIX, "");
}

static const char *find(const char *one, const char *two, struct arena *arena)
{
	struct exchange x = request("localhost:1", false, AF_INET);
	struct header headers[3];
	size_t n = 0;

	headers[n++] = (struct header){"accept", "*/*", 3};
	if (one)
		headers[n++] = (struct header){"cookie", one, strlen(one)};
	if (two)
		headers[n++] = (struct header){"cookie", two, strlen(two)};
	x.headers = headers;
	x.n_headers = n;
	return cookie_find(&x, "qmesh-1", arena);
}

static void test_find(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 10000);
	assert_null(find(NULL, NULL, &arena));
	assert_null(find("a=b", NULL, &arena));
	assert_null(find("qmesh-1=", NULL, &arena));
	assert_null(find("xqmesh-1=v", NULL, &arena));
	assert_null(find("a=qmesh-1=v", NULL, &arena));
	assert_string_equal(find("qmesh-1=v.w=", NULL, &arena), "v.w=");
	assert_string_equal(find("a=b; qmesh-1=v; c=d", NULL, &arena), "v");
	assert_string_equal(find("a=b;qmesh-1=v", NULL, &arena), "v");
	assert_string_equal(find("a=b", "qmesh-1=v", &arena), "v");
	assert_string_equal(find("qmesh-1=v; qmesh-1=v", NULL, &arena), "v");
	assert_null(find("qmesh-1=v; qmesh-1=w", NULL, &arena));
	assert_null(find("qmesh-1=v", "qmesh-1=w", &arena));
	arena_done(&arena);
}

static void test_line(void **state)
{
	struct arena arena;

	(void)state;
	arena_init(&arena, 10000);
	assert_string_equal(
		cookie_line("__Host-qmesh-443", "tok", 28800, &arena),
		"__Host-qmesh-443=tok; Path=/; HttpOnly; SameSite=Strict; Max-Age=28800; Secure");
	assert_string_equal(cookie_line("qmesh-1", "tok", 5, &arena),
			    "qmesh-1=tok; Path=/; HttpOnly; SameSite=Strict; Max-Age=5");
	assert_string_equal(cookie_line("qmesh-1", "tok", 0, &arena),
			    "qmesh-1=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0");
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
