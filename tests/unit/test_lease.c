/* SPDX-License-Identifier: Apache-2.0 */
/* lease.c by a clock that the test turns: what is left, over restarts and clock jumps. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/node/lease.h"

enum { HOUR_MS = 3600000, DAY_MS = 24 * HOUR_MS };

static char dir[] = "/tmp/qmesh-lease.XXXXXX";

static void at(uint64_t boot_ms, int64_t wall_ms, const char *boot)
{
	clock_fake(1, boot_ms, wall_ms, boot);
}

static struct lease saved_and_loaded(const struct lease *l, uint64_t boot_ms, int64_t wall_ms,
				     const char *boot, uint64_t length_ms)
{
	struct lease again = {0};

	assert_int_equal(lease_save(l, dir), 0);
	at(boot_ms, wall_ms, boot);
	assert_int_equal(lease_load(&again, dir), 0);
	lease_set_length(&again, length_ms);
	return again;
}

static void test_runs_out(void **state)
{
	struct lease l = {0};

	(void)state;
	at(1000, 5000, "a");
	assert_true(lease_left_ms(&l) == UINT64_MAX);
	lease_set_length(&l, DAY_MS);
	assert_int_equal(lease_left_ms(&l), DAY_MS);
	/* The wall clock does not matter. */
	at(1000 + HOUR_MS, 5000 - 10 * (int64_t)DAY_MS, "a");
	assert_int_equal(lease_left_ms(&l), DAY_MS - HOUR_MS);
	lease_renew(&l, clock_boot_ms());
	assert_int_equal(lease_left_ms(&l), DAY_MS);
	at(1000 + HOUR_MS + DAY_MS - 1, 5000, "a");
	assert_false(lease_is_over(&l));
	at(1000 + HOUR_MS + DAY_MS, 5000, "a");
	assert_true(lease_is_over(&l));
	lease_renew(&l, clock_boot_ms());
	assert_false(lease_is_over(&l));
	/* The machine slept for two days between its question and the answer. */
	at(1000 + HOUR_MS + 3 * DAY_MS, 5000, "a");
	lease_renew(&l, 1000 + HOUR_MS + DAY_MS);
	assert_true(lease_is_over(&l));
}

static void test_length(void **state)
{
	struct lease l = {0};

	(void)state;
	at(1000, 5000, "a");
	lease_set_length(&l, DAY_MS);
	at(1000 + HOUR_MS, 5000, "a");
	lease_set_length(&l, 2 * HOUR_MS);
	assert_int_equal(lease_left_ms(&l), 2 * HOUR_MS);
	lease_set_length(&l, 90ULL * DAY_MS);
	assert_int_equal(lease_left_ms(&l), 2 * HOUR_MS);
	lease_renew(&l, clock_boot_ms());
	assert_true(lease_left_ms(&l) == 90ULL * DAY_MS);
	lease_set_length(&l, 0);
	assert_false(lease_is_over(&l));
	at(1000 + 100ULL * DAY_MS, 5000, "a");
	assert_false(lease_is_over(&l));
	lease_set_length(&l, DAY_MS);
	assert_int_equal(lease_left_ms(&l), DAY_MS);
}

static void test_restart(void **state)
{
	const int64_t wall = 1700000000000;
	struct lease l = {0}, again;

	(void)state;
	at(1000, wall, "a");
	assert_int_equal(lease_load(&l, dir), -ENOENT);
	lease_set_length(&l, DAY_MS);
	/* The same boot: the boot clock counts, whatever the wall clock says. */
	again = saved_and_loaded(&l, 1000 + HOUR_MS, wall - DAY_MS, "a", DAY_MS);
	assert_int_equal(lease_left_ms(&again), DAY_MS - HOUR_MS);
	/* Another boot: the wall clock, forward only. */
	at(1000, wall, "a");
	again = saved_and_loaded(&l, 50, wall + 2 * HOUR_MS, "b", DAY_MS);
	assert_int_equal(lease_left_ms(&again), DAY_MS - 2 * HOUR_MS);
	at(1000, wall, "a");
	again = saved_and_loaded(&l, 50, wall - HOUR_MS, "b", DAY_MS);
	assert_int_equal(lease_left_ms(&again), DAY_MS);
	/* Past its end it is over until the Control Panel answers. */
	at(1000, wall, "a");
	again = saved_and_loaded(&l, 50, wall + 2 * (int64_t)DAY_MS, "b", DAY_MS);
	assert_true(lease_is_over(&again));
	lease_renew(&again, clock_boot_ms());
	assert_false(lease_is_over(&again));
	/* What was over stays over, over any number of restarts. */
	at(1000 + 2 * (uint64_t)DAY_MS, wall, "a");
	assert_true(lease_is_over(&l));
	again = saved_and_loaded(&l, 10, wall - DAY_MS, "b", DAY_MS);
	assert_true(lease_is_over(&again));
	again = saved_and_loaded(&again, 10, wall - DAY_MS, "c", DAY_MS);
	assert_true(lease_is_over(&again));
}

static void test_damaged(void **state)
{
	struct lease l = {0};
	char path[64];
	FILE *f;

	(void)state;
	at(1000, 5000, "a");
	snprintf(path, sizeof(path), "%s/lease", dir);
	for (int i = 0; i < 3; i++) {
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(i == 0 ? "" : i == 1 ? "qmesh-lease/1 x" : "qmesh-lease/2 1 2 3 a", f);
		fclose(f);
		l = (struct lease){0};
		assert_int_equal(lease_load(&l, dir), 0);
		lease_set_length(&l, DAY_MS);
		assert_true(lease_is_over(&l));
	}
	/* Without a lease it has no end, and begins with one. */
	l = (struct lease){0};
	assert_int_equal(lease_save(&l, dir), 0);
	assert_int_equal(lease_load(&l, dir), 0);
	assert_false(lease_is_over(&l));
	lease_set_length(&l, DAY_MS);
	assert_int_equal(lease_left_ms(&l), DAY_MS);
	unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_runs_out),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_restart),
		cmocka_unit_test(test_damaged),
	};
	int r;

	if (!mkdtemp(dir))
		return 1;
	r = cmocka_run_group_tests_name("lease", tests, NULL, NULL);
	rmdir(dir);
	return r;
}
