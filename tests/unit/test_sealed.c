/* SPDX-License-Identifier: Apache-2.0 */
/* Sealed files: what goes in comes out, for one key, whole, and nothing else does. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "base/sealed.h"
#include "base/sign.h"

enum { MADE_MS = 1700000123, ROOM = 3 * SEALED_CHUNK_ROOM + SEALED_HEAD_LEN };

static struct key private, public;
static uint8_t plain[2 * SEALED_CHUNK_LEN + 5], file[ROOM];

static int set_up(void **state)
{
	(void)state;
	if (sign_init())
		return -1;
	key_make(&private, &public);
	sign_random(plain, sizeof(plain));
	return 0;
}

/* The first len bytes of plain, sealed into file. */
static size_t seal(size_t len)
{
	struct sealed_writer w;
	size_t at = SEALED_HEAD_LEN, done = 0, n, out;

	assert_int_equal(sealed_begin(&w, &public, MADE_MS, file), 0);
	do {
		n = len - done < SEALED_CHUNK_LEN ? len - done : SEALED_CHUNK_LEN;
		assert_int_equal(sealed_add(&w, plain + done, n, done + n == len, file + at, &out),
				 0);
		done += n;
		at += out;
	} while (done < len);
	sealed_done(&w);
	return at;
}

static void comes_out_as_it_went_in(void **state)
{
	static const size_t lens[] = {
		0, 1, SEALED_CHUNK_LEN - 1, SEALED_CHUNK_LEN, SEALED_CHUNK_LEN + 1, sizeof(plain)};
	struct sealed_head head;
	uint8_t *got;
	size_t len, got_len;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		len = seal(lens[i]);
		assert_int_equal(sealed_peek(file, len, &head), 0);
		assert_int_equal(head.version, SEALED_VERSION);
		assert_int_equal(head.kind, SEALED_BACKUP);
		assert_int_equal(head.made_ms, MADE_MS);
		assert_int_equal(sealed_open(file, len, &private, &got, &got_len), 0);
		assert_int_equal(got_len, lens[i]);
		assert_memory_equal(got, plain, got_len);
		sealed_free(got, got_len);
	}
}

/* Every byte of the file counts; none may be changed, taken away or added. */
static void every_byte_counts(void **state)
{
	size_t len, got_len;
	uint8_t *got;
	int r;

	(void)state;
	len = seal(100);
	for (size_t i = 0; i < len; i++) {
		file[i] ^= 1;
		r = sealed_open(file, len, &private, &got, &got_len);
		assert_true(r >= SEALED_NOT_OURS && r <= SEALED_CUT);
		file[i] ^= 1;
		r = sealed_open(file, i, &private, &got, &got_len);
		assert_true(r == SEALED_CUT || (i < 8 && r == SEALED_NOT_OURS));
	}
	assert_int_equal(sealed_open(file, len + 1, &private, &got, &got_len), SEALED_DAMAGED);
}

static void chunks_keep_their_order(void **state)
{
	const size_t one = 4 + SEALED_CHUNK_LEN + KEY_STREAM_OVERHEAD;
	static uint8_t other[ROOM];
	size_t len, got_len;
	uint8_t *got;

	(void)state;
	len = seal(sizeof(plain));
	memcpy(other, file, len);
	memcpy(other + SEALED_HEAD_LEN, file + SEALED_HEAD_LEN + one, one);
	memcpy(other + SEALED_HEAD_LEN + one, file + SEALED_HEAD_LEN, one);
	assert_int_equal(sealed_open(other, len, &private, &got, &got_len), SEALED_DAMAGED);
	/* One left out of the middle. */
	memcpy(other, file, len);
	memmove(other + SEALED_HEAD_LEN, file + SEALED_HEAD_LEN + one, len - SEALED_HEAD_LEN - one);
	assert_int_equal(sealed_open(other, len - one, &private, &got, &got_len), SEALED_DAMAGED);
	/* The end left out, at the border of a chunk. */
	assert_int_equal(sealed_open(file, SEALED_HEAD_LEN + 2 * one, &private, &got, &got_len),
			 SEALED_CUT);
}

static void for_one_key_only(void **state)
{
	struct key other_private, other_public;
	size_t len, got_len;
	uint8_t *got;

	(void)state;
	key_make(&other_private, &other_public);
	len = seal(10);
	assert_int_equal(sealed_open(file, len, &other_private, &got, &got_len), SEALED_OTHER_KEY);
	file[9]++;
	assert_int_equal(sealed_open(file, len, &private, &got, &got_len), SEALED_NEWER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(comes_out_as_it_went_in),
		cmocka_unit_test(every_byte_counts),
		cmocka_unit_test(chunks_keep_their_order),
		cmocka_unit_test(for_one_key_only),
	};

	return cmocka_run_group_tests(tests, set_up, NULL);
}
