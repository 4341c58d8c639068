/* SPDX-License-Identifier: Apache-2.0 */
/* The phone's frame reader, fed in pieces of every size. */
#include "client/mobile/qmn_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t three[] = {0, 0, 0, 0, 2, 'a', 'b', 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 'c'};

static void test_pieces(void **state)
{
	static const size_t wanted[] = {7, 5, 6};
	uint8_t buf[20];

	(void)state;
	for (size_t piece = 1; piece <= sizeof(three); piece++) {
		struct qmn_reader r;
		const uint8_t *p;
		size_t len, found = 0;

		qmn_reader_init(&r, buf, sizeof(buf));
		for (size_t at = 0; at < sizeof(three); at += piece) {
			size_t n = sizeof(three) - at < piece ? sizeof(three) - at : piece;

			assert_true(qmn_reader_push(&r, three + at, n));
			while (qmn_reader_next(&r, &p, &len) == 1) {
				assert_true(found < 3);
				assert_int_equal(len, wanted[found]);
				if (found == 0)
					assert_memory_equal(p + 5, "ab", 2);
				found++;
			}
		}
		assert_int_equal(found, 3);
		assert_true(qmn_reader_is_clean(&r));
	}
}

static void test_limits(void **state)
{
	uint8_t buf[6];
	struct qmn_reader r;
	const uint8_t *p;
	size_t len;

	(void)state;
	qmn_reader_init(&r, buf, sizeof(buf));
	assert_false(qmn_reader_push(&r, three, 7));
	assert_true(qmn_reader_push(&r, three, 6));
	assert_false(qmn_reader_is_clean(&r));
	/* Announces more than ever fits. */
	assert_int_equal(qmn_reader_next(&r, &p, &len), -1);
	qmn_reader_done(&r);
	for (size_t i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], 0);
	assert_int_equal(qmn_reader_next(&r, &p, &len), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
