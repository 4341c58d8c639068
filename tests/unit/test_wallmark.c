/* SPDX-License-Identifier: Apache-2.0 */
/* The time that licences count by, on a clock of the test's, over lives of the daemon. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/sign.h"
#include "server/cp/wallmark.h"

#define HOUR INT64_C(3600000)
#define DAY (24 * HOUR)
#define START INT64_C(1800000000000)

static char dir[64], path[96];
static struct store *store;
static struct wallmark mark;
static uint64_t boot_ms;

static void open_store(void)
{
	struct store_options options = {.path = path};

	assert_int_equal(store_open(&options, &store), 0);
	assert_int_equal(wallmark_init(&mark, store), 0);
}

static int fresh(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/qmesh-test-wallmark-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/store.db", dir);
	boot_ms = 1000;
	clock_fake(1, boot_ms, START, "one boot");
	open_store();
	return 0;
}

static int clear(void **state)
{
	char command[96];

	(void)state;
	clock_fake(0, 0, 0, NULL);
	store_close(store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

/* So long the clocks go on together from a wall time, with a tick each minute. */
static int64_t run(int64_t wall_ms, int64_t for_ms)
{
	for (int64_t gone = 0; gone <= for_ms; gone += 60000) {
		clock_fake(1, boot_ms + (uint64_t)gone, wall_ms + gone, "one boot");
		wallmark_tick(&mark);
	}
	boot_ms += (uint64_t)for_ms;
	return wall_ms + for_ms;
}

static void restart(int64_t wall_ms)
{
	store_close(store);
	boot_ms = 5000; /* another boot, too */
	clock_fake(1, boot_ms, wall_ms, "another boot");
	open_store();
}

static void the_clock_as_it_is(void **state)
{
	int64_t now = run(START, 2 * HOUR);

	(void)state;
	assert_int_equal(wallmark_now_ms(&mark), now);
	restart(now + DAY);
	assert_int_equal(wallmark_now_ms(&mark), now + DAY);
}

static void set_back_it_wins_an_hour_at_most(void **state)
{
	int64_t end = run(START, 30 * HOUR + 59 * 60000);

	(void)state;
	/* In the same life. */
	run(START - 5 * DAY, 60000);
	assert_in_range(wallmark_now_ms(&mark), end - HOUR, end);
	/* And in others, one after the other. */
	for (int i = 0; i < 3; i++) {
		restart(START - 5 * DAY - i * HOUR);
		assert_in_range(wallmark_now_ms(&mark), end - HOUR, end);
		run(START - 5 * DAY, 3 * HOUR);
		assert_in_range(wallmark_now_ms(&mark), end - HOUR, end);
	}
	/* Right again it goes on. */
	restart(end + DAY);
	assert_int_equal(wallmark_now_ms(&mark), end + DAY);
}

static void wrong_for_a_moment_leaves_nothing(void **state)
{
	int64_t now = run(START, 2 * HOUR);

	(void)state;
	run(START + 3650 * DAY, HOUR - 60000);
	clock_fake(1, boot_ms, now, "one boot");
	wallmark_tick(&mark);
	assert_int_equal(wallmark_now_ms(&mark), now);
	/* Jumps again and again, each time before the hour is over. */
	for (int i = 0; i < 10; i++)
		run(START + (3650 + i) * DAY, HOUR / 2);
	restart(now);
	assert_int_equal(wallmark_now_ms(&mark), now);
}

static void slow_drift_is_no_jump(void **state)
{
	int64_t wall = START;

	(void)state;
	/* Half a second each minute, as an adjusted clock may go: half a minute in an hour. */
	for (int i = 0; i < 600; i++) {
		boot_ms += 60000;
		wall += 60500;
		clock_fake(1, boot_ms, wall, "one boot");
		wallmark_tick(&mark);
	}
	restart(START);
	assert_in_range(wallmark_now_ms(&mark), wall - HOUR - 60000, wall);
}

int main(void)
{
#define LIVES(name) cmocka_unit_test_setup_teardown(name, fresh, clear)
	const struct CMUnitTest tests[] = {
		LIVES(the_clock_as_it_is),
		LIVES(set_back_it_wins_an_hour_at_most),
		LIVES(wrong_for_a_moment_leaves_nothing),
		LIVES(slow_drift_is_no_jump),
	};

	return sign_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
