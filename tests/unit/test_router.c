/* SPDX-License-Identifier: Apache-2.0 */
/* Which row a path means; what it takes when the verb is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "gateway/router.h"
#include "gen/rpc/routes.h"

static struct router *router;

static int setup(void **state)
{
	(void)state;
	return router_new(routes, n_routes, &router);
}

static int teardown(void **state)
{
	(void)state;
	router_free(router);
	return 0;
}

static void check_found(const char *verb, const char *path, const char *pattern)
{
	struct router_match m;

	assert_int_equal(router_find(router, verb, path, &m), ROUTER_FOUND);
	assert_string_equal(m.route->pattern, pattern);
	assert_string_equal(m.route->verb, verb);
}

static void test_every_row_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_routes; i++) {
		char path[200] = "";
		const char *p = routes[i].pattern;

		while (*p) {
			if (*p == '{') {
				strcat(path, "x-1");
				p = strchr(p, '}') + 1;
			} else {
				strncat(path, p++, 1);
			}
		}
		check_found(routes[i].verb, path, routes[i].pattern);
	}
}

static void test_literal_beats_variable(void **state)
{
	(void)state;
	check_found("GET", "/api/mesh/devices", "/api/mesh/devices");
	check_found("GET", "/api/mesh/devices/a", "/api/mesh/devices/{id}");
	check_found("POST", "/api/mesh/devices/a:rotate", "/api/mesh/devices/{id}:rotate");
	check_found("GET", "/api/mesh/devices/a/why", "/api/mesh/devices/{id}/why");
}

static void test_variables(void **state)
{
	struct router_match m;

	(void)state;
	assert_int_equal(router_find(router, "POST", "/api/mesh/devices/a%3Ab:rotate", &m),
			 ROUTER_FOUND);
	assert_int_equal(m.n_vars, 1);
	assert_int_equal(m.vars[0].name_len, 2);
	assert_memory_equal(m.vars[0].name, "id", 2);
	assert_int_equal(m.vars[0].value_len, 5);
	assert_memory_equal(m.vars[0].value, "a%3Ab", 5);
}

static void test_no_path(void **state)
{
	static const char *const paths[] = {
		"/",
		"",
		"/api",
		"/api/mesh/state/",
		"/api/mesh/devices/",
		"/api/mesh//devices",
		"//api/mesh/devices",
		"/api/mesh/device%73",
		"/API/mesh/state",
		"/api/mesh/devices/a/b",
		"/api/mesh/devices/a:other",
		"/api/mesh/devices/:rotate",
		"/api/mesh/devices/a:rotate:rotate",
		"/api/mesh/state?x",
	};
	struct router_match m;

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(router_find(router, "GET", paths[i], &m), ROUTER_NO_PATH);
}

static void test_wrong_verb(void **state)
{
	struct router_match m;

	(void)state;
	assert_int_equal(router_find(router, "PUT", "/api/mesh/devices/a", &m), ROUTER_NO_VERB);
	assert_string_equal(m.allow, "DELETE, GET, HEAD, PATCH");
	assert_int_equal(router_find(router, "DELETE", "/api/mesh/devices", &m), ROUTER_NO_VERB);
	assert_string_equal(m.allow, "GET, HEAD, POST");
	assert_int_equal(router_find(router, "GET", "/api/mesh/devices/a:rotate", &m),
			 ROUTER_NO_VERB);
	assert_string_equal(m.allow, "POST");
	assert_int_equal(router_find(router, "get", "/api/mesh/state", &m), ROUTER_NO_VERB);
}

static void test_empty(void **state)
{
	struct router_match m;
	struct router *empty;

	(void)state;
	assert_int_equal(router_new(NULL, 0, &empty), 0);
	assert_int_equal(router_find(empty, "GET", "/", &m), ROUTER_NO_PATH);
	router_free(empty);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_is_found),
		cmocka_unit_test(test_literal_beats_variable),
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_no_path),
		cmocka_unit_test(test_wrong_verb),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
