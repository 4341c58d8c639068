/* SPDX-License-Identifier: Apache-2.0 */
/* The error table against design 4.3, written down again on its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/err.h"

struct expected {
	const char *reason;
	enum grpc_code code;
	unsigned http;
};

/* clang-format off */
static const struct expected table[] = {
	{"FIELD_INVALID", 3, 400}, {"LABEL_INVALID", 3, 400}, {"LABEL_RESERVED", 3, 400},
	{"PAGE_TOKEN_INVALID", 3, 400}, {"TOKEN_MISSING", 16, 401}, {"TOKEN_INVALID", 16, 401},
	{"LOGIN_FAILED", 16, 401}, {"JOIN_TOKEN_INVALID", 16, 401}, {"NOT_OWNER", 7, 403},
	{"ROLE_REQUIRED", 7, 403}, {"SSO_REQUIRED", 7, 403}, {"PLAN_LACKS_FEATURE", 7, 403},
	{"CROSS_SITE", 7, 403}, {"NOT_FOUND", 5, 404}, {"LABEL_TAKEN", 6, 409},
	{"KEY_IN_USE", 6, 409}, {"ADDRESS_IN_USE", 6, 409}, {"IDEMPOTENCY_KEY_REUSED", 6, 409},
	{"DEVICE_CAP_REACHED", 8, 409}, {"POOL_EXHAUSTED", 8, 409}, {"RATE_LIMITED", 8, 429},
	{"ADDRESS_OVERLAP", 9, 400}, {"NEEDS_REHOME", 9, 400}, {"DEVICE_HAS_NO_KEY", 9, 400},
	{"LICENCE_INVALID", 9, 400}, {"CALL_IN_PROGRESS", 10, 409}, {"INTERNAL", 13, 500},
	{"CP_UNREACHABLE", 14, 503}, {"DRAINING", 14, 503}, {"OUTCOME_UNKNOWN", 14, 503},
	{"CANCELLED", 1, 499}, {"DEADLINE_EXCEEDED", 4, 504}, {"UNIMPLEMENTED", 12, 501},
	{"MESSAGE_TOO_LARGE", 8, 413}, {"MESSAGE_INVALID", 13, 400},
};
/* clang-format on */

static void every_reason_has_its_code_and_status(void **state)
{
	(void)state;
	assert_int_equal(ARRAY_LEN(table), ERR_MAX_ - 1);
	for (size_t i = 0; i < ARRAY_LEN(table); i++) {
		enum err e = err_from_reason(table[i].reason);

		assert_int_not_equal(e, ERR_MAX_);
		assert_string_equal(err_reason(e), table[i].reason);
		assert_int_equal(err_grpc(e), table[i].code);
		assert_int_equal(err_http(e), table[i].http);
	}
}

static void none_is_ok(void **state)
{
	(void)state;
	assert_string_equal(err_reason(ERR_NONE), "OK");
	assert_int_equal(err_grpc(ERR_NONE), GRPC_OK);
	assert_int_equal(err_http(ERR_NONE), 200);
}

static void unknown_reason_is_max(void **state)
{
	(void)state;
	assert_int_equal(err_from_reason("OK"), ERR_MAX_);
	assert_int_equal(err_from_reason("label_taken"), ERR_MAX_);
	assert_int_equal(err_from_reason(""), ERR_MAX_);
	assert_int_equal(err_from_reason(NULL), ERR_MAX_);
}

static void a_number_off_the_table_is_internal(void **state)
{
	(void)state;
	assert_string_equal(err_reason(ERR_MAX_), "INTERNAL");
	assert_int_equal(err_http((enum err) - 1), 500);
	assert_int_equal(err_grpc((enum err)1000), GRPC_INTERNAL);
}

static void canonical_mapping(void **state)
{
	static const unsigned http[] = {200, 499, 500, 400, 504, 404, 409, 403, 429,
					400, 409, 400, 501, 500, 503, 500, 401};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(http); i++)
		assert_int_equal(err_http_of_grpc((enum grpc_code)i), http[i]);
	assert_int_equal(err_http_of_grpc((enum grpc_code)17), 500);
	assert_string_equal(err_grpc_name(GRPC_UNAUTHENTICATED), "UNAUTHENTICATED");
	assert_string_equal(err_grpc_name(GRPC_CANCELLED), "CANCELLED");
	assert_string_equal(err_grpc_name((enum grpc_code)99), "UNKNOWN");
}

static void origin_and_trace_return_what_they_got(void **state)
{
	(void)state;
	assert_int_equal(err_origin(-EIO), -EIO);
	assert_int_equal(err_trace(-EIO), -EIO);
	assert_int_equal(err_trace(ERR_NOT_FOUND), ERR_NOT_FOUND);
	assert_int_equal(err_origin(0), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_reason_has_its_code_and_status),
		cmocka_unit_test(none_is_ok),
		cmocka_unit_test(unknown_reason_is_max),
		cmocka_unit_test(a_number_off_the_table_is_internal),
		cmocka_unit_test(canonical_mapping),
		cmocka_unit_test(origin_and_trace_return_what_they_got),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
