/* SPDX-License-Identifier: Apache-2.0 */
/* Buckets and header limits, with a clock of one's own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/limits.h"
#include "server/rpc/guard.h"

#define FIRST_(a, b) a
#define SECOND_(a, b) b
#define BURST(limit) FIRST_ limit
#define PER_S(limit) SECOND_ limit

static struct guard guard;

static int setup(void **state)
{
	(void)state;
	guard_init(&guard, 1000);
	return 0;
}

static const char *frame(uint8_t type, uint8_t flags, const void *payload, uint32_t len,
			 uint64_t now_ms)
{
	struct h2frame f = {.type = type, .flags = flags, .len = len, .stream = 1};

	return guard_frame(&guard, &f, payload, now_ms);
}

static unsigned passed(uint8_t type, uint64_t now_ms)
{
	unsigned n = 0;

	while (n < 100000 && !frame(type, 0, "", 0, now_ms))
		n++;
	return n;
}

static unsigned counted(enum guard_event event, uint64_t now_ms)
{
	unsigned n = 0;

	while (n < 100000 && !guard_count(&guard, event, now_ms))
		n++;
	return n;
}

static void bursts_and_refill(void **state)
{
	(void)state;
	assert_int_equal(counted(GUARD_RESET, 1000), BURST((LIMIT_RATE(RESETS))));
	assert_int_equal(counted(GUARD_RESET, 2000), PER_S((LIMIT_RATE(RESETS))));
	assert_int_equal(counted(GUARD_RESET, 1000000), BURST((LIMIT_RATE(RESETS))));
	assert_int_equal(counted(GUARD_RESET, 999999), 0); /* time that goes back gives nothing */
	guard_answered(&guard);
	assert_int_equal(counted(GUARD_RESET, 999999), 1);
	assert_int_equal(passed(H2_PING, 1000), BURST((LIMIT_RATE(PINGS))));
	assert_int_equal(passed(H2_SETTINGS, 1000), BURST((LIMIT_RATE(SETTINGS))));
	assert_int_equal(passed(H2_PRIORITY, 1000), BURST((LIMIT_RATE(PRIORITIES))));
	assert_int_equal(passed(H2_DATA, 1000), BURST((LIMIT_RATE(EMPTY_DATA))));
	assert_int_equal(passed(0x77, 1000), BURST((LIMIT_RATE(UNKNOWN_FRAMES))));
}

static void honest_frames_are_free(void **state)
{
	(void)state;
	for (int i = 0; i < 100000; i++) {
		assert_null(frame(H2_DATA, H2_END_STREAM, "", 0, 1000));
		assert_null(frame(H2_DATA, 0, "x", 1, 1000));
	}
}

static void windows_are_earned(void **state)
{
	(void)state;
	assert_int_equal(passed(H2_WINDOW_UPDATE, 1000), BURST((LIMIT_RATE(WINDOW_UPDATES))));
	guard_earn(&guard, 7);
	assert_int_equal(passed(H2_WINDOW_UPDATE, 1000), 7);
	guard_earn(&guard, 1000000);
	assert_int_equal(passed(H2_WINDOW_UPDATE, 1000), BURST((LIMIT_RATE(WINDOW_UPDATES))));
}

static void header_blocks(void **state)
{
	uint8_t fields[2 * LIMIT_FIELDS + 1], big[LIMIT_HEAD_BYTES];

	(void)state;
	memset(fields, 0x82, sizeof(fields));
	memset(big, 0, sizeof(big));
	assert_null(frame(H2_HEADERS, H2_END_HEADERS, fields, LIMIT_FIELDS, 1000));
	assert_false(guard_head_too_large(&guard));
	/* A little over: decoded and refused. Over twice as many: the connection's end. */
	assert_null(frame(H2_HEADERS, H2_END_HEADERS, fields, LIMIT_FIELDS + 1, 1000));
	assert_true(guard_head_too_large(&guard));
	assert_null(frame(H2_HEADERS, H2_END_HEADERS, fields, 2 * LIMIT_FIELDS, 1000));
	assert_non_null(frame(H2_HEADERS, H2_END_HEADERS, fields, 2 * LIMIT_FIELDS + 1, 1000));
	/* one literal: name "a", the value fills the rest */
	memcpy(big,
	       "\x00\x01"
	       "a\x7f\xfb\x7e",
	       6);
	assert_null(frame(H2_HEADERS, 0, big, 16000, 1000));
	assert_null(frame(H2_CONTINUATION, 0, big, LIMIT_HEAD_BYTES - 16000, 1000));
	assert_false(guard_head_too_large(&guard));
	assert_null(frame(H2_CONTINUATION, 0, big, 16000, 1000));
	assert_true(guard_head_too_large(&guard));
	assert_null(frame(H2_CONTINUATION, 0, big, LIMIT_HEAD_BYTES - 16000, 1000));
	assert_non_null(frame(H2_CONTINUATION, H2_END_HEADERS, big, 1, 1000));
	assert_null(frame(H2_HEADERS, 0, fields, 10, 1000));
	for (int i = 0; i < LIMIT_CONTINUATIONS; i++)
		assert_null(frame(H2_CONTINUATION, 0, fields, 1, 1000));
	assert_non_null(frame(H2_CONTINUATION, 0, fields, 1, 1000));
	assert_null(frame(H2_HEADERS, 0, fields, 10, 1000));
	assert_non_null(frame(H2_CONTINUATION, 0, "", 0, 1000));
}

/* A client that receives fast asks once per round trip, far more often than pings refill. */
static void probes_are_earned(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 10 * LIMIT_PINGS_AT_ONCE; i++) {
		guard_sent(&guard);
		assert_null(frame(H2_PING, 0, "12345678", 8, 1000));
		assert_null(guard_ping(&guard, true, 1000));
	}
	/* Earned are no more than there were at first. */
	for (unsigned i = 0; i < 10 * LIMIT_PINGS_AT_ONCE; i++)
		guard_sent(&guard);
	for (unsigned i = 0; i < LIMIT_PINGS_AT_ONCE; i++)
		assert_null(frame(H2_PING, 0, "12345678", 8, 1000));
	assert_string_equal(frame(H2_PING, 0, "12345678", 8, 1000), "too_many_pings");
}

/* gRFC A8: two strikes; the interval depends on streams; what we send forgives. */
static void keepalive(void **state)
{
	(void)state;
	guard_init(&guard, 0);
	for (uint64_t t = 1; t < 100; t++)
		assert_null(guard_ping(&guard, true, t * LIMIT_PING_EVERY_MS));
	guard_init(&guard, 0);
	for (uint64_t t = 1; t < 100; t++)
		assert_null(guard_ping(&guard, false, t * LIMIT_PING_IDLE_EVERY_MS));
	guard_init(&guard, 0);
	for (unsigned i = 0; i <= LIMIT_PING_STRIKES; i++)
		assert_null(guard_ping(&guard, false, 1 + i * LIMIT_PING_EVERY_MS));
	assert_string_equal(guard_ping(&guard, false, 4 * LIMIT_PING_EVERY_MS), "too_many_pings");
	guard_sent(&guard);
	for (unsigned i = 0; i <= LIMIT_PING_STRIKES; i++)
		assert_null(guard_ping(&guard, true, 1000000));
	assert_string_equal(guard_ping(&guard, true, 1000000), "too_many_pings");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(bursts_and_refill, setup),
		cmocka_unit_test_setup(honest_frames_are_free, setup),
		cmocka_unit_test_setup(windows_are_earned, setup),
		cmocka_unit_test_setup(header_blocks, setup),
		cmocka_unit_test_setup(probes_are_earned, setup),
		cmocka_unit_test(keepalive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
