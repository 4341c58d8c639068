/* SPDX-License-Identifier: Apache-2.0 */
/* Messages cut out of a byte stream, however it arrives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/frame.h"

static size_t put(uint8_t *to, uint8_t flag, uint32_t len, uint8_t fill)
{
	frame_head(to, flag, len);
	memset(to + FRAME_HEAD_LEN, fill, len);
	return FRAME_HEAD_LEN + len;
}

static void head_is_big_endian(void **state)
{
	uint8_t head[FRAME_HEAD_LEN];

	(void)state;
	frame_head(head, 1, 0x01020304);
	assert_memory_equal(head, "\x01\x01\x02\x03\x04", 5);
}

/* The same three messages in pieces of every size. */
static void pieces_of_every_size(void **state)
{
	uint8_t stream[600];
	size_t len = 0;

	(void)state;
	len += put(stream + len, 0, 0, 0);
	len += put(stream + len, 1, 3, 'a');
	len += put(stream + len, 0, 500, 'b');
	for (size_t piece = 1; piece <= len; piece++) {
		struct frame_reader r;
		size_t want[] = {0, 3, 500}, n = 0;

		frame_reader_init(&r, 500);
		for (size_t at = 0; at < len; at += piece) {
			const uint8_t *p;
			size_t got;
			uint8_t flag;

			assert_int_equal(frame_reader_add(&r, stream + at,
							  piece < len - at ? piece : len - at),
					 0);
			while (frame_reader_next(&r, &flag, &p, &got) == 1) {
				assert_true(n < 3);
				assert_int_equal(got, want[n]);
				assert_int_equal(flag, n == 1);
				for (size_t i = 0; i < got; i++)
					assert_int_equal(p[i], n == 1 ? 'a' : 'b');
				n++;
			}
		}
		assert_int_equal(n, 3);
		assert_int_equal(frame_reader_rest(&r), 0);
		frame_reader_done(&r);
	}
}

static void too_large_is_known_from_the_head(void **state)
{
	struct frame_reader r;
	uint8_t head[FRAME_HEAD_LEN], flag;
	const uint8_t *p;
	size_t len;

	(void)state;
	frame_reader_init(&r, 100);
	frame_head(head, 0, 101);
	assert_int_equal(frame_reader_add(&r, head, 4), 0);
	assert_int_equal(frame_reader_next(&r, &flag, &p, &len), 0);
	assert_int_equal(frame_reader_add(&r, head + 4, 1), 0);
	assert_int_equal(frame_reader_next(&r, &flag, &p, &len), -EMSGSIZE);
	assert_int_equal(frame_reader_rest(&r), 5);
	frame_reader_done(&r);
	frame_head(head, 0, UINT32_MAX);
	assert_int_equal(frame_reader_add(&r, head, 5), 0);
	assert_int_equal(frame_reader_next(&r, &flag, &p, &len), -EMSGSIZE);
	frame_reader_done(&r);
	frame_reader_done(&r);
}

static void the_buffer_stays_small(void **state)
{
	struct frame_reader r;
	uint8_t message[1005], flag;
	const uint8_t *p;
	size_t len;

	(void)state;
	put(message, 0, 1000, 'x');
	frame_reader_init(&r, 1000);
	for (int i = 0; i < 10000; i++) {
		/* A head of the next one is always waiting. */
		assert_int_equal(frame_reader_add(&r, message, i ? 1005 : 1000), 0);
		if (i == 0)
			assert_int_equal(frame_reader_add(&r, message + 1000, 5), 0);
		assert_int_equal(frame_reader_next(&r, &flag, &p, &len), 1);
	}
	assert_true(r.cap <= 4096);
	frame_reader_done(&r);
}

static void shared_frame(void **state)
{
	struct frame *f = frame_new(300);

	(void)state;
	assert_non_null(f);
	assert_int_equal(f->len, 305);
	assert_memory_equal(f->bytes, "\x00\x00\x00\x01\x2c", 5);
	memset(f->bytes + FRAME_HEAD_LEN, 7, 300);
	assert_ptr_equal(frame_ref(f), f);
	frame_unref(f);
	assert_int_equal(f->bytes[304], 7);
	f->secret = true;
	frame_unref(f);
	frame_unref(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_is_big_endian),
		cmocka_unit_test(pieces_of_every_size),
		cmocka_unit_test(too_large_is_known_from_the_head),
		cmocka_unit_test(the_buffer_stays_small),
		cmocka_unit_test(shared_frame),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
