/* SPDX-License-Identifier: Apache-2.0 */
/* pace.c: pauses grow, are honoured when told, and spread a storm. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/node/pace.h"

static void test_failures(void **state)
{
	struct pace p = {0};
	uint64_t last = 0, ms;

	(void)state;
	for (int i = 0; i < 20; i++) {
		ms = pace_failed(&p, 0, UINT16_MAX);
		assert_true(ms >= last && ms <= PACE_MAX_MS);
		last = ms;
	}
	assert_int_equal(last, PACE_MAX_MS);
	assert_int_equal(pace_failed(&p, 0, 0), PACE_MAX_MS / 2);
	pace_well(&p);
	assert_int_equal(pace_failed(&p, 0, 0), PACE_MIN_MS / 2);
	/* What was told counts where it is longer, and not without end. */
	pace_well(&p);
	assert_int_equal(pace_failed(&p, 7000, 9), 7000);
	assert_int_equal(pace_failed(&p, UINT64_MAX, 9), PACE_HINT_MAX_MS);
	for (int i = 0; i < 20; i++)
		ms = pace_failed(&p, 10, 0);
	assert_int_equal(ms, PACE_MAX_MS / 2);
}

/* Ten thousand nodes lose their streams in one moment. */
static void test_storm(void **state)
{
	enum { NODES = 10000, SPREAD_MS = 8000, SLOTS = 80 };
	unsigned slots[SLOTS + 2] = {0};
	uint32_t seed = 1;

	(void)state;
	for (int i = 0; i < NODES; i++) {
		struct pace p = {.spread_ms = SPREAD_MS};
		uint64_t ms;

		seed = seed * 1664525 + 1013904223;
		ms = pace_lost(&p, 0, (uint16_t)(seed >> 16));
		assert_true(ms <= SPREAD_MS);
		slots[ms * SLOTS / SPREAD_MS]++;
	}
	/* A hundredth of the time does not see more than twice its share, but the first moments
	 * of those whose ordinary pause is longer. */
	for (int i = 3; i < SLOTS; i++)
		assert_in_range(slots[i], NODES / SLOTS / 2, NODES / SLOTS * 2);
	/* Without a word of it a few hundred ms have to do. */
	assert_in_range(pace_lost(&(struct pace){0}, 0, 7), PACE_MIN_MS / 2, PACE_MIN_MS);
	/* Nor does a wild number keep anybody away. */
	assert_true(pace_lost(&(struct pace){.spread_ms = UINT32_MAX}, 0, UINT16_MAX) <=
		    PACE_HINT_MAX_MS);
}

static void test_resyncs(void **state)
{
	struct pace p = {0};
	uint64_t now = 1000, last = 0, sum = 0;

	(void)state;
	assert_int_equal(pace_resync(&p, now), 0);
	assert_int_equal(pace_resync(&p, now), PACE_RESYNC_MS);
	for (int i = 0; i < 30; i++) {
		uint64_t ms;

		now += last;
		ms = pace_resync(&p, now);
		assert_true(ms >= last);
		sum += ms;
		last = ms;
	}
	assert_int_equal(last, PACE_RESYNC_MAX_MS);
	assert_true(sum > 20ULL * PACE_RESYNC_MAX_MS);
	/* Long after it, a new matter. */
	assert_int_equal(pace_resync(&p, now + last + PACE_RESYNC_REST_MS + 1), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_storm),
		cmocka_unit_test(test_resyncs),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
