/* SPDX-License-Identifier: Apache-2.0 */
/* Strings are judged byte by byte, numbers printed without locale or rounding. */
#include "base/json_write.h"

#include <errno.h>
#include <math.h>

#include "base/err.h"
#include "base/json.h"

/* Bytes of a well-formed UTF-8 sequence at s; 0 if it is none. */
static size_t sequence_len(const char *s)
{
	unsigned char c = (unsigned char)*s;
	size_t len = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;

	for (size_t i = 1; i < len; i++) {
		if (!s[i])
			return 0;
	}
	return text_utf8_ok(s, len) ? len : 0;
}

/*
 * '<', '>' and '&' are escaped too, so that an answer that somebody puts into
 * a page is no markup; U+2028 and U+2029 end lines in JavaScript.
 */
static size_t quote_special(struct text *out, const char *s)
{
	static const char short_from[] = "\"\\\n\r\t";
	static const char *const short_to[] = {"\\\"", "\\\\", "\\n", "\\r", "\\t"};
	const char *at = strchr(short_from, *s);
	size_t len;

	if (at) {
		json_write(out, short_to[at - short_from], 2);
		return 1;
	}
	if ((unsigned char)*s < 0x80) {
		text_addf(out, "\\u%04x", (unsigned char)*s);
		return 1;
	}
	len = sequence_len(s);
	if (len == 0) {
		json_write(out, "\\ufffd", 6);
		return 1;
	}
	if (memcmp(s, "\xe2\x80\xa8", 3) == 0 || memcmp(s, "\xe2\x80\xa9", 3) == 0)
		text_adds(out, s[2] == '\xa8' ? "\\u2028" : "\\u2029");
	else
		json_write(out, s, len);
	return len;
}

static bool is_plain(unsigned char c)
{
	return c >= 0x20 && c < 0x7f && c != '"' && c != '\\' && c != '<' && c != '>' && c != '&';
}

void json_quote(struct text *out, const char *s)
{
	if (!*s) {
		json_write(out, "\"\"", 2);
		return;
	}
	json_write(out, "\"", 1);
	while (*s) {
		const char *start = s;

		while (is_plain((unsigned char)*s))
			s++;
		json_write(out, start, (size_t)(s - start));
		if (*s)
			s += quote_special(out, s);
	}
	json_write(out, "\"", 1);
}

void json_write_u64(struct text *out, uint64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);

	do {
		digits[--at] = (char)('0' + n % 10);
		n /= 10;
	} while (n);
	json_write(out, digits + at, sizeof(digits) - at);
}

void json_write_i64(struct text *out, int64_t n)
{
	if (n < 0)
		json_write(out, "-", 1);
	json_write_u64(out, n < 0 ? -(uint64_t)n : (uint64_t)n);
}

void json_write_real(struct text *out, double d, bool is_float)
{
	char s[40];

	if (isnan(d)) {
		json_write(out, "\"NaN\"", 5);
		return;
	}
	if (isinf(d)) {
		text_adds(out, d > 0 ? "\"Infinity\"" : "\"-Infinity\"");
		return;
	}
	if (d == 0) {
		text_adds(out, signbit(d) ? "-0.0" : "0");
		return;
	}
	for (int digits = is_float ? 6 : 15; digits <= 17; digits++) {
		snprintf(s, sizeof(s), "%.*g", digits, d);
		if (is_float ? strtof(s, NULL) == (float)d : strtod(s, NULL) == d)
			break;
	}
	text_adds(out, s);
}

int json_write_base64(struct text *out, const ProtobufCBinaryData *b)
{
	char *s = malloc(TEXT_BASE64_LEN(b->len) + 1);

	if (!s)
		return err_origin(-ENOMEM);
	text_base64(b->data, b->len, s);
	json_write(out, "\"", 1);
	text_adds(out, s);
	json_write(out, "\"", 1);
	explicit_bzero(s, TEXT_BASE64_LEN(b->len));
	free(s);
	return 0;
}

void json_write_long(struct text *out, bool is_signed, uint64_t n)
{
	json_write(out, "\"", 1);
	if (is_signed)
		json_write_i64(out, (int64_t)n);
	else
		json_write_u64(out, n);
	json_write(out, "\"", 1);
}
