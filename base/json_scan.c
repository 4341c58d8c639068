/* SPDX-License-Identifier: Apache-2.0 */
/* A pointer that walks over the text; strings are copied out once, unescaped on the way. */
#include "base/json_scan.h"

#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"

static int refuse(struct json_scan *s, const char *rule)
{
	s->rule = rule;
	return ERR_FIELD_INVALID;
}

char json_scan_peek(struct json_scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == '\n' || *s->p == '\r'))
		s->p++;
	return s->p < s->end ? *s->p : '\0';
}

bool json_scan_take(struct json_scan *s, char c)
{
	if (json_scan_peek(s) != c || s->p == s->end)
		return false;
	s->p++;
	return true;
}

bool json_scan_word(struct json_scan *s, const char *word)
{
	size_t len = strlen(word);

	if (json_scan_peek(s) != word[0] || (size_t)(s->end - s->p) < len ||
	    memcmp(s->p, word, len) != 0)
		return false;
	s->p += len;
	return true;
}

/* Four hex digits at p; -1 if they are not. */
static int hex4(const char *p, const char *end)
{
	int n = 0;

	if (end - p < 4)
		return -1;
	for (int i = 0; i < 4; i++) {
		int digit = text_hex_digit(p[i]);

		if (digit < 0)
			return -1;
		n = n << 4 | digit;
	}
	return n;
}

static char *put_utf8(char *out, uint32_t c)
{
	if (c < 0x80) {
		*out++ = (char)c;
	} else if (c < 0x800) {
		*out++ = (char)(0xc0 | c >> 6);
		*out++ = (char)(0x80 | (c & 0x3f));
	} else if (c < 0x10000) {
		*out++ = (char)(0xe0 | c >> 12);
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	} else {
		*out++ = (char)(0xf0 | c >> 18);
		*out++ = (char)(0x80 | (c >> 12 & 0x3f));
		*out++ = (char)(0x80 | (c >> 6 & 0x3f));
		*out++ = (char)(0x80 | (c & 0x3f));
	}
	return out;
}

/* After "\u". A high surrogate must be followed by a low one. */
static int unescape_u(struct json_scan *s, char **out)
{
	int hi = hex4(s->p, s->end);
	int lo;

	if (hi < 0)
		return refuse(s, "bad \\u escape in a string");
	s->p += 4;
	if (hi == 0)
		return refuse(s, "a string must not contain NUL");
	if (hi < 0xd800 || hi > 0xdfff) {
		*out = put_utf8(*out, (uint32_t)hi);
		return 0;
	}
	if (hi > 0xdbff || s->end - s->p < 6 || s->p[0] != '\\' || s->p[1] != 'u')
		return refuse(s, "lone surrogate in a string");
	lo = hex4(s->p + 2, s->end);
	if (lo < 0xdc00 || lo > 0xdfff)
		return refuse(s, "lone surrogate in a string");
	s->p += 6;
	*out = put_utf8(*out, 0x10000u + ((uint32_t)(hi - 0xd800) << 10) + (uint32_t)(lo - 0xdc00));
	return 0;
}

/* After the backslash. */
static int unescape(struct json_scan *s, char **out)
{
	static const char from[] = "\"\\/bfnrt";
	static const char to[] = "\"\\/\b\f\n\r\t";
	const char *at;
	char c;

	if (s->p == s->end)
		return refuse(s, "the text ends inside a string");
	c = *s->p++;
	if (c == 'u')
		return unescape_u(s, out);
	at = c ? strchr(from, c) : NULL;
	if (!at)
		return refuse(s, "unknown escape in a string");
	*(*out)++ = to[at - from];
	return 0;
}

/* Bytes up to the closing quote as they are written; an unescaped string is never longer. */
static size_t raw_len(const struct json_scan *s)
{
	const char *p = s->p;

	while (p < s->end && *p != '"') {
		if (*p == '\\' && p + 1 < s->end)
			p++;
		p++;
	}
	return (size_t)((p < s->end ? p : s->end) - s->p);
}

int json_scan_string(struct json_scan *s, char **ret, size_t *ret_len)
{
	char *start, *out;
	int r;

	if (!json_scan_take(s, '"'))
		return refuse(s, "expected a string");
	start = out = arena_alloc(s->arena, raw_len(s) + 1);
	if (!start)
		return err_origin(-ENOMEM);
	for (;;) {
		unsigned char c;

		if (s->p == s->end)
			return refuse(s, "the text ends inside a string");
		c = (unsigned char)*s->p++;
		if (c == '"')
			break;
		if (c < 0x20)
			return refuse(s, "control character in a string");
		if (c == '\\') {
			r = unescape(s, &out);
			if (r)
				return r;
		} else {
			*out++ = (char)c;
		}
	}
	*out = '\0';
	if (!text_utf8_ok(start, (size_t)(out - start)))
		return refuse(s, "a string must be valid UTF-8");
	*ret = start;
	*ret_len = (size_t)(out - start);
	return 0;
}

static size_t digits(const char *s, size_t len)
{
	size_t n = 0;

	while (n < len && s[n] >= '0' && s[n] <= '9')
		n++;
	return n;
}

size_t json_scan_number_len(const char *s, size_t len)
{
	size_t n = 0, d;

	if (n < len && s[n] == '-')
		n++;
	d = digits(s + n, len - n);
	if (d == 0 || (d > 1 && s[n] == '0'))
		return 0;
	n += d;
	if (n < len && s[n] == '.') {
		d = digits(s + n + 1, len - n - 1);
		if (d == 0)
			return 0;
		n += 1 + d;
	}
	if (n < len && (s[n] == 'e' || s[n] == 'E')) {
		size_t sign = n + 1 < len && (s[n + 1] == '+' || s[n + 1] == '-') ? 1 : 0;

		d = digits(s + n + 1 + sign, len - n - 1 - sign);
		if (d == 0)
			return 0;
		n += 1 + sign + d;
	}
	return n;
}

int json_scan_number(struct json_scan *s, const char **ret, size_t *ret_len)
{
	size_t len;

	json_scan_peek(s);
	len = json_scan_number_len(s->p, (size_t)(s->end - s->p));
	if (len == 0)
		return refuse(s, "expected a number");
	*ret = s->p;
	*ret_len = len;
	s->p += len;
	return 0;
}

/* Behind the closing quote, or at the end of the text. */
static void skip_string(struct json_scan *s)
{
	s->p++;
	s->p += raw_len(s);
	if (s->p < s->end)
		s->p++;
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       c == '-' || c == '+' || c == '.';
}

void json_scan_skip(struct json_scan *s)
{
	size_t depth = 0;

	do {
		char c = json_scan_peek(s);

		if (s->p == s->end || (depth == 0 && (c == ',' || c == '}' || c == ']')))
			return;
		if (c == '"') {
			skip_string(s);
			continue;
		}
		if (c == '{' || c == '[')
			depth++;
		else if (c == '}' || c == ']')
			depth--;
		do {
			s->p++;
		} while (s->p < s->end && is_word(c) && is_word(*s->p));
	} while (depth);
}
