/* SPDX-License-Identifier: Apache-2.0 */
/* gRPC's two maps from other people's codes; the values are those of its specification. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "client/outcome.h"

static void test_codes(void **state)
{
	static const struct {
		unsigned from;
		enum grpc_code to;
	} http[] = {{400, 13}, {401, 16}, {403, 7},  {404, 12}, {429, 14}, {431, 2},
		    {502, 14}, {503, 14}, {504, 14}, {500, 2},  {200, 2},  {0, 2}},
	  h2[] = {{0, 13}, {1, 13}, {7, 14}, {8, 1}, {11, 8}, {12, 7}, {13, 13}, {1000, 13}};

	(void)state;
	for (size_t i = 0; i < sizeof(http) / sizeof(http[0]); i++)
		assert_int_equal(outcome_code_of_http(http[i].from), http[i].to);
	for (size_t i = 0; i < sizeof(h2) / sizeof(h2[0]); i++)
		assert_int_equal(outcome_code_of_h2(h2[i].from), h2[i].to);
}

/* By a server that cancels a call at its deadline, and by one that cancels it before. */
static void test_deadline(void **state)
{
	struct qm_call call = {.deadline = 1};

	(void)state;
	assert_int_equal(outcome_of(&call, 8), QCALL_FINAL);
	assert_int_equal(call.status.code, GRPC_DEADLINE_EXCEEDED);
	status_done(&call.status);
	call.deadline = qcall_now_ms() + 60000;
	assert_int_equal(outcome_of(&call, 8), QCALL_FINAL);
	assert_int_equal(call.status.code, GRPC_CANCELLED);
	status_done(&call.status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_codes),
		cmocka_unit_test(test_deadline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
