/* SPDX-License-Identifier: Apache-2.0 */
/* Requests on their way out: order, fullness, another try, compression. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/frame.h"
#include "base/gzip.h"
#include "client/outbox.h"

static size_t take(struct outbox *o, void *to, size_t most, bool *ret_last)
{
	size_t n = outbox_ready(o, most, ret_last);

	outbox_take(o, to, n);
	return n;
}

static void test_order(void **state)
{
	struct outbox o;
	uint8_t bytes[64];
	bool last;

	(void)state;
	outbox_init(&o, false);
	assert_int_equal(outbox_ready(&o, 64, &last), 0);
	assert_false(last);
	assert_int_equal(outbox_add(&o, "one", 3), 0);
	assert_int_equal(outbox_add(&o, NULL, 0), 0);
	assert_int_equal(outbox_add(&o, NULL, 1), -EINVAL);
	assert_int_equal(take(&o, bytes, 4, &last), 4);
	assert_int_equal(take(&o, bytes + 4, 60, &last), 9);
	assert_memory_equal(bytes, "\0\0\0\0\3one\0\0\0\0\0", 13);
	assert_false(last);
	assert_false(outbox_is_over(&o));
	outbox_end(&o);
	assert_true(outbox_is_over(&o));
	assert_int_equal(outbox_ready(&o, 64, &last), 0);
	assert_true(last);
	assert_int_equal(outbox_add(&o, "two", 3), -EPIPE);
	outbox_done(&o);
}

static void test_full(void **state)
{
	static uint8_t block[OUTBOX_FULL];
	struct outbox o;
	bool last;

	(void)state;
	outbox_init(&o, false);
	assert_int_equal(outbox_add(&o, block, sizeof(block)), 0);
	assert_int_equal(outbox_add(&o, "x", 1), -EAGAIN);
	assert_int_equal(outbox_ready(&o, 1000, &last), 1000);
	assert_false(outbox_take(&o, block, 1000));
	/* Told once, when half of it is gone. */
	assert_true(outbox_take(&o, block, OUTBOX_FULL / 2));
	assert_false(outbox_take(&o, block, 1000));
	assert_int_equal(outbox_add(&o, "x", 1), 0);
	outbox_done(&o);
}

static void test_again(void **state)
{
	static uint8_t block[OUTBOX_KEPT_MAX];
	uint8_t bytes[64];
	struct outbox o;
	bool last;

	(void)state;
	outbox_init(&o, false);
	assert_int_equal(outbox_add(&o, "one", 3), 0);
	assert_int_equal(outbox_add(&o, "two", 3), 0);
	assert_int_equal(take(&o, bytes, 12, &last), 12);
	assert_true(outbox_rewind(&o));
	assert_int_equal(take(&o, bytes, 64, &last), 16);
	assert_memory_equal(bytes, "\0\0\0\0\3one\0\0\0\0\3two", 16);
	/* Once the answer has begun, what was sent is gone. */
	outbox_commit(&o);
	assert_false(outbox_rewind(&o));
	outbox_done(&o);

	/* One request is kept whatever its size; of a stream no more than the bound. */
	outbox_init(&o, false);
	assert_int_equal(outbox_add(&o, block, sizeof(block)), 0);
	while (take(&o, block, sizeof(block), &last) > 0)
		;
	assert_true(outbox_rewind(&o));
	while (take(&o, block, sizeof(block), &last) > 0)
		;
	assert_int_equal(outbox_add(&o, block, sizeof(block)), 0);
	while (take(&o, block, sizeof(block), &last) > 0)
		;
	assert_false(outbox_rewind(&o));
	outbox_done(&o);
}

static void test_gzip(void **state)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(1000);
	char large[1000];
	uint8_t bytes[1100];
	struct outbox o;
	bool last;
	size_t n;

	(void)state;
	memset(large, 'x', sizeof(large));
	outbox_init(&o, true);
	assert_int_equal(outbox_add(&o, large, sizeof(large)), 0);
	n = take(&o, bytes, sizeof(bytes), &last);
	assert_true(n < 100);
	assert_int_equal(bytes[0], 1);
	assert_int_equal(gzip_inflate(bytes + FRAME_HEAD_LEN, n - FRAME_HEAD_LEN, &out), 0);
	assert_int_equal(out.len, sizeof(large));
	assert_memory_equal(out.s, large, sizeof(large));
	/* What would only grow goes as it is. */
	assert_int_equal(outbox_add(&o, "ab", 2), 0);
	assert_int_equal(take(&o, bytes, sizeof(bytes), &last), 7);
	assert_memory_equal(bytes, "\0\0\0\0\2ab", 7);
	outbox_done(&o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
