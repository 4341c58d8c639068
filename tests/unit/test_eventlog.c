/* SPDX-License-Identifier: Apache-2.0 */
/* eventlog.c: what is kept, what is dropped, and where a list goes on from. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "server/cp/eventlog.h"

static void add(struct eventlog *l, uint64_t from, uint64_t to, size_t len)
{
	struct frame *frame = frame_new(len);

	assert_non_null(frame);
	eventlog_add(l, from, to, frame);
	frame_unref(frame);
}

static void test_find(void **state)
{
	struct eventlog l = {0};
	size_t at = 99;

	(void)state;
	assert_false(eventlog_find(&l, 0, &at));
	assert_false(eventlog_find(&l, 5, &at));
	add(&l, 5, 6, 10);
	add(&l, 6, 9, 10); /* a batch */
	add(&l, 9, 10, 10);
	assert_false(eventlog_find(&l, 4, &at));
	assert_true(eventlog_find(&l, 5, &at));
	assert_int_equal(at, 0);
	assert_true(eventlog_find(&l, 6, &at));
	assert_int_equal(at, 1);
	/* In the middle of a batch: the whole batch, records are whole. */
	assert_true(eventlog_find(&l, 8, &at));
	assert_int_equal(at, 1);
	assert_true(eventlog_find(&l, 9, &at));
	assert_int_equal(at, 2);
	assert_true(eventlog_find(&l, 10, &at));
	assert_int_equal(at, 3);
	assert_int_equal(eventlog_at(&l, 2)->to, 10);
	/* One that does not follow: what was before leads nowhere. */
	add(&l, 12, 13, 10);
	assert_int_equal(l.n, 1);
	assert_false(eventlog_find(&l, 10, &at));
	assert_true(eventlog_find(&l, 12, &at));
	eventlog_done(&l);
	assert_int_equal(l.bytes, 0);
}

static void test_bounds(void **state)
{
	struct eventlog l = {0};
	size_t at;

	(void)state;
	for (uint64_t g = 1; g <= 3 * LIMIT_EVENT_LOG; g++)
		add(&l, g, g + 1, 10);
	assert_int_equal(l.n, LIMIT_EVENT_LOG);
	assert_false(eventlog_find(&l, 2 * LIMIT_EVENT_LOG, &at));
	assert_true(eventlog_find(&l, 2 * LIMIT_EVENT_LOG + 1, &at));
	assert_int_equal(at, 0);
	for (size_t i = 0; i < l.n; i++)
		assert_int_equal(eventlog_at(&l, i)->from, 2 * LIMIT_EVENT_LOG + 1 + i);
	eventlog_done(&l);

	for (uint64_t g = 1; g <= 20; g++) {
		add(&l, g, g + 1, LIMIT_EVENT_LOG_BYTES / 4);
		assert_true(l.bytes <= LIMIT_EVENT_LOG_BYTES);
		assert_true(l.n >= 1);
	}
	assert_int_equal(l.n, 3); /* each has its head too */
	assert_true(eventlog_find(&l, 18, &at));
	/* One that alone is too large takes nobody's place and leads nowhere. */
	add(&l, 21, 22, LIMIT_EVENT_LOG_BYTES);
	assert_int_equal(l.n, 0);
	add(&l, 22, 23, 10);
	assert_true(eventlog_find(&l, 22, &at));
	assert_false(eventlog_find(&l, 21, &at));
	eventlog_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests_name("eventlog", tests, NULL, NULL);
}
