/* SPDX-License-Identifier: Apache-2.0 */
/*
 * muster.c against one that recounts everything at each step: nodes come, go,
 * report any generation of any epoch. Then who lags, why, and since when.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/cp/muster.h"

enum { IDS = 40, STEPS = 20000 };

static struct uuid id_of(unsigned i)
{
	struct uuid id = {{0}};

	/* Few last bytes, so that slots collide. */
	id.b[0] = (uint8_t)i;
	id.b[15] = (uint8_t)(i / 8);
	return id;
}

struct naive {
	bool known, online;
	uint64_t epoch, applied;
};

static void compare(const struct muster *m, const struct naive *all, uint64_t newest)
{
	uint32_t live = 0, known = 0;
	uint64_t low = UINT64_MAX;

	for (unsigned i = 0; i < IDS; i++) {
		const struct uuid id = id_of(i);
		uint64_t has = !m->epoch || all[i].epoch == m->epoch ? all[i].applied : 0;

		assert_true((muster_find(m, &id) != NULL) == all[i].known);
		known += all[i].known;
		if (!all[i].known || !all[i].online)
			continue;
		live++;
		low = has < low ? has : low;
	}
	assert_int_equal(m->n_nodes, known);
	assert_int_equal(m->n_live, live);
	assert_int_equal(muster_low(m), live ? low : 0);
	for (uint64_t g = 1; g <= newest; g += 1 + newest / 5) {
		uint32_t have = 0;

		for (unsigned i = 0; i < IDS; i++)
			have += all[i].known && all[i].online && all[i].applied >= g &&
				(!m->epoch || all[i].epoch == m->epoch);
		assert_int_equal(muster_count(m, g), have);
	}
}

static void step(struct muster *m, struct naive *all, uint64_t *newest, uint64_t *epoch)
{
	struct muster_times times = {0};
	unsigned i = (unsigned)rand() % IDS, dice = (unsigned)rand() % 100;
	const struct uuid id = id_of(i);
	struct muster_node *n;

	if (dice < 3) {
		muster_remove(m, &id);
		all[i] = (struct naive){0};
		return;
	}
	if (dice < 10) {
		*epoch += dice == 4;
		muster_publish(m, *epoch, ++*newest);
		return;
	}
	n = muster_add(m, &id);
	assert_non_null(n);
	all[i].known = true;
	if (dice < 30) {
		all[i].online = rand() % 3 != 0;
		muster_online(m, n, all[i].online, &times);
	} else {
		all[i].applied = (uint64_t)rand() % (*newest + 1);
		all[i].epoch = rand() % 10 ? *epoch : *epoch - 1;
		if (rand() % 2)
			all[i].applied = *newest;
		muster_applied(m, n, all[i].epoch, all[i].applied, &times);
	}
}

static void test_counts(void **state)
{
	struct muster m = {0};
	struct naive all[IDS] = {{0}};
	uint64_t newest = 1, epoch = 1;

	(void)state;
	srand(4711);
	for (unsigned i = 0; i < STEPS; i++) {
		step(&m, all, &newest, &epoch);
		compare(&m, all, newest);
	}
	muster_done(&m);
}

static struct muster_node *live_node(struct muster *m, unsigned i, struct muster_times *times)
{
	const struct uuid id = id_of(i);
	struct muster_node *n = muster_add(m, &id);

	assert_non_null(n);
	muster_online(m, n, true, times);
	return n;
}

static void test_times(void **state)
{
	struct muster m = {0};
	struct muster_times times = {0};
	struct muster_node *a, *b;

	(void)state;
	clock_fake(1, 1000000, 1700000000000, "boot");
	a = live_node(&m, 1, &times);
	b = live_node(&m, 2, &times);
	muster_load(&m, 7, 10);
	muster_applied(&m, a, 7, 10, &times);
	muster_applied(&m, b, 7, 10, &times);
	assert_int_equal(times.count, 0);
	/* The commit counts, not the publication; only the last node ends it. */
	muster_touch(&m);
	clock_fake(1, 1000020, 1700000000020, "boot");
	muster_publish(&m, 7, 11);
	muster_applied(&m, a, 7, 11, &times);
	assert_int_equal(times.count, 0);
	assert_int_equal(muster_mark(&m, 11)->elapsed_ms, 0);
	clock_fake(1, 1000180, 1700000000180, "boot");
	muster_applied(&m, b, 7, 11, &times);
	assert_int_equal(times.count, 1);
	assert_int_equal(times.sum_ms, 180);
	assert_int_equal(muster_mark(&m, 11)->elapsed_ms, 180);
	/* 5, 10, 25, 50, 100, 250: the sixth. */
	assert_int_equal(times.n[5], 1);
	/* Two commits in one publication: the older one is carried by it too. */
	muster_publish(&m, 7, 13);
	assert_int_equal(muster_mark(&m, 12)->generation, 13);
	assert_null(muster_mark(&m, 14));
	assert_null(muster_mark(&m, 5));
	/* The last that lacks it goes away: all live ones have it. */
	muster_applied(&m, a, 7, 13, &times);
	muster_online(&m, b, false, &times);
	assert_int_equal(times.count, 2);
	/* What nobody was there for is no time of ours. */
	muster_online(&m, a, false, &times);
	muster_publish(&m, 7, 14);
	muster_online(&m, a, true, &times);
	muster_applied(&m, a, 7, 14, &times);
	assert_int_equal(times.count, 2);
	muster_done(&m);
	clock_fake(0, 0, 0, NULL);
}

static void test_lags(void **state)
{
	struct muster m = {0};
	struct muster_times times = {0};
	struct muster_node *n, *gone;
	struct lag lag;
	char words[LAG_WORDS_MAX];

	(void)state;
	clock_fake(1, 5000000, 1700000000000, "boot");
	muster_load(&m, 7, 10);
	n = live_node(&m, 1, &times);
	lag = muster_lag(&m, n, 10);
	assert_int_equal(lag.state, LAG_JOINING);
	n->reported_ms = 1700000000000;
	muster_applied(&m, n, 7, 10, &times);
	assert_int_equal(muster_lag(&m, n, 10).state, LAG_CURRENT);
	clock_fake(1, 5001000, 1700000001000, "boot");
	muster_publish(&m, 7, 11);
	clock_fake(1, 5001500, 1700000001500, "boot");
	muster_publish(&m, 7, 12);
	lag = muster_lag(&m, n, 12);
	assert_int_equal(lag.state, LAG_BEHIND);
	/* Since the first change that it lacks, not since the newest. */
	assert_int_equal(lag.since_ms, 1700000001000);
	assert_false(lag_is_told(&lag, 1700000001500));
	assert_true(lag_is_told(&lag, 1700000002000));
	/* With what it has it is current. */
	assert_int_equal(muster_lag(&m, n, 10).state, LAG_CURRENT);
	clock_fake(1, 5021500, 1700000021500, "boot");
	lag = muster_lag(&m, n, 12);
	assert_int_equal(lag.state, LAG_SILENT);
	assert_int_equal(lag.silent_s, 21);
	assert_non_null(strstr(lag_words(&lag, NULL, words), "for 21 s"));
	/* Of another epoch it has nothing. */
	muster_applied(&m, n, 6, 12, &times);
	assert_int_equal(muster_lag(&m, n, 12).state, LAG_BEHIND);
	muster_applied(&m, n, 7, 12, &times);
	n->failed = 2;
	n->failed_errno = 99;
	n->failed_since_ms = 1700000021500;
	lag = muster_lag(&m, n, 12);
	assert_int_equal(lag.state, LAG_REFUSED);
	assert_string_equal(lag_words(&lag, "phone", words),
			    "applied, 2 failed: its interface refuses phone and others (Cannot "
			    "assign requested address)");
	n->differs = true;
	assert_int_equal(muster_lag(&m, n, 12).state, LAG_DIFFERS);
	muster_online(&m, n, false, &times);
	lag = muster_lag(&m, n, 12);
	assert_int_equal(lag.state, LAG_OFFLINE);
	assert_int_equal(lag.since_ms, 1700000021500);
	/* Never seen since the start: nobody knows since when. */
	gone = muster_add(&m, &(struct uuid){{9}});
	assert_int_equal(muster_lag(&m, gone, 12).since_ms, 0);
	muster_done(&m);
	clock_fake(0, 0, 0, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_lags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
