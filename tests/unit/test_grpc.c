/* SPDX-License-Identifier: Apache-2.0 */
/* grpc-timeout; everything else of the door is tested over connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "server/rpc/grpc.h"

static void timeouts(void **state)
{
	static const struct {
		const char *text;
		uint64_t ms;
	} good[] = {{"1H", 3600000}, {"2M", 120000}, {"3S", 3000}, {"4m", 4},
		    {"5u", 1},       {"5000u", 5},   {"1n", 1},    {"99999999H", 359999996400000},
		    {"0m", 1}};
	static const char *const bad[] = {"",    "1",          "S",    "1s", "-1S",
					  "1 S", "123456789m", "1.5S", "1SS"};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++) {
		assert_int_equal(grpc_timeout_parse(good[i].text, &ms), 0);
		assert_int_equal(ms, good[i].ms);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(grpc_timeout_parse(bad[i], &ms), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(timeouts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
