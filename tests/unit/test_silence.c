/* SPDX-License-Identifier: Apache-2.0 */
/* A stream that brings less than the answers to reports tell. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/node/silence.h"

static struct silence_at at(uint64_t epoch, uint64_t generation)
{
	return (struct silence_at){.epoch = epoch, .generation = generation};
}

static void test_sound(void **state)
{
	struct silence s = {0};

	(void)state;
	assert_int_equal(silence_note(&s, at(1, 5), at(1, 5), at(1, 5), 100), SILENCE_NONE);
	/* The stream was faster than the answer. */
	assert_int_equal(silence_note(&s, at(1, 5), at(1, 6), at(1, 9), 200), SILENCE_NONE);
	assert_int_equal(silence_note(&s, at(1, 5), at(2, 6), at(2, 6), 300), SILENCE_NONE);
	assert_int_equal(s.since_ms, 0);
}

/* Changes without end: the node is never at the newest one when it asks, and is well. */
static void test_busy(void **state)
{
	struct silence s = {0};

	(void)state;
	for (uint64_t i = 1; i < 10000; i++)
		assert_int_not_equal(silence_note(&s, at(1, 10 * i), at(1, 10 * i + 60),
						  at(1, 10 * i + 20), 100 + i * 100),
				     SILENCE_BROKEN);
}

static void test_silent(void **state)
{
	struct silence s = {0};
	uint64_t now = 1000;

	(void)state;
	assert_int_equal(silence_note(&s, at(1, 5), at(1, 6), at(1, 5), now), SILENCE_WATCH);
	now += SILENCE_MS - 1;
	/* More news that does not come changes nothing. */
	assert_int_equal(silence_note(&s, at(1, 5), at(1, 7), at(1, 5), now), SILENCE_OWES);
	assert_int_equal(silence_note(&s, at(1, 5), at(1, 8), at(1, 5), now + 1), SILENCE_BROKEN);
	/* It was asked for all: that gets its time. */
	assert_int_equal(silence_note(&s, at(1, 5), at(1, 8), at(1, 5), now + 2), SILENCE_WATCH);
	assert_int_equal(silence_note(&s, at(1, 8), at(1, 8), at(1, 8), now + 3), SILENCE_NONE);
	/* A new epoch of which nothing comes. */
	assert_int_equal(silence_note(&s, at(1, 8), at(2, 1), at(1, 8), now + 4), SILENCE_WATCH);
	assert_int_equal(silence_note(&s, at(1, 8), at(2, 1), at(1, 8), now + 4 + SILENCE_MS),
			 SILENCE_BROKEN);
}

static void test_went_back(void **state)
{
	struct silence s = {0};
	uint64_t now = 1000;

	(void)state;
	assert_int_equal(silence_note(&s, at(1, 9), at(1, 5), at(1, 9), now), SILENCE_WATCH);
	assert_int_equal(silence_note(&s, at(1, 9), at(1, 6), at(1, 9), now + SILENCE_MS),
			 SILENCE_BROKEN);
	/* Back first, then ahead: two matters. */
	assert_int_equal(silence_note(&s, at(1, 9), at(1, 5), at(1, 9), now), SILENCE_WATCH);
	assert_int_equal(silence_note(&s, at(1, 9), at(2, 5), at(1, 9), now + SILENCE_MS),
			 SILENCE_WATCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sound),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_went_back),
	};

	return cmocka_run_group_tests_name("silence", tests, NULL, NULL);
}
