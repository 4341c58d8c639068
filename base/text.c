/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text in and out: strict where it reads, bounded where it builds. A builder
 * may hold secrets, so memory it leaves behind is wiped. Any thread, no state.
 */
#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/key.h"

#define TEXT_FIRST_CAP 128

/* realloc would leave a copy of what may be a secret behind. */
static bool text_grow(struct text *t, size_t len)
{
	size_t cap = t->cap ? t->cap : TEXT_FIRST_CAP;
	char *s;

	if (t->failed)
		return false;
	if (len > t->max || t->len > t->max - len) {
		t->failed = true;
		return false;
	}
	if (t->cap && t->len + len < t->cap)
		return true;
	while (cap <= t->len + len)
		cap *= 2;
	s = malloc(cap);
	if (!s) {
		t->failed = true;
		return false;
	}
	if (t->s) {
		memcpy(s, t->s, t->len + 1);
		key_wipe_bytes(t->s, t->cap);
		free(t->s);
	}
	t->s = s;
	t->cap = cap;
	return true;
}

void text_add(struct text *t, const void *p, size_t len)
{
	if (!text_grow(t, len))
		return;
	if (len)
		memcpy(t->s + t->len, p, len);
	t->len += len;
	t->s[t->len] = '\0';
}

void text_adds(struct text *t, const char *s)
{
	text_add(t, s, strlen(s));
}

void text_addf(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n < 0) {
		t->failed = true;
		return;
	}
	if (!text_grow(t, (size_t)n))
		return;
	va_start(ap, fmt);
	vsnprintf(t->s + t->len, (size_t)n + 1, fmt, ap);
	va_end(ap);
	t->len += (size_t)n;
}

char *text_take(struct text *t)
{
	size_t max = t->max;
	char *s;

	text_add(t, "", 0);
	if (t->failed) {
		text_done(t);
		return NULL;
	}
	s = t->s;
	*t = TEXT_INIT(max);
	return s;
}

void text_done(struct text *t)
{
	size_t max = t->max;

	if (t->s)
		key_wipe_bytes(t->s, t->cap);
	free(t->s);
	*t = TEXT_INIT(max);
}

int text_parse_u64(const char *s, uint64_t max, uint64_t *ret_n)
{
	uint64_t n = 0;

	if (!*s)
		return -EINVAL;
	for (const char *p = s; *p; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
	}
	for (; *s; s++) {
		unsigned digit = (unsigned)(*s - '0');

		if (n > (UINT64_MAX - digit) / 10)
			return -ERANGE;
		n = n * 10 + digit;
	}
	if (n > max)
		return -ERANGE;
	*ret_n = n;
	return 0;
}

void text_hex(const void *p, size_t len, char *ret)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++) {
		*ret++ = digits[b[i] >> 4];
		*ret++ = digits[b[i] & 15];
	}
	*ret = '\0';
}

int text_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

int text_unhex(const char *s, void *ret, size_t len)
{
	uint8_t *b = ret;

	if (strnlen(s, len * 2 + 1) != len * 2)
		return -EINVAL;
	for (size_t i = 0; i < len * 2; i++) {
		if (text_hex_digit(s[i]) < 0)
			return -EINVAL;
	}
	for (size_t i = 0; i < len; i++)
		b[i] = (uint8_t)(text_hex_digit(s[2 * i]) << 4 | text_hex_digit(s[2 * i + 1]));
	return 0;
}

static void base64_encode(const void *p, size_t len, const char *alphabet, bool pad, char *ret)
{
	const uint8_t *b = p;

	for (; len >= 3; len -= 3, b += 3) {
		*ret++ = alphabet[b[0] >> 2];
		*ret++ = alphabet[(b[0] & 3) << 4 | b[1] >> 4];
		*ret++ = alphabet[(b[1] & 15) << 2 | b[2] >> 6];
		*ret++ = alphabet[b[2] & 63];
	}
	if (len) {
		unsigned second = len == 2 ? b[1] : 0;

		*ret++ = alphabet[b[0] >> 2];
		*ret++ = alphabet[(b[0] & 3) << 4 | second >> 4];
		if (len == 2)
			*ret++ = alphabet[(second & 15) << 2];
		else if (pad)
			*ret++ = '=';
		if (pad)
			*ret++ = '=';
	}
	*ret = '\0';
}

void text_base64(const void *p, size_t len, char *ret)
{
	base64_encode(p, len, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/",
		      true, ret);
}

void text_base64url(const void *p, size_t len, char *ret)
{
	base64_encode(p, len, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_",
		      false, ret);
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+' || c == '-')
		return 62;
	if (c == '/' || c == '_')
		return 63;
	return -1;
}

/* Digits without the padding, which is all there or not at all. */
static size_t base64_digits(const char *s, size_t len)
{
	if (len && len % 4 == 0 && s[len - 1] == '=')
		return len - (s[len - 2] == '=' ? 2 : 1);
	return len;
}

int text_unbase64_loose(const char *s, size_t s_len, void *ret, size_t cap, size_t *ret_len)
{
	uint32_t bits = 0;
	uint8_t *b = ret;
	size_t n = 0, out_len;

	s_len = base64_digits(s, s_len);
	if (s_len % 4 == 1)
		return -EINVAL;
	for (size_t i = 0; i < s_len; i++) {
		if (base64_digit(s[i]) < 0)
			return -EINVAL;
	}
	out_len = s_len / 4 * 3 + (s_len % 4 ? s_len % 4 - 1 : 0);
	if (out_len > cap)
		return -ENOBUFS;
	for (size_t i = 0; i < s_len; i++) {
		bits = bits << 6 | (uint32_t)base64_digit(s[i]);
		if (i % 4)
			b[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
	}
	*ret_len = out_len;
	return 0;
}

/* Left-over bits must be zero: two texts never mean the same bytes by accident. */
int text_unbase64(const char *s, size_t s_len, void *ret, size_t cap, size_t *ret_len)
{
	size_t n = base64_digits(s, s_len);
	int unused = n % 4 == 2 ? 15 : n % 4 == 3 ? 3 : 0, last = n ? base64_digit(s[n - 1]) : 0;

	if (last < 0 || (last & unused))
		return -EINVAL;
	return text_unbase64_loose(s, s_len, ret, cap, ret_len);
}

/* Length of the sequence at s, 0 when it is none (Unicode 15, table 3-7). */
static size_t utf8_sequence(const uint8_t *s, size_t len)
{
	uint8_t low = 0x80, high = 0xbf;
	size_t n;

	if (s[0] < 0x80)
		return 1;
	if (s[0] >= 0xc2 && s[0] <= 0xdf)
		n = 2;
	else if (s[0] >= 0xe0 && s[0] <= 0xef)
		n = 3;
	else if (s[0] >= 0xf0 && s[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (s[0] == 0xe0)
		low = 0xa0;
	else if (s[0] == 0xed)
		high = 0x9f;
	else if (s[0] == 0xf0)
		low = 0x90;
	else if (s[0] == 0xf4)
		high = 0x8f;
	if (len < n || s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++) {
		if (s[i] < 0x80 || s[i] > 0xbf)
			return 0;
	}
	return n;
}

bool text_utf8_ok(const char *s, size_t len)
{
	const uint8_t *p = (const uint8_t *)s;

	while (len) {
		size_t n = utf8_sequence(p, len);

		if (n == 0)
			return false;
		p += n;
		len -= n;
	}
	return true;
}

void text_utf8_mend(char *s)
{
	size_t left = strlen(s);

	while (left) {
		size_t n = utf8_sequence((const uint8_t *)s, left);

		if (n == 0) {
			*s = '?';
			n = 1;
		}
		s += n;
		left -= n;
	}
}

bool text_equal_ct(const char *a, const char *b)
{
	size_t len = strlen(a);
	volatile unsigned char diff = 0;

	if (strlen(b) != len)
		return false;
	for (size_t i = 0; i < len; i++)
		diff = (unsigned char)(diff | (a[i] ^ b[i]));
	return diff == 0;
}
