/* SPDX-License-Identifier: Apache-2.0 */
/* Every job runs once, on no more threads than allowed; a stop waits for them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "server/rpc/lane.h"

#define N 2000

static atomic_int n_ran, n_inside, n_most;

static void job(struct lane_job *j)
{
	int now = ++n_inside;

	if (now > n_most)
		n_most = now;
	if (n_ran % 100 == 0)
		usleep(1000);
	n_ran++;
	n_inside--;
	(void)j;
}

static void runs_all(void **state)
{
	static struct lane_job jobs[N + 1];
	_cleanup_(lane_freep) struct lane_pool *l = lane_new(4);

	(void)state;
	for (int i = 0; i < N; i++) {
		jobs[i].fn = job;
		assert_int_equal(lane_post(l, &jobs[i], i % 2), 0);
	}
	lane_stop(l);
	assert_int_equal(n_ran, N);
	assert_true(n_most >= 1 && n_most <= 4);
	assert_int_equal(lane_post(l, &jobs[N], false), -ESHUTDOWN);
}

static atomic_int n_second, released, first_ran;

static void second_job(struct lane_job *j)
{
	(void)j;
	n_second++;
	while (!released)
		usleep(500);
}

static void first_job(struct lane_job *j)
{
	(void)j;
	first_ran++;
}

static bool comes_true(const atomic_int *what, int value)
{
	for (int i = 0; i < 40000 && *what < value; i++)
		usleep(500);
	return *what >= value;
}

/* Those of the second queue that block leave threads for the first. */
static void first_comes_first(void **state)
{
	static struct lane_job seconds[16], firsts[8];
	_cleanup_(lane_freep) struct lane_pool *l = lane_new(4);

	(void)state;
	for (int i = 0; i < 16; i++) {
		seconds[i].fn = second_job;
		assert_int_equal(lane_post(l, &seconds[i], true), 0);
	}
	assert_true(comes_true(&n_second, 3));
	for (int i = 0; i < 8; i++) {
		firsts[i].fn = first_job;
		assert_int_equal(lane_post(l, &firsts[i], false), 0);
	}
	assert_true(comes_true(&first_ran, 8));
	assert_int_equal(n_second, 3);
	released = 1;
	lane_stop(l);
	assert_int_equal(n_second, 16);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_all),
		cmocka_unit_test(first_comes_first),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
