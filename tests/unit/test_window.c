/* SPDX-License-Identifier: Apache-2.0 */
/* The provision window: five in any 60 s, over reboots and clock jumps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/cp/window.h"

static const struct window_rule rule = {.limit = 5, .period_ms = 60000};

static struct window_stamp at(uint8_t boot, uint64_t boot_ms, int64_t wall_ms)
{
	struct window_stamp s = {.boot_ms = boot_ms, .wall_ms = wall_ms};

	s.boot_id.b[0] = boot;
	return s;
}

/* Accepts at a time: true, or false with the wait. */
static bool accept(struct window *w, struct window_stamp now, uint64_t *ret_wait)
{
	*ret_wait = window_judge(w, &rule, &now);
	if (*ret_wait)
		return false;
	w->stamps[w->n++] = now;
	return true;
}

static void five_then_exact_wait(void **state)
{
	struct window w = {0};
	uint64_t wait;

	(void)state;
	for (uint64_t i = 0; i < 5; i++)
		assert_true(accept(&w, at(1, 1000 + i * 1000, 0), &wait));
	assert_false(accept(&w, at(1, 6000, 0), &wait));
	assert_int_equal(wait, 55000);
	assert_false(accept(&w, at(1, 60999, 0), &wait));
	assert_int_equal(wait, 1);
	assert_true(accept(&w, at(1, 61000, 0), &wait));
	assert_false(accept(&w, at(1, 61000, 0), &wait));
	assert_int_equal(wait, 1000);
}

static void refusals_do_not_count(void **state)
{
	struct window w = {0};
	uint64_t wait;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(accept(&w, at(1, 0, 0), &wait));
	for (int i = 0; i < 100; i++)
		assert_false(accept(&w, at(1, 30000, 0), &wait));
	assert_true(accept(&w, at(1, 60000, 0), &wait));
}

static void wall_jumps_do_nothing_within_a_boot(void **state)
{
	struct window w = {0};
	uint64_t wait;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(accept(&w, at(1, 1000, 1000000), &wait));
	assert_false(accept(&w, at(1, 2000, 99000000), &wait));
	assert_int_equal(wait, 59000);
	assert_false(accept(&w, at(1, 2000, -5), &wait));
	assert_int_equal(wait, 59000);
	assert_false(w.rewritten);
}

static void another_boot_compares_wall_time(void **state)
{
	struct window w = {0};
	uint64_t wait;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(accept(&w, at(1, 500000, 1000000), &wait));
	assert_false(accept(&w, at(2, 100, 1020000), &wait));
	assert_int_equal(wait, 40000);
	assert_true(accept(&w, at(2, 40100, 1060000), &wait));
}

static void future_stamp_counts_as_now_and_ends(void **state)
{
	struct window w = {0};
	uint64_t wait;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(accept(&w, at(1, 500000, 9000000), &wait));
	/* Rebooted with the clock set back: held up for one period, not for 8,000 s. */
	assert_false(accept(&w, at(2, 100, 1000000), &wait));
	assert_int_equal(wait, 60000);
	assert_true(w.rewritten);
	assert_false(accept(&w, at(2, 60099, 1000001), &wait));
	assert_int_equal(wait, 1);
	assert_true(accept(&w, at(2, 60100, 1000002), &wait));
}

static void a_faster_call_that_began_later_keeps_its_time(void **state)
{
	struct window w = {0};
	uint64_t wait;

	(void)state;
	for (int i = 0; i < 5; i++)
		assert_true(accept(&w, at(1, 1010, 0), &wait));
	assert_false(accept(&w, at(1, 1000, 0), &wait));
	assert_false(w.rewritten);
	assert_false(accept(&w, at(1, 61009, 0), &wait));
	assert_int_equal(wait, 1);
}

static void the_wait_is_for_the_oldest_wherever_it_lies(void **state)
{
	struct window w = {0};
	uint64_t wait;

	(void)state;
	/* Of the boot before, by a wall clock that was then set back: younger than those after. */
	for (int i = 0; i < 2; i++)
		assert_true(accept(&w, at(1, 500000, 1000000), &wait));
	for (int i = 0; i < 3; i++)
		assert_true(accept(&w, at(2, 100, 1001000), &wait));
	assert_false(accept(&w, at(2, 20100, 1002000), &wait));
	assert_int_equal(wait, 40000);
	assert_true(accept(&w, at(2, 60100, 1042000), &wait));
}

static void now_is_this_boot(void **state)
{
	struct window_stamp now;

	(void)state;
	clock_fake(1, 77, 88, "0192f0c1-aa55-7000-8000-000000000001");
	now = window_now();
	clock_fake(0, 0, 0, NULL);
	assert_int_equal(now.boot_ms, 77);
	assert_int_equal(now.wall_ms, 88);
	assert_int_equal(now.boot_id.b[15], 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(five_then_exact_wait),
		cmocka_unit_test(refusals_do_not_count),
		cmocka_unit_test(wall_jumps_do_nothing_within_a_boot),
		cmocka_unit_test(another_boot_compares_wall_time),
		cmocka_unit_test(future_stamp_counts_as_now_and_ends),
		cmocka_unit_test(a_faster_call_that_began_later_keeps_its_time),
		cmocka_unit_test(the_wait_is_for_the_oldest_wherever_it_lies),
		cmocka_unit_test(now_is_this_boot),
	};

	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
