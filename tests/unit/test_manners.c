/* SPDX-License-Identifier: Apache-2.0 */
/* What one node may ask, by a clock that stands until it is told to move. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/limits.h"
#include "server/cp/manners.h"

static const struct uuid node = {{1, 2, 3}}, other = {{4, 5, 6}};
static uint64_t now_ms;

static void pass(uint64_t ms)
{
	now_ms += ms;
	clock_fake(1, now_ms, 1790000000000, "00000000-0000-0000-0000-000000000001");
}

static int setup(void **state)
{
	now_ms = 1000000;
	pass(0);
	*state = manners_new();
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	manners_free(*state);
	clock_fake(0, 0, 0, NULL);
	return 0;
}

static uint64_t comes(struct manners *m)
{
	return manners_admit(m, &node, MANNERS_REPORT, 1);
}

/* A report about so many devices: admitted, then read. */
static uint64_t reports(struct manners *m, size_t n_devices)
{
	uint64_t wait = comes(m);

	return wait ? wait : manners_admit(m, &node, MANNERS_DEVICES, manners_weight(n_devices));
}

static void reports_are_paced(void **state)
{
	struct manners *m = *state;

	for (unsigned i = 0; i < LIMIT_NODE_REPORTS_AT_ONCE; i++)
		assert_int_equal(comes(m), 0);
	assert_int_equal(comes(m), 1000 / LIMIT_NODE_REPORTS_PER_S);
	assert_int_equal(manners_admit(m, &other, MANNERS_REPORT, 1), 0);
	pass(1000);
	for (unsigned i = 0; i < LIMIT_NODE_REPORTS_PER_S; i++)
		assert_int_equal(comes(m), 0);
	assert_true(comes(m) > 0);
}

/* About none, or a few, is what it was counted for when it came. */
static void few_devices_are_free(void **state)
{
	struct manners *m = *state;

	for (unsigned i = 0; i < LIMIT_NODE_REPORTS_AT_ONCE; i++)
		assert_int_equal(reports(m, LIMIT_REPORT_DEVICES - 1), 0);
	assert_true(reports(m, 0) > 0);
}

/* A flood of large ones: those beyond the bound are not read, and who waits as told gets in. */
static void large_ones_are_not_read_in_vain(void **state)
{
	const size_t devices = 4096;
	const unsigned cost = 1 + 4096 / LIMIT_REPORT_DEVICES;
	struct manners *m = *state;
	uint64_t wait;

	for (unsigned i = 0; i < LIMIT_NODE_REPORTS_AT_ONCE / cost; i++)
		assert_int_equal(reports(m, devices), 0);
	wait = reports(m, devices); /* read, and refused */
	assert_true(wait > 0);
	for (unsigned i = 0; i < 1000; i++)
		assert_int_equal(comes(m), wait);
	pass(wait - 1);
	assert_int_equal(comes(m), 1);
	pass(1);
	assert_int_equal(reports(m, devices), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reports_are_paced, setup, teardown),
		cmocka_unit_test_setup_teardown(few_devices_are_free, setup, teardown),
		cmocka_unit_test_setup_teardown(large_ones_are_not_read_in_vain, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
