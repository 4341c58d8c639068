/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base64 of every form against a reader that goes digit by digit: the same
 * bytes, also in place; never past the room there is. What is written reads back.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static int digit(uint8_t c)
{
	static const char standard[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = memchr(standard, c == '-' ? '+' : c == '_' ? '/' : c, 64);

	return at ? (int)(at - standard) : -1;
}

/* Bytes in out; -1 when it is no base64. Padding: as much as fills a group, or none. */
static long decode(const uint8_t *s, size_t len, uint8_t *out)
{
	size_t digits = len, pad, n = 0;
	unsigned bits = 0, n_bits = 0;

	while (digits && s[digits - 1] == '=')
		digits--;
	pad = len - digits;
	if (digits % 4 == 1 || (pad && pad != (4 - digits % 4) % 4))
		return -1;
	for (size_t i = 0; i < digits; i++) {
		if (digit(s[i]) < 0)
			return -1;
		bits = bits << 6 | (unsigned)digit(s[i]);
		n_bits += 6;
		if (n_bits >= 8) {
			n_bits -= 8;
			out[n++] = (uint8_t)(bits >> n_bits);
			bits &= (1u << n_bits) - 1;
		}
	}
	return bits ? -1 : (long)n;
}

static void read_it(const uint8_t *data, size_t len)
{
	uint8_t *want = malloc(len + 1), *got, *same = malloc(len + 1);
	size_t n = SIZE_MAX, n_same = SIZE_MAX;
	long n_want;
	int r;

	assert(want && same);
	n_want = decode(data, len, want);
	/* Exactly as large as it must be, so that one byte more is noticed; then one too small. */
	got = malloc(n_want > 0 ? (size_t)n_want : 1);
	assert(got);
	r = text_unbase64((const char *)data, len, got, n_want > 0 ? (size_t)n_want : 0, &n);
	assert(n_want < 0 ? r == -EINVAL || r == -ENOBUFS : r == 0);
	assert(n_want < 0 ? n == SIZE_MAX : n == (size_t)n_want && memcmp(got, want, n) == 0);
	if (n_want > 0)
		assert(text_unbase64((const char *)data, len, got, (size_t)n_want - 1, &n) ==
		       -ENOBUFS);
	memcpy(same, data, len);
	r = text_unbase64((const char *)same, len, same, len, &n_same);
	assert((r == 0) == (n_want >= 0));
	assert(r != 0 || (n_same == (size_t)n_want && memcmp(same, want, n_same) == 0));
	free(want);
	free(got);
	free(same);
}

static void write_it(const uint8_t *data, size_t len, void (*encode)(const void *, size_t, char *))
{
	char *text = malloc(TEXT_BASE64_LEN(len) + 1);
	uint8_t *back = malloc(len + 1);
	size_t n;

	assert(text && back);
	encode(data, len, text);
	assert(strlen(text) <= TEXT_BASE64_LEN(len));
	assert(text_unbase64(text, strlen(text), back, len, &n) == 0);
	assert(n == len && memcmp(back, data, len) == 0);
	free(text);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	if (len == 0)
		return 0;
	read_it(data, len);
	write_it(data, len, text_base64);
	write_it(data, len, text_base64url);
	return 0;
}
