/* SPDX-License-Identifier: Apache-2.0 */
/* Both clocks, the seam, and times as text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "base/clock.h"

static void real_clocks_go_forward(void **state)
{
	uint64_t boot = clock_boot_ms();

	(void)state;
	assert_true(boot > 0);
	assert_true(clock_boot_ms() >= boot);
	assert_true(clock_wall_ms() > 1700000000000);
	assert_true(strlen(clock_boot_id()) == 36 || strlen(clock_boot_id()) == 0);
}

static void the_seam_takes_over_and_gives_back(void **state)
{
	(void)state;
	clock_fake(1, 42, -7, "boot-2");
	assert_int_equal(clock_boot_ms(), 42);
	assert_int_equal(clock_wall_ms(), -7);
	assert_string_equal(clock_boot_id(), "boot-2");
	clock_fake(1, 43, 0, NULL);
	assert_int_equal(clock_boot_ms(), 43);
	assert_string_equal(clock_boot_id(), "");
	clock_fake(0, 0, 0, NULL);
	assert_true(clock_wall_ms() > 1700000000000);
}

static void times_as_text(void **state)
{
	static const struct {
		int64_t ms;
		const char *text;
	} rows[] = {
		{0, "1970-01-01T00:00:00.000Z"},
		{1795341600123, "2026-11-22T10:00:00.123Z"},
		{951782400000, "2000-02-29T00:00:00.000Z"},
		{-1, "1969-12-31T23:59:59.999Z"},
		{-1000, "1969-12-31T23:59:59.000Z"},
		{253402300799999, "9999-12-31T23:59:59.999Z"},
		{253402300800000, "9999-12-31T23:59:59.999Z"},
		{INT64_MAX, "9999-12-31T23:59:59.999Z"},
		{INT64_MIN, "0000-01-01T00:00:00.000Z"},
	};
	char text[25];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_string_equal(clock_rfc3339(rows[i].ms, text), rows[i].text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_clocks_go_forward),
		cmocka_unit_test(the_seam_takes_over_and_gives_back),
		cmocka_unit_test(times_as_text),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
