/* SPDX-License-Identifier: Apache-2.0 */
/* The heap against a naive list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/rpc/timer.h"

#define N 300

static struct timer timers[N];
static uint64_t last;
static int n_ran;

static void ran(struct timer *t)
{
	assert_true(t->at_ms >= last);
	assert_int_equal(t->slot, 0);
	last = t->at_ms;
	n_ran++;
}

static void random_sets_and_clears(void **state)
{
	struct timer_heap h = {0};
	uint32_t seed = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		seed = seed * 1664525 + 1013904223;
		struct timer *t = &timers[(seed >> 8) % N];
		uint64_t min = UINT64_MAX;
		size_t n = 0;

		t->fn = ran;
		if (seed >> 28 < 10)
			assert_int_equal(timer_set(&h, t, seed >> 12), 0);
		else
			timer_clear(&h, t);
		if (round % 50)
			continue;
		for (int i = 0; i < N; i++)
			if (timers[i].slot) {
				n++;
				min = timers[i].at_ms < min ? timers[i].at_ms : min;
			}
		assert_int_equal(n, h.n);
		assert_int_equal(timer_next(&h), min);
	}
	size_t left = h.n;

	timer_run(&h, UINT64_MAX - 1);
	assert_int_equal(n_ran, left);
	assert_int_equal(timer_next(&h), UINT64_MAX);
	timer_heap_done(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_sets_and_clears)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
