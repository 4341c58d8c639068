/* SPDX-License-Identifier: Apache-2.0 */
/* mismatch.c and quota.c: what a node that lies, or asks without end, gets at most. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/cp/mismatch.h"
#include "server/cp/quota.h"

enum { HOUR_MS = 3600000 };

static void test_once(void **state)
{
	struct mismatch m = {0};
	uint64_t now = 1000000;

	(void)state;
	assert_true(mismatch_note(&m, 7, now));
	assert_false(m.alarm);
	/* Its report from before the new list. */
	assert_false(mismatch_note(&m, 7, now + 100));
	assert_false(m.alarm);
	mismatch_settle(&m);
	/* Hours later another one: no alarm either. */
	assert_true(mismatch_note(&m, 9, now + HOUR_MS));
	assert_false(m.alarm);
	mismatch_settle(&m);
	/* The same generation again, after it was right: that is strange. */
	assert_false(mismatch_note(&m, 9, now + HOUR_MS + MISMATCH_SETTLE_MS));
	assert_true(m.alarm);
	mismatch_settle(&m);
	assert_false(m.alarm);
}

/* For a day a report each second, each with another generation. */
static void test_liar(void **state)
{
	struct mismatch m = {0};
	unsigned resyncs = 0;

	(void)state;
	for (uint64_t s = 0; s < 86400; s++)
		resyncs += mismatch_note(&m, s, 5000 + s * 1000);
	assert_true(m.alarm);
	/* At once, then after 1, 2, 4, .. 32 minutes, then hourly. */
	assert_in_range(resyncs, 24, 31);
	mismatch_settle(&m);
	assert_false(m.alarm);
}

/* One that is right every other time gets a list each few seconds at most. */
static void test_waverer(void **state)
{
	struct mismatch m = {0};
	unsigned resyncs = 0;

	(void)state;
	for (uint64_t i = 0; i < 6000; i++) {
		resyncs += mismatch_note(&m, i, 5000 + i * 10);
		mismatch_settle(&m);
	}
	assert_in_range(resyncs, 1, 60000 / MISMATCH_SETTLE_MS + 1);
}

static void test_quota(void **state)
{
	struct quota q = {0};
	uint64_t wait, now = 77000;
	unsigned taken = 0;

	(void)state;
	for (int i = 0; i < 30; i++)
		assert_int_equal(quota_take(&q, 1, 30, 2, now), 0);
	wait = quota_take(&q, 1, 30, 2, now);
	assert_int_equal(wait, 500);
	assert_int_not_equal(quota_take(&q, 1, 30, 2, now + 499), 0);
	assert_int_equal(quota_take(&q, 1, 30, 2, now + 500), 0);
	assert_int_not_equal(quota_take(&q, 1, 30, 2, now + 500), 0);
	/* Who asks all the time gets so many a second, no fewer. */
	for (int ms = 0; ms < 10000; ms++)
		taken += quota_take(&q, 1, 30, 2, now + 500 + (uint64_t)ms) == 0;
	assert_in_range(taken, 19, 20);
	/* A clock that stands or goes back gives nothing away. */
	assert_int_not_equal(quota_take(&q, 1, 30, 2, 0), 0);
	/* Many at a time: all of them or none. */
	now += 100000;
	assert_int_equal(quota_take(&q, 20, 30, 2, now), 0);
	assert_int_equal(quota_take(&q, 20, 30, 2, now), 5000);
	assert_int_equal(quota_take(&q, 10, 30, 2, now), 0);
	assert_int_equal(quota_take(&q, 1, 30, 2, now), 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_once),
		cmocka_unit_test(test_liar),
		cmocka_unit_test(test_waverer),
		cmocka_unit_test(test_quota),
	};

	return cmocka_run_group_tests_name("mismatch", tests, NULL, NULL);
}
