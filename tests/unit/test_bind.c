/* SPDX-License-Identifier: Apache-2.0 */
/* What stands in a URL, in the message: decoding, refusals by name, the next page's link. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "gateway/bind.h"
#include "gateway/url.h"
#include "gen/rpc/mesh_service.h"
#include "gen/rpc/routes.h"
#include "server/rpc/dispatch.h"

static struct services *services;

static int setup(void **state)
{
	const struct service_hooks hooks = {0};

	(void)state;
	services = services_new(&hooks);
	return services ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	services_free(services);
	return 0;
}

static const struct route *route_of(const char *verb, const char *pattern)
{
	for (size_t i = 0; i < n_routes; i++) {
		if (strcmp(routes[i].verb, verb) == 0 && strcmp(routes[i].pattern, pattern) == 0)
			return &routes[i];
	}
	fail();
	return NULL;
}

struct row {
	const char *query, *field, *rule; /* field NULL: it is good */
};

static void check_query(const char *verb, const char *pattern, const char *path, struct row row)
{
	const struct route *route = route_of(verb, pattern);
	struct call *call = call_new(services, route->method, NULL, NULL, NULL, 0);
	struct router_match match = {.route = route};
	ProtobufCMessage *msg;
	int r;

	assert_non_null(call);
	msg = call_alloc(call, route->method->in->sizeof_message);
	protobuf_c_message_init(route->method->in, msg);
	assert_true(router_match_pattern(pattern, path, &match));
	r = bind_path(call, &match, msg);
	if (!r)
		r = bind_query(call, route, &match, row.query, msg);
	assert_int_equal(r, row.field ? ERR_FIELD_INVALID : 0);
	if (row.field) {
		assert_int_equal(call->status.n_fields, 1);
		assert_string_equal(call->status.fields[0].field, row.field);
		assert_string_equal(call->status.fields[0].description, row.rule);
	}
	call_unref(call);
}

static void test_query(void **state)
{
	static const struct row rows[] = {
		{NULL, NULL, NULL},
		{"", NULL, NULL},
		{"&&", NULL, NULL},
		{"all=true&page_size=4096&page_token=a%20b+c", NULL, NULL},
		{"pageSize=1", NULL, NULL},
		{"all=true&all=true", "all", "given twice"},
		{"page_size=1&pageSize=1", "pageSize", "given twice"},
		{"page_size=", "page_size", "expected a whole number"},
		{"page_size", "page_size", "expected a whole number"},
		{"page_size=1x", "page_size", "expected a whole number"},
		{"all=TRUE", "all", "expected true or false"},
		{"nope=1", "nope", "unknown parameter"},
		{"=1", "", "unknown parameter"},
		{"a.b=1", "a.b", "unknown field"},
		{"wait=1s", "wait", "unknown parameter"},
		{"format=csv", "format", "unknown parameter"},
		{"all=%t", "query", "broken percent escape in the query"},
		{"all=%00", "query", "broken percent escape in the query"},
		{"page_token=%ff", "query", "broken percent escape in the query"},
		{"%zz=1", "query", "broken percent escape in the query"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		check_query("GET", "/api/mesh/devices", "/api/mesh/devices", rows[i]);
}

static void test_many_parameters(void **state)
{
	char query[1000] = "";

	(void)state;
	for (int i = 0; i < 70; i++)
		strcat(query, "format=csv&");
	check_query("GET", "/api/mesh/audit", "/api/mesh/audit",
		    (struct row){query, "format", "given twice"});
}

static void test_body_and_path(void **state)
{
	static const char pattern[] = "/api/mesh/devices/{id}:rotate";

	(void)state;
	check_query("POST", pattern, "/api/mesh/devices/x:rotate",
		    (struct row){"wait=5s", NULL, NULL});
	check_query("POST", pattern, "/api/mesh/devices/x:rotate",
		    (struct row){"wait_ms=5", NULL, NULL});
	check_query("POST", pattern, "/api/mesh/devices/x:rotate",
		    (struct row){"wait_ms=5&wait=5s", "wait", "given twice"});
	check_query("POST", pattern, "/api/mesh/devices/x:rotate",
		    (struct row){"wait=5", "wait", "expected a duration like 5s or 500ms"});
	check_query("POST", pattern, "/api/mesh/devices/x:rotate",
		    (struct row){"immediate=true", "immediate",
				 "unknown parameter; fields belong in the body"});
	check_query("DELETE", "/api/mesh/devices/{id}", "/api/mesh/devices/x",
		    (struct row){"id=y", "id", "is given by the path"});
	check_query("DELETE", "/api/mesh/devices/{id}", "/api/mesh/devices/%zz",
		    (struct row){NULL, "id", "broken percent escape in the path"});
	check_query("GET", "/api/mesh/changes/{generation}", "/api/mesh/changes/x",
		    (struct row){NULL, "generation", "expected a whole number"});
}

static void test_wait(void **state)
{
	static const char *const bad[] = {"",
					  "5",
					  "s",
					  "ms",
					  "-1s",
					  "1e3s",
					  "5m",
					  " 5s",
					  "5s ",
					  "0x5ms",
					  "5.s",
					  "+5s",
					  "99999999999999999999ms"};
	uint64_t ms;

	(void)state;
	assert_int_equal(bind_wait_ms("5s", &ms), 0);
	assert_true(ms == 5000);
	assert_int_equal(bind_wait_ms("1.5s", &ms), 0);
	assert_true(ms == 1500);
	assert_int_equal(bind_wait_ms("250ms", &ms), 0);
	assert_true(ms == 250);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_not_equal(bind_wait_ms(bad[i], &ms), 0);
}

static void check_link(const char *query, const char *token, const char *want)
{
	struct arena arena;

	arena_init(&arena, 100000);
	assert_string_equal(bind_next_link("/api/x", query, token, &arena), want);
	arena_done(&arena);
}

static void test_link(void **state)
{
	(void)state;
	check_link(NULL, "t", "</api/x?page_token=t>; rel=\"next\"");
	check_link("all=true&page_token=old&page_size=2", "a b&>",
		   "</api/x?all=true&page_size=2&page_token=a%20b%26%3E>; rel=\"next\"");
	check_link("pageToken=old", "t", "</api/x?page_token=t>; rel=\"next\"");
	check_link("x=>;rel=\"evil\"", "t",
		   "</api/x?x=%3E;rel=%22evil%22&page_token=t>; rel=\"next\"");
}

static void test_decode(void **state)
{
	struct arena arena;
	char *out;

	(void)state;
	arena_init(&arena, 100000);
	assert_int_equal(url_decode("a%2Fb+c%c3%A9", 13, false, &arena, &out), 0);
	assert_string_equal(out, "a/b+cé");
	assert_int_equal(url_decode("a+b", 3, true, &arena, &out), 0);
	assert_string_equal(out, "a b");
	assert_int_equal(url_decode("%", 1, true, &arena, &out), ERR_FIELD_INVALID);
	assert_int_equal(url_decode("%4", 2, true, &arena, &out), ERR_FIELD_INVALID);
	assert_int_equal(url_decode("%41", 2, true, &arena, &out), ERR_FIELD_INVALID);
	assert_int_equal(url_decode("%00", 3, true, &arena, &out), ERR_FIELD_INVALID);
	assert_int_equal(url_decode("%ff", 3, true, &arena, &out), ERR_FIELD_INVALID);
	arena_done(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_query),         cmocka_unit_test(test_many_parameters),
		cmocka_unit_test(test_body_and_path), cmocka_unit_test(test_wait),
		cmocka_unit_test(test_link),          cmocka_unit_test(test_decode),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
