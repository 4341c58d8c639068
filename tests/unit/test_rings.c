/* SPDX-License-Identifier: Apache-2.0 */
/* rings.c by the fake clock: steps, gaps, counters that fall, members that go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/node/rings.h"

#define START 1700000000000

static const struct uuid device = {{1}};

static void at(int64_t ms)
{
	clock_fake(1, 1000, START + ms, "boot");
}

static void test_steps(void **state)
{
	struct rings_sample samples[RINGS_MAX_SAMPLES];
	struct rings *r = rings_new();

	(void)state;
	at(0);
	rings_add(r, &device, 1000, 500); /* what came before counts for nothing */
	assert_int_equal(rings_read(r, &device, "1m", samples), 0);
	for (int s = 1; s <= 100; s++) {
		at(s * 1000);
		rings_add(r, &device, 1000 + (uint64_t)s * 10, 500);
	}
	assert_int_equal(rings_read(r, &device, "1m", samples), 60);
	for (int i = 0; i < 60; i++) {
		assert_int_equal(samples[i].rx_bytes, 10);
		assert_int_equal(samples[i].tx_bytes, 0);
		if (i)
			assert_int_equal(samples[i].time_ms, samples[i - 1].time_ms + 1000);
	}
	assert_true(rings_read(r, &device, "1h", samples) >= 2);
	assert_true(rings_read(r, &device, "1w", samples) < 0);
	/* Half a minute of silence is a gap, not zeros. */
	at(130000);
	rings_add(r, &device, 2010, 500);
	assert_int_equal(rings_read(r, &device, "1m", samples), 31);
	/* A new key starts its counters anew. */
	at(131000);
	rings_add(r, &device, 7, 0);
	assert_int_equal(rings_read(r, &device, "1m", samples), 31);
	assert_int_equal(samples[30].rx_bytes, 7);
	rings_free(r);
	clock_fake(0, 0, 0, NULL);
}

static void test_prune(void **state)
{
	struct rings_sample samples[RINGS_MAX_SAMPLES];
	struct members *none = members_new();
	struct rings *r = rings_new();

	(void)state;
	at(0);
	rings_add(r, &device, 1, 1);
	at(1000);
	rings_add(r, &device, 2, 2);
	assert_int_equal(rings_read(r, &device, "1m", samples), 1);
	rings_prune(r, none);
	assert_int_equal(rings_read(r, &device, "1m", samples), 0);
	rings_free(r);
	members_free(none);
	clock_fake(0, 0, 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_prune),
	};

	return cmocka_run_group_tests_name("rings", tests, NULL, NULL);
}
