/* SPDX-License-Identifier: Apache-2.0 */
/* Bytes come out as they went in, whatever the sizes; frames are shared, not copied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/limits.h"
#include "server/rpc/outq.h"

static void order_and_sizes(void **state)
{
	static uint8_t in[200000], out[200000];
	_cleanup_(frame_unrefp) struct frame *f = frame_new(5000);
	struct outq q = {.secret = true};
	size_t given = 0, taken = 0;
	uint32_t seed = 3;

	(void)state;
	memset(f->bytes + FRAME_HEAD_LEN, 0xee, 5000);
	while (given < 150000) {
		seed = seed * 1664525 + 1013904223;
		size_t n = (seed >> 8) % 3000;

		if (seed >> 29 == 0) {
			assert_int_equal(outq_add_frame(&q, f), 0);
			memcpy(in + given, f->bytes, f->len);
			given += f->len;
		} else {
			memset(in + given, (int)(seed >> 16), n);
			assert_int_equal(outq_add(&q, in + given, n), 0);
			given += n;
		}
		if (seed >> 30 == 1)
			taken += outq_take(&q, out + taken, (seed >> 4) % 5000);
		assert_int_equal(q.len, given - taken);
	}
	taken += outq_take(&q, out + taken, sizeof(out) - taken);
	assert_int_equal(taken, given);
	assert_memory_equal(in, out, given);
	assert_int_equal(f->refs, 1);
	assert_int_equal(outq_add_frame(&q, f), 0);
	assert_int_equal(f->refs, 2);
	outq_drop(&q);
	assert_int_equal(f->refs, 1);
	assert_int_equal(q.len, 0);
}

static void too_slow(void **state)
{
	static uint8_t bytes[LIMIT_QUEUE_BYTES];
	struct outq q = {.secret = false};

	(void)state;
	assert_int_equal(outq_add(&q, bytes, sizeof(bytes)), 0);
	assert_false(outq_is_stuck(&q, 1000));
	assert_false(outq_is_stuck(&q, 1000 + 10 * LIMIT_QUEUE_MS));
	assert_int_equal(outq_add(&q, bytes, 1), 0);
	assert_false(outq_is_stuck(&q, 5000));
	assert_false(outq_is_stuck(&q, 5000 + LIMIT_QUEUE_MS));
	assert_true(outq_is_stuck(&q, 5001 + LIMIT_QUEUE_MS));
	/* Below it once, and the time starts anew. */
	assert_int_equal(outq_take(&q, bytes, 10), 10);
	assert_false(outq_is_stuck(&q, 9000 + LIMIT_QUEUE_MS));
	assert_int_equal(outq_add(&q, bytes, 10), 0);
	assert_false(outq_is_stuck(&q, 9500 + LIMIT_QUEUE_MS));
	outq_drop(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(order_and_sizes),
		cmocka_unit_test(too_slow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
