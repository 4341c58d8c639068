/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The window of provisions beside a naive one that keeps times alone: 100,000
 * attempts of a few people, with restarts, reboots, pauses and a wall clock
 * that is set about. First on honest clocks, judged by time itself: never six
 * in any 60 s, never a refusal with room. Then on clocks that jump, judged by
 * the rule in words. QMESH_LONG=1 makes it a million.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/sign.h"
#include "server/cp/window.h"
#include "server/store/tenant_row.h"
#include "server/store/user_row.h"

enum { PEOPLE = 3, PERIOD_MS = 60000, LIMIT = 5, BATCH = 500, SEEN_MAX = 16 };

static char dir[] = "/tmp/qmesh-test-window-XXXXXX";
static char path[64];
static struct store *store;
static struct tenant_row tenant = {.name = "t", .plan = 4, .range4 = 0x0a400000, .next_node = 1};
static struct user_row people[PEOPLE];

/* --- the naive one --- */

struct naive {
	struct window_stamp seen[SEEN_MAX];
	size_t n;
};

/* By the rule: BOOTTIME within a boot, the wall across; from the future counts as now. */
static int64_t age_of(struct window_stamp *s, const struct window_stamp *now, bool *ret_moved)
{
	int64_t a;

	if (uuid_equal(&s->boot_id, &now->boot_id))
		return (int64_t)(now->boot_ms - s->boot_ms);
	a = now->wall_ms - s->wall_ms;
	if (a >= 0)
		return a;
	*s = *now;
	*ret_moved = true;
	return 0;
}

/* 0: let in; else ms until there is room: until fewer than LIMIT are younger than a period. */
static uint64_t naive_ask(struct naive *n, const struct window_stamp *now)
{
	int64_t ages[SEEN_MAX], wait = 0;
	struct naive copy = {.n = 0};
	bool moved = false;
	size_t young = 0;

	for (size_t i = 0; i < n->n; i++) {
		struct window_stamp s = n->seen[i];
		int64_t a = age_of(&s, now, &moved);

		if (a < PERIOD_MS) {
			copy.seen[copy.n++] = s;
			ages[young++] = a;
		}
	}
	for (size_t i = 0; i < young && young >= LIMIT; i++) {
		int64_t then = PERIOD_MS - ages[i];
		size_t left = 0;

		for (size_t j = 0; j < young; j++)
			left += ages[j] + then < PERIOD_MS;
		if (left < LIMIT && (!wait || then < wait))
			wait = then;
	}
	if (!wait)
		copy.seen[copy.n++] = *now;
	if (!wait || moved)
		*n = copy;
	return (uint64_t)wait;
}

/* --- the world --- */

struct world {
	uint64_t seed;
	uint8_t boot;
	uint64_t boot_ms, true_ms;
	int64_t wall_off; /* wall = true + this */
	bool jumps;
	uint64_t attempts, let_in, refused, reboots, restarts, set_about;
	struct naive naive[PEOPLE];
	uint64_t in_ms[PEOPLE][LIMIT]; /* true times of the last ones let in, a ring */
	uint64_t n_in[PEOPLE];
	char wrong[200];
};

static uint32_t roll(struct world *w, uint32_t below)
{
	w->seed = w->seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)((w->seed >> 33) % below);
}

static void pass(struct world *w, uint64_t ms)
{
	w->boot_ms += ms;
	w->true_ms += ms;
}

static void reboot(struct world *w)
{
	w->boot++;
	w->true_ms += roll(w, 40000);
	w->boot_ms = roll(w, 3000);
	w->reboots++;
}

static void go_on(struct world *w)
{
	uint32_t dice = roll(w, 1000);

	if (dice < 700)
		pass(w, roll(w, 3000));
	else if (dice < 900)
		pass(w, roll(w, 50));
	else if (dice < 960)
		pass(w, roll(w, 30000));
	else if (dice < 965)
		pass(w, 60000 + roll(w, 60000));
	else if (dice < 970)
		reboot(w);
	if (w->jumps && roll(w, 60) == 0) {
		w->wall_off += (int64_t)roll(w, 400000) - 200000;
		w->set_about++;
	}
	if (w->jumps && roll(w, 3000) == 0)
		w->wall_off += roll(w, 2) ? 86400000 : -86400000;
}

static struct window_stamp stamp_of(const struct world *w)
{
	struct window_stamp s = {.boot_ms = w->boot_ms,
				 .wall_ms = (int64_t)w->true_ms + w->wall_off};

	s.boot_id.b[0] = w->boot;
	s.boot_id.b[1] = 1;
	return s;
}

/* Honest clocks: what time itself says, whoever counted. */
static bool is_true(struct world *w, size_t who, bool let_in)
{
	uint64_t fifth = w->in_ms[who][w->n_in[who] % LIMIT];
	bool room = w->n_in[who] < LIMIT || w->true_ms - fifth >= PERIOD_MS;

	if (let_in)
		w->in_ms[who][w->n_in[who]++ % LIMIT] = w->true_ms;
	return w->jumps || room == let_in;
}

static int attempt(struct txn *txn, struct world *w)
{
	size_t who = roll(w, PEOPLE);
	struct window_ask ask = {.tenant = tenant.id,
				 .user = people[who].id,
				 .rule = {.limit = LIMIT, .period_ms = PERIOD_MS},
				 .now = stamp_of(w)};
	uint64_t wait = 0, naive;
	struct window window;
	int r = window_admit(txn, &ask, &window, &wait);

	if (r == ERR_RATE_LIMITED) {
		w->refused++;
		r = window_settle(txn, &ask, &window);
	} else {
		w->let_in++;
	}
	if (r)
		return r;
	naive = naive_ask(&w->naive[who], &ask.now);
	if (wait != naive)
		snprintf(w->wrong, sizeof(w->wrong), "attempt %llu: wait %llu ms, %llu by the rule",
			 (unsigned long long)w->attempts, (unsigned long long)wait,
			 (unsigned long long)naive);
	else if (!is_true(w, who, !wait))
		snprintf(w->wrong, sizeof(w->wrong), "attempt %llu: %s, against the time",
			 (unsigned long long)w->attempts, wait ? "refused" : "let in");
	w->attempts++;
	/* Exactly then there is room, and not a moment before. */
	if (wait && roll(w, 20) == 0)
		pass(w, wait - roll(w, 2));
	return 0;
}

static int many(struct txn *txn, void *ctx)
{
	struct world *w = ctx;
	int r = 0;

	for (int i = 0; !r && i < BATCH && !*w->wrong; i++) {
		go_on(w);
		r = attempt(txn, w);
	}
	return r;
}

static void restart(struct world *w)
{
	struct store_options options = {.path = path};

	store_close(store);
	store = NULL;
	assert_int_equal(store_open(&options, &store), 0);
	w->restarts++;
}

static void compare(bool jumps, uint64_t attempts)
{
	static struct world w;

	memset(&w, 0, sizeof(w));
	w.seed = jumps ? 77 : 7;
	w.boot = jumps ? 128 : 1;
	w.boot_ms = 5000;
	w.true_ms = jumps ? UINT64_C(1900000000000) : UINT64_C(1800000000000);
	w.jumps = jumps;
	while (w.attempts < attempts) {
		assert_int_equal(store_write(store, many, NULL, &w), 0);
		if (*w.wrong)
			fail_msg("%s", w.wrong);
		if (roll(&w, 3) == 0)
			restart(&w);
	}
	print_message("%llu attempts: %llu let in, %llu refused; %llu reboots, %llu restarts, wall "
		      "clock set %llu times\n",
		      (unsigned long long)w.attempts, (unsigned long long)w.let_in,
		      (unsigned long long)w.refused, (unsigned long long)w.reboots,
		      (unsigned long long)w.restarts, (unsigned long long)w.set_about);
	assert_true(w.let_in > attempts / 20 && w.refused > attempts / 20 && w.restarts);
}

static uint64_t full(void)
{
	return getenv("QMESH_LONG") ? 1000000 : 50000;
}

static void honest_clocks(void **state)
{
	(void)state;
	compare(false, full());
}

static void clocks_that_jump(void **state)
{
	(void)state;
	compare(true, full());
}

static int insert(struct txn *txn, void *ctx)
{
	int r = tenant_row_insert(txn, &tenant);

	(void)ctx;
	for (size_t i = 0; !r && i < PEOPLE; i++)
		r = user_row_insert(txn, &people[i]);
	return r;
}

static int clear(void **state)
{
	char command[160];

	(void)state;
	store_close(store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(honest_clocks),
		cmocka_unit_test(clocks_that_jump),
	};
	struct store_options options = {.path = path};

	if (sign_init() || !mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/s.db", dir);
	tenant.id = uuid_make();
	for (size_t i = 0; i < PEOPLE; i++) {
		people[i] = (struct user_row){.tenant = tenant.id, .id = uuid_make(), .role = 1};
		snprintf(people[i].name, sizeof(people[i].name), "p%zu", i);
	}
	if (store_open(&options, &store) || store_write(store, insert, NULL, NULL))
		return 1;
	return cmocka_run_group_tests_name("window model", tests, NULL, clear);
}
