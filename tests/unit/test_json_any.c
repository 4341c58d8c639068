/* SPDX-License-Identifier: Apache-2.0 */
/* google.protobuf.Any in JSON, by the rules of ProtoJSON; its message is google.rpc.Status. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "gen/rpc/types.h"
#include "google/rpc/error_details.pb-c.h"
#include "google/rpc/status.pb-c.h"

#define URL "type.googleapis.com/"
#define INFO URL "google.rpc.ErrorInfo"

static const struct json_schema schema = {&google__rpc__status__descriptor, &types_known};
static struct arena arena;

static int setup(void **state)
{
	(void)state;
	arena_init(&arena, 8 << 20);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_done(&arena);
	return 0;
}

static Google__Rpc__Status *good(const char *s)
{
	ProtobufCMessage *msg = NULL;
	struct json_error error;
	int r = json_decode_as(s, strlen(s), &schema, &arena, &msg, &error);

	if (r)
		print_error("%s: %s: %s\n", s, error.path, error.rule);
	assert_int_equal(r, 0);
	return (Google__Rpc__Status *)msg;
}

static void written(const Google__Rpc__Status *m, const char *want)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(10000);

	assert_int_equal(json_encode_with(&m->base, JSON_CANONICAL, &types_known, &out), 0);
	assert_string_equal(out.s, want);
}

/* The same wherever the type stands and however its name is written. */
static void test_object(void **state)
{
	static const char *const same[] = {
		"{\"details\":[{\"@type\":\"" INFO "\",\"reason\":\"A\",\"metadata\":{\"}\":"
		"\"\\\"\"}}]}",
		"{\"details\":[{\"reason\":\"A\",\"metadata\":{\"}\":\"\\\"\"},\"@type\":\"" INFO
		"\"}]}",
		"{\"details\":[{\"metadata\" : { \"}\" : \"\\\"\" } , \"\\u0040type\" : \"" INFO
		"\", \"reason\":\"A\"}]}",
	};
	/* ErrorInfo {reason 1: "A", metadata 3: {key 1: "}", value 2: "\""}} */
	static const uint8_t bytes[] = "\x0a\x01"
				       "A\x1a\x06\x0a\x01}\x12\x01\"";

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		const Google__Rpc__Status *m = good(same[i]);

		assert_int_equal(m->n_details, 1);
		assert_string_equal(m->details[0]->type_url, INFO);
		assert_int_equal(m->details[0]->value.len, sizeof(bytes) - 1);
		assert_memory_equal(m->details[0]->value.data, bytes, sizeof(bytes) - 1);
		written(m, same[0]);
	}
}

static void test_forms(void **state)
{
	static const char text[] =
		"{\"details\":[{},{\"@type\":\"" URL "google.protobuf.Duration\",\"value\":"
		"\"-1.500s\"},{\"@type\":\"x/google.protobuf.Any\",\"value\":{\"@type\":\"" URL
		"google.rpc.RetryInfo\",\"retryDelay\":\"3s\"}},{\"@type\":\"" INFO "\"}]}";
	const Google__Rpc__Status *m = good(text);

	(void)state;
	assert_int_equal(m->n_details, 4);
	assert_string_equal(m->details[0]->type_url, "");
	assert_int_equal(m->details[0]->value.len, 0);
	assert_int_equal(m->details[3]->value.len, 0);
	written(m, text);
}

static void test_refused(void **state)
{
	static const struct {
		const char *detail, *path, *rule;
	} bad[] = {
		{"{\"@type\":\"" URL "a.B\"}", "details[0].@type", "unknown type"},
		{"{\"@type\":\"google.rpc.ErrorInfo\"}", "details[0].@type", "unknown type"},
		{"{\"@type\":\"\"}", "details[0].@type", "unknown type"},
		{"{\"@type\":1}", "details[0]", "expected a string"},
		{"{\"reason\":\"A\"}", "details[0].@type", "must tell the type"},
		{"{\"@type\":\"" INFO "\",\"@type\":\"" INFO "\"}", "details[0].@type",
		 "given twice"},
		{"{\"@type\":\"" INFO "\",\"nope\":1}", "details[0].nope", "unknown field"},
		{"{\"nope\":[{}],\"@type\":\"" INFO "\"}", "details[0].nope", "unknown field"},
		{"{\"reason\":\"A\",\"@type\":\"" INFO "\",\"reason\":\"B\"}", "details[0].reason",
		 "given twice"},
		{"{\"reason\":7,\"@type\":\"" INFO "\"}", "details[0].reason", "expected a string"},
		{"{\"@type\":\"" URL "google.protobuf.Duration\"}", "details[0]",
		 "the type wants a member \"value\""},
		{"{\"@type\":\"" URL "google.protobuf.Duration\",\"value\":\"1\"}",
		 "details[0].value", "expected a duration like 1.5s"},
		{"{\"@type\":\"" URL "google.protobuf.Duration\",\"seconds\":1}",
		 "details[0].seconds", "unknown field"},
		{"{\"value\":\"1s\",\"value\":\"1s\",\"@type\":\"" URL
		 "google.protobuf.Duration\"}",
		 "details[0].value", "given twice"},
		{"{\"reason\":\"A\" \"@type\":\"" INFO "\"}", "details[0]",
		 "expected , or } in an object"},
		{"null", "details[0]", "null is not allowed here"},
		{"[]", "details[0]", "expected an object"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		char *text = arena_printf(&arena, "{\"details\":[%s]}", bad[i].detail);
		ProtobufCMessage *msg = NULL;
		struct json_error error;
		int r = json_decode_as(text, strlen(text), &schema, &arena, &msg, &error);

		if (r != ERR_FIELD_INVALID || strcmp(error.path, bad[i].path) != 0 ||
		    strcmp(error.rule, bad[i].rule) != 0)
			print_error("%s -> %d '%s' '%s'\n", text, r, error.path, error.rule);
		assert_int_equal(r, ERR_FIELD_INVALID);
		assert_string_equal(error.path, bad[i].path);
		assert_string_equal(error.rule, bad[i].rule);
		assert_null(msg);
	}
}

/* Every prefix of a good text is refused, and read no further than its end. */
static void test_truncated(void **state)
{
	static const char text[] =
		"{\"details\":[{\"reason\":\"a\\\"b\",\"metadata\":{\"k\":\"[\"},"
		"\"@type\":\"" INFO "\"}]}";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		_cleanup_(freep) char *copy = malloc(len ? len : 1);
		ProtobufCMessage *msg = NULL;
		struct json_error error;

		memcpy(copy, text, len);
		assert_int_equal(json_decode_as(copy, len, &schema, &arena, &msg, &error),
				 ERR_FIELD_INVALID);
	}
	good(text);
}

/* {"@type": "Any", "value": {"@type": "Any", "value": ... }}, levels of it. */
static int decode_deep(size_t levels)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(1u << 20);
	ProtobufCMessage *msg = NULL;
	struct json_error error;

	text_adds(&t, "{\"details\":[");
	for (size_t i = 0; i < levels; i++)
		text_adds(&t, "{\"value\":");
	text_adds(&t, "{}");
	for (size_t i = 0; i < levels; i++)
		text_adds(&t, ",\"@type\":\"x/google.protobuf.Any\"}");
	text_adds(&t, "]}");
	return json_decode_as(t.s, t.len, &schema, &arena, &msg, &error);
}

static void test_deep(void **state)
{
	(void)state;
	assert_int_equal(decode_deep(JSON_MAX_DEPTH - 3), 0);
	assert_int_equal(decode_deep(JSON_MAX_DEPTH - 2), ERR_FIELD_INVALID);
	assert_int_equal(decode_deep(5000), ERR_FIELD_INVALID);
}

static int encode_one(const char *url, const void *bytes, size_t len)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(10000);
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT, *list[] = {&any};
	Google__Rpc__Status m = GOOGLE__RPC__STATUS__INIT;

	any.type_url = (char *)(uintptr_t)url;
	any.value.data = (uint8_t *)(uintptr_t)bytes;
	any.value.len = len;
	m.details = list;
	m.n_details = 1;
	return json_encode_with(&m.base, JSON_CANONICAL, &types_known, &out);
}

static void test_not_written(void **state)
{
	Google__Protobuf__Any any = GOOGLE__PROTOBUF__ANY__INIT;
	_cleanup_(text_done) struct text out = TEXT_INIT(1000);

	(void)state;
	assert_int_equal(encode_one(INFO,
				    "\x0a\x01"
				    "A",
				    3),
			 0);
	assert_int_equal(encode_one(URL "a.B", "", 0), -EBADMSG);
	assert_int_equal(encode_one("", "x", 1), -EBADMSG);
	assert_int_equal(encode_one(INFO,
				    "\x0a\x05"
				    "A",
				    3),
			 -EBADMSG);
	assert_int_equal(encode_one(INFO, "\x0a\x01\xff", 3), -EBADMSG);
	/* Without types nothing is known. */
	any.type_url = (char[]){INFO};
	assert_int_equal(json_encode(&any.base, JSON_CANONICAL, &out), -EBADMSG);
}

static void test_find(void **state)
{
	(void)state;
	assert_ptr_equal(json_types_find(&types_known, INFO, strlen(INFO)),
			 &google__rpc__error_info__descriptor);
	assert_ptr_equal(json_types_find(&types_known, "/google.rpc.ErrorInfo", 21),
			 &google__rpc__error_info__descriptor);
	assert_null(json_types_find(&types_known, INFO, strlen(INFO) - 1));
	assert_null(json_types_find(&types_known, "google.rpc.ErrorInfo", 20));
	assert_null(json_types_find(&types_known, "a/", 2));
	assert_null(json_types_find(NULL, INFO, strlen(INFO)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_object, setup, teardown),
		cmocka_unit_test_setup_teardown(test_forms, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_written, setup, teardown),
		cmocka_unit_test_setup_teardown(test_find, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
