/* SPDX-License-Identifier: Apache-2.0 */
/* Keys, holds and the sliding minute. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "server/rpc/rate.h"

static void keys(void **state)
{
	struct rate_key a = rate_key_text("2001:db8:1:2::1"),
			b = rate_key_text("2001:db8:1:2:ffff::9");
	struct rate_key c = rate_key_text("2001:db8:1:3::1"), d = rate_key_text("192.0.2.1");
	struct rate_key e = rate_key_text("::ffff:192.0.2.1"), f = rate_key_text("unix:0");

	(void)state;
	assert_memory_equal(&a, &b, sizeof(a)); /* one /64 */
	assert_memory_not_equal(&a, &c, sizeof(a));
	assert_memory_equal(&d, &e, sizeof(a));
	assert_memory_not_equal(&d, &f, sizeof(a));
}

static void holds(void **state)
{
	_cleanup_(rate_freep) struct rate *r = rate_new(64);
	struct rate_key k = rate_key_text("192.0.2.1"), other = rate_key_text("192.0.2.2");

	(void)state;
	for (int i = 0; i < 3; i++)
		assert_true(rate_hold(r, &k, 3));
	assert_false(rate_hold(r, &k, 3));
	assert_true(rate_hold(r, &other, 3));
	rate_drop(r, &k);
	assert_true(rate_hold(r, &k, 3));
	/* A flood of keys never throws out one that holds. */
	for (int i = 0; i < 10000; i++) {
		char text[32];

		snprintf(text, sizeof(text), "user-%d", i);
		struct rate_key flood = rate_key_text(text);

		rate_hit(r, &flood, 1000);
	}
	assert_false(rate_hold(r, &k, 3));
}

static void sliding_minute(void **state)
{
	_cleanup_(rate_freep) struct rate *r = rate_new(64);
	struct rate_key k = rate_key_text("someone");

	(void)state;
	for (int i = 0; i < 300; i++) {
		assert_int_equal(rate_wait(r, &k, 300, 59000), 0);
		rate_hit(r, &k, 59000);
	}
	assert_true(rate_wait(r, &k, 300, 59999) > 0);
	assert_true(rate_wait(r, &k, 300, 60000) > 0); /* a new minute forgives nothing at once */
	assert_int_equal(rate_wait(r, &k, 300, 61000), 0);
	assert_true(rate_wait(r, &k, 200, 70000) > 0);
	assert_int_equal(rate_wait(r, &k, 1, 180001), 0);
}

/* The rule in words, beside any history: the wait told is the very moment. */
static void the_wait_is_exact(void **state)
{
	uint64_t now = 600000, seed = 3, waits = 0;
	_cleanup_(rate_freep) struct rate *r = rate_new(64);
	struct rate_key k = rate_key_text("someone");

	(void)state;
	for (int i = 0; i < 100000; i++) {
		uint64_t wait;

		seed = seed * 6364136223846793005u + 1442695040888963407u;
		now += (seed >> 33) % ((seed >> 40) % 400 ? 220 : 40000);
		wait = rate_wait(r, &k, 300, now);
		rate_hit(r, &k, now);
		if (!wait)
			continue;
		waits++;
		assert_true(wait <= 120000);
		if ((seed >> 50) % 64)
			continue;
		assert_true(rate_wait(r, &k, 300, now + wait - 1) > 0);
		assert_int_equal(rate_wait(r, &k, 300, now + wait), 0);
		now += wait;
	}
	assert_true(waits > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(holds),
		cmocka_unit_test(sliding_minute),
		cmocka_unit_test(the_wait_is_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
