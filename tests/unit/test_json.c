/* SPDX-License-Identifier: Apache-2.0 */
/* JSON in and out, against the rules of ProtoJSON and the refusals that people get to read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/json.h"
#include "base/json_field.h"
#include "base/json_mask.h"
#include "base/json_time.h"
#include "google/rpc/error_details.pb-c.h"
#include "quazzar/mesh/v1/agent.pb-c.h"
#include "quazzar/mesh/v1/auth.pb-c.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

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

static void *good(const char *s, const ProtobufCMessageDescriptor *desc)
{
	ProtobufCMessage *msg = NULL;
	struct json_error error;
	int r = json_decode(s, strlen(s), desc, &arena, &msg, &error);

	if (r)
		print_error("%s: %s: %s\n", s, error.path, error.rule);
	assert_int_equal(r, 0);
	return msg;
}

struct bad {
	const char *text, *path, *rule;
};

static void check_bad(const struct bad *b, const ProtobufCMessageDescriptor *desc)
{
	ProtobufCMessage *msg = NULL;
	struct json_error error;
	int r = json_decode(b->text, strlen(b->text), desc, &arena, &msg, &error);

	if (r != ERR_FIELD_INVALID || strcmp(error.path, b->path) != 0 ||
	    strcmp(error.rule, b->rule) != 0)
		print_error("%s -> %d '%s' '%s'\n", b->text, r, error.path, error.rule);
	assert_int_equal(r, ERR_FIELD_INVALID);
	assert_string_equal(error.path, b->path);
	assert_string_equal(error.rule, b->rule);
	assert_null(msg);
}

static void test_decode(void **state)
{
	const Pb__CreateDeviceRequest *m;

	(void)state;
	m = good(" {\t\"label\" : \"Ann's \\u00e9 \\ud83d\\ude00 \\\"<script>\\\"\",\n\"type\":"
		 "\"DEVICE_TYPE_LAPTOP\",\"keepalive\":false,\"wished_ip\":\"10.1.2.3\","
		 "\"waitMs\":5000 }\r\n",
		 &pb__create_device_request__descriptor);
	assert_string_equal(m->label, "Ann's é 😀 \"<script>\"");
	assert_int_equal(m->type, PB__DEVICE_TYPE__DEVICE_TYPE_LAPTOP);
	assert_int_equal(m->keepalive_choice_case,
			 PB__CREATE_DEVICE_REQUEST__KEEPALIVE_CHOICE_KEEPALIVE);
	assert_false(m->keepalive);
	assert_string_equal(m->wished_ip, "10.1.2.3");
	assert_int_equal(m->wait_ms, 5000);
	assert_string_equal(m->public_key, "");

	m = good("{}", &pb__create_device_request__descriptor);
	assert_string_equal(m->label, "");
	assert_int_equal(m->keepalive_choice_case, 0);

	m = good("{\"label\":null,\"type\":2,\"keepalive\":null,\"wait_ms\":\"7\"}",
		 &pb__create_device_request__descriptor);
	assert_string_equal(m->label, "");
	assert_int_equal(m->type, 2);
	assert_int_equal(m->keepalive_choice_case, 0);
	assert_int_equal(m->wait_ms, 7);

	m = good("{\"wait_ms\":1e3}", &pb__create_device_request__descriptor);
	assert_int_equal(m->wait_ms, 1000);
	m = good("{\"wait_ms\":4294967295}", &pb__create_device_request__descriptor);
	assert_int_equal(m->wait_ms, UINT32_MAX);
}

static void test_bad_syntax(void **state)
{
	static const struct bad bad[] = {
		{"", "", "expected an object"},
		{"   ", "", "expected an object"},
		{"null", "", "expected an object"},
		{"[]", "", "expected an object"},
		{"\"x\"", "", "expected an object"},
		{"{", "", "expected a name in quotes"},
		{"{}x", "", "bytes after the end of the object"},
		{"{}{}", "", "bytes after the end of the object"},
		{"{\"label\"", "label", "expected : after a name"},
		{"{\"label\":", "label", "the text ends too early"},
		{"{\"label\":\"x", "label", "the text ends inside a string"},
		{"{\"label\":\"x\\", "label", "the text ends inside a string"},
		{"{\"label\":\"x\"", "", "expected , or } in an object"},
		{"{\"label\":\"x\",}", "", "expected a name in quotes"},
		{"{\"label\":\"x\" \"type\":1}", "", "expected , or } in an object"},
		{"{label:\"x\"}", "", "expected a name in quotes"},
		{"{'label':\"x\"}", "", "expected a name in quotes"},
		{"{\"label\":'x'}", "label", "not JSON"},
		{"{\"label\":\"a\nb\"}", "label", "control character in a string"},
		{"{\"label\":\"\\x41\"}", "label", "unknown escape in a string"},
		{"{\"label\":\"\\u12g4\"}", "label", "bad \\u escape in a string"},
		{"{\"label\":\"\\u0000\"}", "label", "a string must not contain NUL"},
		{"{\"label\":\"\\ud800\"}", "label", "lone surrogate in a string"},
		{"{\"label\":\"\\ud800\\u0041\"}", "label", "lone surrogate in a string"},
		{"{\"label\":\"\\udc00\"}", "label", "lone surrogate in a string"},
		{"{\"label\":\"\xff\"}", "label", "a string must be valid UTF-8"},
		{"{\"label\":\"\xc0\x80\"}", "label", "a string must be valid UTF-8"},
		{"{\"label\":\"\xed\xa0\x80\"}", "label", "a string must be valid UTF-8"},
		{"{\"\xff\":1}", "", "a string must be valid UTF-8"},
		{"{\"wait_ms\":01}", "wait_ms", ""},
		{"{\"wait_ms\":+1}", "wait_ms", "not JSON"},
		{"{\"wait_ms\":.5}", "wait_ms", "not JSON"},
		{"{\"wait_ms\":NaN}", "wait_ms", "not JSON"},
		{"{\"dns\":tru}", "dns", "not JSON"},
		{"{\"label\":\"x\"/**/}", "", "expected , or } in an object"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct bad b = bad[i];

		if (!*b.rule)
			b.rule = "not JSON";
		check_bad(&b, &pb__create_device_request__descriptor);
	}
}

static void test_bad_content(void **state)
{
	static const struct bad bad[] = {
		{"{\"nope\":1}", "nope", "unknown field"},
		{"{\"\":1}", "", "unknown field"},
		{"{\"Label\":\"x\"}", "Label", "unknown field"},
		{"{\"label\":\"a\",\"label\":\"b\"}", "label", "given twice"},
		{"{\"wait_ms\":1,\"waitMs\":1}", "waitMs", "given twice"},
		{"{\"label\":null,\"label\":\"b\"}", "label", "given twice"},
		{"{\"label\":1}", "label", "expected a string"},
		{"{\"label\":true}", "label", "expected a string"},
		{"{\"label\":[\"x\"]}", "label", "expected a string"},
		{"{\"label\":{}}", "label", "expected a string"},
		{"{\"dns\":1}", "dns", "expected true or false"},
		{"{\"dns\":\"true\"}", "dns", "expected true or false"},
		{"{\"type\":\"LAPTOP\"}", "type", "unknown name of a value"},
		{"{\"type\":true}", "type", "expected the name of a value"},
		{"{\"type\":2147483648}", "type", "number out of range"},
		{"{\"wait_ms\":-1}", "wait_ms", "number out of range"},
		{"{\"wait_ms\":4294967296}", "wait_ms", "number out of range"},
		{"{\"wait_ms\":1.5}", "wait_ms", "expected a whole number in range"},
		{"{\"wait_ms\":1e400}", "wait_ms", "expected a whole number in range"},
		{"{\"wait_ms\":99999999999999999999}", "wait_ms",
		 "expected a whole number in range"},
		{"{\"wait_ms\":\"\"}", "wait_ms", "expected a whole number"},
		{"{\"wait_ms\":\" 1\"}", "wait_ms", "expected a whole number"},
		{"{\"wait_ms\":{}}", "wait_ms", "expected a whole number"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_bad(&bad[i], &pb__create_device_request__descriptor);
}

static void test_paths(void **state)
{
	static const struct bad lists[] = {
		{"{\"devices\":[{},{\"owner\":{\"id\":\"x\",\"nom\":1}}]}", "devices[1].owner.nom",
		 "unknown field"},
		{"{\"devices\":[{},7]}", "devices[1]", "expected an object"},
		{"{\"devices\":[null]}", "devices[0]", "null is not allowed here"},
		{"{\"devices\":{}}", "devices", "expected an array"},
		{"{\"devices\":[{}", "devices", "expected , or ] in an array"},
		{"{\"devices\":[{},]}", "devices[1]", "not JSON"},
		{"{\"devices\":[{\"createdAt\":\"2026-02-30T00:00:00Z\"}]}", "devices[0].createdAt",
		 "expected a time like 2026-01-31T12:00:00Z"},
		{"{\"devices\":[{\"created_at\":{}}]}", "devices[0].created_at",
		 "expected a time like 2026-01-31T12:00:00Z"},
		{"{\"devices\":[{\"owner\":\"x\"}]}", "devices[0].owner", "expected an object"},
	};
	static const struct bad enrol[] = {
		{"{\"host_routes\":[\"a\",\"b\",\"c\",3]}", "host_routes[3]", "expected a string"},
		{"{\"identity_key\":\"a=b\"}", "identity_key", "not valid base64"},
		{"{\"identity_key\":7}", "identity_key", "expected base64 in a string"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		check_bad(&lists[i], &pb__list_devices_response__descriptor);
	for (size_t i = 0; i < sizeof(enrol) / sizeof(enrol[0]); i++)
		check_bad(&enrol[i], &pb__enroll_request__descriptor);
}

static void test_long_path_is_cut_whole(void **state)
{
	ProtobufCMessage *msg = NULL;
	struct json_error error;
	char text[2000] = "{\"";

	(void)state;
	for (int i = 0; i < 300; i++)
		strcat(text, "é");
	strcat(text, "\":1}");
	assert_int_equal(json_decode(text, strlen(text), &pb__create_device_request__descriptor,
				     &arena, &msg, &error),
			 ERR_FIELD_INVALID);
	assert_true(text_utf8_ok(error.path, strlen(error.path)));
	assert_true(strlen(error.path) > 200);
}

/* The messages here are not deep: braces and brackets by the thousand stop at the first. */
static void test_deep(void **state)
{
	static char text[70000];
	struct json_error error;
	ProtobufCMessage *msg = NULL;

	(void)state;
	memset(text, '[', sizeof(text) - 1);
	assert_int_equal(json_decode(text, strlen(text), &pb__create_device_request__descriptor,
				     &arena, &msg, &error),
			 ERR_FIELD_INVALID);
	memcpy(text, "{\"label\":", 9);
	assert_int_equal(json_decode(text, strlen(text), &pb__create_device_request__descriptor,
				     &arena, &msg, &error),
			 ERR_FIELD_INVALID);
	assert_string_equal(error.path, "label");
}

/* Every prefix of a good text is refused, and read no further than its end. */
static void test_truncated(void **state)
{
	static const char text[] =
		"{\"devices\":[{\"id\":\"\\u0041\",\"owner\":{\"id\":\"x\"},\"type\":"
		"\"DEVICE_TYPE_OTHER\",\"applied\":true,\"rx_bytes\":\"12\",\"created_at\":"
		"\"2026-11-22T10:00:00.5Z\"}]}";

	(void)state;
	for (size_t len = 0; len < sizeof(text) - 1; len++) {
		_cleanup_(freep) char *copy = malloc(len ? len : 1);
		ProtobufCMessage *msg = NULL;
		struct json_error error;

		memcpy(copy, text, len);
		assert_int_equal(json_decode(copy, len, &pb__list_devices_response__descriptor,
					     &arena, &msg, &error),
				 ERR_FIELD_INVALID);
	}
	good(text, &pb__list_devices_response__descriptor);
}

static void test_nul_byte(void **state)
{
	static const char inside[] = "{\"label\":\"a\0b\"}", after[] = "{}\0";
	ProtobufCMessage *msg = NULL;
	struct json_error error;

	(void)state;
	assert_int_equal(json_decode(inside, sizeof(inside) - 1,
				     &pb__create_device_request__descriptor, &arena, &msg, &error),
			 ERR_FIELD_INVALID);
	assert_int_equal(json_decode(after, sizeof(after) - 1,
				     &pb__create_device_request__descriptor, &arena, &msg, &error),
			 ERR_FIELD_INVALID);
	assert_null(msg);
}

static void test_numbers_of_64_bits(void **state)
{
	const Pb__GetChangeRequest *m;
	static const struct bad bad[] = {
		{"{\"generation\":18446744073709551616}", "generation",
		 "expected a whole number in range"},
		{"{\"generation\":\"18446744073709551616\"}", "generation",
		 "expected a whole number in range"},
		{"{\"generation\":-1}", "generation", "number out of range"},
		{"{\"generation\":1e19}", "generation", "expected a whole number in range"},
	};

	(void)state;
	m = good("{\"generation\":18446744073709551615}", &pb__get_change_request__descriptor);
	assert_true(m->generation == UINT64_MAX);
	m = good("{\"generation\":\"18446744073709551615\"}", &pb__get_change_request__descriptor);
	assert_true(m->generation == UINT64_MAX);
	m = good("{\"generation\":9007199254740993}", &pb__get_change_request__descriptor);
	assert_true(m->generation == 9007199254740993ull);
	m = good("{\"generation\":-0}", &pb__get_change_request__descriptor);
	assert_true(m->generation == 0);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_bad(&bad[i], &pb__get_change_request__descriptor);
}

static void test_bytes(void **state)
{
	static const char *const same[] = {"{\"identity_key\":\"-_8=\"}",
					   "{\"identity_key\":\"+/8\"}",
					   "{\"identityKey\":\"+/8=\"}"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		const Pb__EnrollRequest *m = good(same[i], &pb__enroll_request__descriptor);

		assert_int_equal(m->identity_key.len, 2);
		assert_memory_equal(m->identity_key.data, "\xfb\xff", 2);
	}
}

static void test_maps(void **state)
{
	static const struct bad bad[] = {
		{"{\"features\":[]}", "features", "expected an object"},
		{"{\"features\":{\"a\":{},\"a\":{}}}", "features[a]", "given twice"},
		{"{\"features\":{\"a\":{\"cap\":true}}}", "features[a].cap",
		 "expected a whole number"},
		{"{\"features\":{\"a\":null}}", "features[a]", "null is not allowed here"},
	};
	const Pb__GetOrbitFeaturesResponse *m;
	_cleanup_(text_done) struct text out = TEXT_INIT(10000);

	(void)state;
	m = good("{\"plan\":\"PLAN_PRO\",\"features\":{\"mesh_vpn\":{\"enabled\":true,\"cap\":20},"
		 "\"audit_log\":{\"why\":\"needs the Team plan\"}}}",
		 &pb__get_orbit_features_response__descriptor);
	assert_int_equal(m->n_features, 2);
	assert_string_equal(m->features[0]->key, "mesh_vpn");
	assert_int_equal(m->features[0]->value->cap, 20);
	assert_int_equal(json_encode(&m->base, JSON_REST, &out), 0);
	assert_string_equal(out.s,
			    "{\"plan\":\"PLAN_PRO\",\"features\":{\"mesh_vpn\":{\"enabled\":true,"
			    "\"cap\":20,\"used\":0,\"why\":\"\"},\"audit_log\":{\"enabled\":false,"
			    "\"cap\":0,\"used\":0,\"why\":\"needs the Team plan\"}}}");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_bad(&bad[i], &pb__get_orbit_features_response__descriptor);
}

static void test_encode(void **state)
{
	Google__Protobuf__Timestamp at = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	Pb__Owner owner = PB__OWNER__INIT;
	Pb__Device d = PB__DEVICE__INIT;
	_cleanup_(text_done) struct text rest = TEXT_INIT(10000);
	_cleanup_(text_done) struct text canonical = TEXT_INIT(10000);

	(void)state;
	at.seconds = 1795341600;
	at.nanos = 120000000;
	owner.id = (char[]){"u"};
	d.label = (char[]){"a\"<b>&\\\n\x7f\xe2\x80\xa8é"};
	d.type = PB__DEVICE_TYPE__DEVICE_TYPE_IPHONE;
	d.owner = &owner;
	d.created_at = &at;
	d.rx_bytes = UINT64_MAX;
	assert_int_equal(json_encode(&d.base, JSON_REST, &rest), 0);
	assert_string_equal(
		rest.s,
		"{\"id\":\"\",\"label\":\"a\\\"\\u003cb\\u003e\\u0026\\\\\\n\\u007f\\u2028é\","
		"\"slug\":\"\",\"type\":\"DEVICE_TYPE_IPHONE\",\"dns_name\":\"\",\"mesh_ip\":\"\","
		"\"mesh_ip6\":\"\",\"public_key\":\"\",\"owner\":{\"id\":\"u\",\"name\":\"\"},"
		"\"node_id\":\"\",\"status\":\"DEVICE_STATUS_UNSPECIFIED\","
		"\"last_seen\":null,\"created_at\":\"2026-11-22T10:00:00.120Z\",\"applied\":false,"
		"\"needs_new_config\":false,\"key_version\":0,\"pending_until\":null,"
		"\"rx_bytes\":\"18446744073709551615\",\"tx_bytes\":\"0\"}");
	d.label = (char[]){""};
	assert_int_equal(json_encode(&d.base, JSON_CANONICAL, &canonical), 0);
	assert_string_equal(canonical.s,
			    "{\"type\":\"DEVICE_TYPE_IPHONE\",\"owner\":{\"id\":\"u\"},"
			    "\"createdAt\":\"2026-11-22T10:00:00.120Z\","
			    "\"rxBytes\":\"18446744073709551615\"}");
}

static void test_encode_field(void **state)
{
	Pb__ListDevicesResponse list = PB__LIST_DEVICES_RESPONSE__INIT;
	Pb__GetStateResponse state_answer = PB__GET_STATE_RESPONSE__INIT;
	_cleanup_(text_done) struct text out = TEXT_INIT(1000);

	(void)state;
	assert_int_equal(json_encode_field(&list.base, "devices", JSON_REST, &out), 0);
	assert_string_equal(out.s, "[]");
	assert_int_equal(json_encode_field(&state_answer.base, "state", JSON_REST, &out), 0);
	assert_string_equal(out.s, "[]{}");
	assert_int_equal(json_encode_field(&list.base, "nothing", JSON_REST, &out), -EBADMSG);
}

static void test_encode_oneof(void **state)
{
	Pb__CreateDeviceRequest m = PB__CREATE_DEVICE_REQUEST__INIT;
	_cleanup_(text_done) struct text out = TEXT_INIT(1000);

	(void)state;
	m.keepalive_choice_case = PB__CREATE_DEVICE_REQUEST__KEEPALIVE_CHOICE_KEEPALIVE;
	m.type = 77;
	assert_int_equal(json_encode(&m.base, JSON_CANONICAL, &out), 0);
	assert_string_equal(out.s, "{\"type\":77,\"keepalive\":false}");
}

static void test_encode_broken_utf8(void **state)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(1000);

	(void)state;
	json_quote(&out, "a\xff\xc3");
	assert_string_equal(out.s, "\"a\\ufffd\\ufffd\"");
}

static void test_encode_overflow(void **state)
{
	Pb__CreateDeviceRequest m = PB__CREATE_DEVICE_REQUEST__INIT;
	_cleanup_(text_done) struct text out = TEXT_INIT(20);

	(void)state;
	assert_int_equal(json_encode(&m.base, JSON_REST, &out), 0);
	assert_true(out.failed);
}

static void test_duration(void **state)
{
	const Google__Rpc__RetryInfo *m;
	_cleanup_(text_done) struct text out = TEXT_INIT(1000);
	static const struct bad bad[] = {
		{"{\"retry_delay\":\"1\"}", "retry_delay", "expected a duration like 1.5s"},
		{"{\"retry_delay\":\"-s\"}", "retry_delay", "expected a duration like 1.5s"},
		{"{\"retry_delay\":\"1.s\"}", "retry_delay", "expected a duration like 1.5s"},
		{"{\"retry_delay\":\"999999999999s\"}", "retry_delay",
		 "expected a duration like 1.5s"},
	};

	(void)state;
	m = good("{\"retryDelay\":\"-1.000250s\"}", &google__rpc__retry_info__descriptor);
	assert_int_equal(m->retry_delay->seconds, -1);
	assert_int_equal(m->retry_delay->nanos, -250000);
	assert_int_equal(json_encode(&m->base, JSON_REST, &out), 0);
	assert_string_equal(out.s, "{\"retry_delay\":\"-1.000250s\"}");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		check_bad(&bad[i], &google__rpc__retry_info__descriptor);
}

static void test_times(void **state)
{
	static const struct {
		const char *text;
		long long seconds;
		int nanos;
		const char *out;
	} ok[] = {
		{"1970-01-01T00:00:00Z", 0, 0, "1970-01-01T00:00:00Z"},
		{"0001-01-01T00:00:00Z", -62135596800, 0, "0001-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59.999999999Z", 253402300799, 999999999,
		 "9999-12-31T23:59:59.999999999Z"},
		{"2000-02-29T12:00:00.000001+01:00", 951822000, 1000,
		 "2000-02-29T11:00:00.000001Z"},
		{"1969-12-31T23:59:59.5Z", -1, 500000000, "1969-12-31T23:59:59.500Z"},
	};
	static const char *const bad[] = {
		"2026-11-22",
		"2026-11-22T10:00:00",
		"2026-13-01T00:00:00Z",
		"2026-02-29T00:00:00Z",
		"2026-01-01T24:00:00Z",
		"2026-01-01T00:60:00Z",
		"2026-01-01T00:00:60Z",
		"2026-01-01t00:00:00Z",
		"2026-01-01T00:00:00z",
		"0000-01-01T00:00:00Z",
		"2026-01-01T00:00:00.Z",
		"2026-01-01T00:00:00.1234567890Z",
		"0001-01-01T00:00:00+00:01",
		"2026-01-01T00:00:00+0100",
		"",
		"x",
	};
	char out[JSON_TIME_MAX];
	int64_t seconds;
	int32_t nanos;

	(void)state;
	for (size_t i = 0; i < sizeof(ok) / sizeof(ok[0]); i++) {
		assert_true(json_time_parse(ok[i].text, strlen(ok[i].text), &seconds, &nanos));
		assert_true(seconds == ok[i].seconds);
		assert_int_equal(nanos, ok[i].nanos);
		assert_true(json_time_text(seconds, nanos, out));
		assert_string_equal(out, ok[i].out);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(json_time_parse(bad[i], strlen(bad[i]), &seconds, &nanos));
}

static void test_masks(void **state)
{
	static const char *const bad[] = {"user_name", ",", "a,,b", "a,", "_"};
	static const char *const one_way[] = {"userName", "user__name", "user_", "user_3", "a,b"};
	static const char *const names[] = {"user_name", "owner.long_id", "x1"};
	_cleanup_(text_done) struct text out = TEXT_INIT(100);
	char **paths;
	size_t n;

	(void)state;
	assert_true(json_mask_text((char *const *)names, 3, &out));
	assert_string_equal(out.s, "userName,owner.longId,x1");
	assert_int_equal(json_mask_parse(out.s, &arena, &paths, &n), 0);
	assert_int_equal(n, 3);
	for (size_t i = 0; i < n; i++)
		assert_string_equal(paths[i], names[i]);
	assert_int_equal(json_mask_parse("", &arena, &paths, &n), 0);
	assert_int_equal(n, 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(json_mask_parse(bad[i], &arena, &paths, &n), ERR_FIELD_INVALID);
	for (size_t i = 0; i < ARRAY_LEN(one_way); i++)
		assert_false(json_mask_text((char *const *)&one_way[i], 1, &out));
}

/* Of two entries with one key, as a peer may send them, the last counts. */
static void test_key_twice(void **state)
{
	Pb__Feature old = PB__FEATURE__INIT, new = PB__FEATURE__INIT;
	Pb__GetOrbitFeaturesResponse__FeaturesEntry a =
		PB__GET_ORBIT_FEATURES_RESPONSE__FEATURES_ENTRY__INIT;
	Pb__GetOrbitFeaturesResponse__FeaturesEntry b =
		PB__GET_ORBIT_FEATURES_RESPONSE__FEATURES_ENTRY__INIT;
	Pb__GetOrbitFeaturesResponse__FeaturesEntry *both[] = {&a, &b};
	Pb__GetOrbitFeaturesResponse m = PB__GET_ORBIT_FEATURES_RESPONSE__INIT;
	_cleanup_(text_done) struct text out = TEXT_INIT(1000);

	(void)state;
	new.cap = 2;
	a.key = b.key = (char[]){"x"};
	a.value = &old;
	b.value = &new;
	m.features = both;
	m.n_features = 2;
	assert_int_equal(json_encode(&m.base, JSON_CANONICAL, &out), 0);
	assert_string_equal(out.s, "{\"features\":{\"x\":{\"cap\":2}}}");
}

static int set(ProtobufCMessage *msg, const char *path, const char *value, const char *rule)
{
	struct json_error error;
	int r = json_set_text(msg, path, value, &arena, &error);

	if (r == ERR_FIELD_INVALID) {
		assert_string_equal(error.rule, rule);
		assert_string_equal(error.path, path);
	}
	return r;
}

static void test_set_text(void **state)
{
	Pb__CreateDeviceRequest m = PB__CREATE_DEVICE_REQUEST__INIT;
	Pb__EnrollRequest e = PB__ENROLL_REQUEST__INIT;
	Pb__GetDeviceResponse g = PB__GET_DEVICE_RESPONSE__INIT;

	(void)state;
	assert_int_equal(set(&m.base, "label", "x y", NULL), 0);
	assert_string_equal(m.label, "x y");
	assert_int_equal(set(&m.base, "waitMs", "12", NULL), 0);
	assert_int_equal(m.wait_ms, 12);
	assert_int_equal(set(&m.base, "keepalive", "true", NULL), 0);
	assert_true(m.keepalive);
	assert_int_equal(set(&m.base, "type", "DEVICE_TYPE_OTHER", NULL), 0);
	assert_int_equal(m.type, 4);
	assert_int_equal(set(&m.base, "nope", "1", "unknown field"), ERR_FIELD_INVALID);
	assert_int_equal(set(&m.base, "label.x", "1", "cannot be given in a URL"),
			 ERR_FIELD_INVALID);
	assert_int_equal(set(&m.base, "dns", "1", "expected true or false"), ERR_FIELD_INVALID);
	assert_int_equal(set(&m.base, "wait_ms", "", "expected a whole number"), ERR_FIELD_INVALID);
	assert_int_equal(set(&m.base, "label", "\xff", "must be valid UTF-8"), ERR_FIELD_INVALID);
	for (int i = 0; i < 9; i++)
		assert_int_equal(set(&e.base, "host_routes", "10.0.0.0/8", NULL), 0);
	assert_int_equal(e.n_host_routes, 9);
	assert_string_equal(e.host_routes[8], "10.0.0.0/8");
	assert_int_equal(set(&g.base, "device.owner.name", "ann", NULL), 0);
	assert_string_equal(g.device->owner->name, "ann");
	assert_int_equal(set(&g.base, "device.created_at", "2026-01-01T00:00:00Z", NULL), 0);
	assert_int_equal(set(&g.base, "device.owner", "x", "expected an object"),
			 ERR_FIELD_INVALID);
}

static void test_names(void **state)
{
	char camel[64];

	(void)state;
	json_field_camel("mesh_ip6", camel);
	assert_string_equal(camel, "meshIp6");
	json_field_camel("a__b_1_c", camel);
	assert_string_equal(camel, "aB1C");
	assert_true(json_field_is_map(
		&pb__get_orbit_features_response__descriptor,
		json_field_find(&pb__get_orbit_features_response__descriptor, "features")));
	assert_false(json_field_is_map(
		&pb__list_devices_response__descriptor,
		json_field_find(&pb__list_devices_response__descriptor, "devices")));
}

/* A budget too small is a broken call, not a field at fault. */
static void test_arena_spent(void **state)
{
	struct arena small;
	ProtobufCMessage *msg = NULL;
	struct json_error error;
	const char *text = "{\"label\":\"0123456789012345678901234567890123456789\"}";

	(void)state;
	arena_init(&small, 112);
	assert_int_equal(json_decode(text, strlen(text), &pb__create_device_request__descriptor,
				     &small, &msg, &error),
			 -ENOMEM);
	arena_done(&small);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_decode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_syntax, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bad_content, setup, teardown),
		cmocka_unit_test_setup_teardown(test_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(test_long_path_is_cut_whole, setup, teardown),
		cmocka_unit_test_setup_teardown(test_deep, setup, teardown),
		cmocka_unit_test_setup_teardown(test_truncated, setup, teardown),
		cmocka_unit_test_setup_teardown(test_nul_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_numbers_of_64_bits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_bytes, setup, teardown),
		cmocka_unit_test_setup_teardown(test_maps, setup, teardown),
		cmocka_unit_test_setup_teardown(test_encode, setup, teardown),
		cmocka_unit_test_setup_teardown(test_encode_field, setup, teardown),
		cmocka_unit_test_setup_teardown(test_encode_oneof, setup, teardown),
		cmocka_unit_test_setup_teardown(test_encode_broken_utf8, setup, teardown),
		cmocka_unit_test_setup_teardown(test_encode_overflow, setup, teardown),
		cmocka_unit_test_setup_teardown(test_duration, setup, teardown),
		cmocka_unit_test_setup_teardown(test_times, setup, teardown),
		cmocka_unit_test_setup_teardown(test_masks, setup, teardown),
		cmocka_unit_test_setup_teardown(test_key_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_set_text, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names, setup, teardown),
		cmocka_unit_test_setup_teardown(test_arena_spent, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
