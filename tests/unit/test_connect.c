/* SPDX-License-Identifier: Apache-2.0 */
/* Connect's deadline; everything else of the door is tested over connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "base/cleanup.h"
#include "gateway/connect.h"

static void timeouts(void **state)
{
	static const char *const bad[] = {"", "-1", "1s", " 1", "1.5", "12345678901"};
	uint64_t ms = 0;

	(void)state;
	assert_int_equal(connect_timeout_parse("0", &ms), 0);
	assert_int_equal(ms, 1);
	assert_int_equal(connect_timeout_parse("250", &ms), 0);
	assert_int_equal(ms, 250);
	assert_int_equal(connect_timeout_parse("9999999999", &ms), 0);
	assert_int_equal(ms, 9999999999);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(connect_timeout_parse(bad[i], &ms), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(timeouts)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
