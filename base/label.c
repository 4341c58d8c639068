/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a person types and what DNS makes of it. The label is kept as typed (in
 * NFC); only the slug is narrow. Unicode tables by utf8proc. Pure, any thread.
 */
#include "base/label.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <utf8proc.h>

#include "base/err.h"
#include "base/text.h"

/* NFKD grows a character to at most 18. */
#define DECOMPOSED_MAX (LABEL_MAX_CHARS * 18)

static const char *const reserved[] = {"cp",   "gw",     "ns",        "www",
				       "wpad", "isatap", "localhost", "mesh"};

/* Joiners are invisible, but emoji and Persian words are written with them. */
static bool is_joiner(int32_t c)
{
	return c == 0x200c || c == 0x200d;
}

/* They say how the character before them is drawn: phones write emoji with them. */
static bool is_selector(int32_t c)
{
	return (c >= 0xfe00 && c <= 0xfe0f) || (c >= 0xe0100 && c <= 0xe01ef);
}

/* Letters and marks that draw nothing: fillers, joiners of letters; and Braille without dots. */
static bool is_blank(int32_t c)
{
	return utf8proc_get_property(c)->ignorable || c == 0x2800;
}

/* Invisible or direction-changing characters make two labels look like one. */
static bool character_allowed(int32_t c)
{
	switch (utf8proc_category(c)) {
	case UTF8PROC_CATEGORY_CC:
	case UTF8PROC_CATEGORY_CF:
	case UTF8PROC_CATEGORY_CS:
	case UTF8PROC_CATEGORY_CO:
	case UTF8PROC_CATEGORY_ZL:
	case UTF8PROC_CATEGORY_ZP:
		return false;
	case UTF8PROC_CATEGORY_CN:
		/* Emoji younger than our tables. */
		return c >= 0x1f000 && c <= 0x1fffd;
	default:
		return !is_blank(c);
	}
}

/* Invisible, but in its place: behind what is no plain letter, or between two such. */
static bool belongs(const int32_t *chars, size_t n, size_t i)
{
	bool follows = i > 0 && chars[i - 1] >= 0x80;

	if (is_selector(chars[i])) /* U+20E3 draws the cap of a key around a digit */
		return follows || (i > 0 && i + 1 < n && chars[i + 1] == 0x20e3);
	return is_joiner(chars[i]) && follows && i + 1 < n && chars[i + 1] >= 0x80;
}

static const char *check_characters(const int32_t *chars, size_t n)
{
	if (n == 0)
		return "the label is empty";
	if (n > LABEL_MAX_CHARS)
		return "the label has more than 64 characters";
	for (size_t i = 0; i < n; i++) {
		if (!belongs(chars, n, i) && !character_allowed(chars[i]))
			return "the label has control, invisible or direction characters";
	}
	return NULL;
}

static void append_slug_char(char *slug, size_t *len, int32_t c)
{
	if (c >= 'A' && c <= 'Z')
		c += 'a' - 'A';
	if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) {
		if (*len < SLUG_MAX)
			slug[(*len)++] = (char)c;
	} else if (*len && *len < SLUG_MAX && slug[*len - 1] != '-') {
		slug[(*len)++] = '-';
	}
}

static bool is_mark(int32_t c)
{
	utf8proc_category_t category = utf8proc_category(c);

	return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
	       category == UTF8PROC_CATEGORY_ME;
}

/* 0 when nothing is left. */
static size_t make_slug(const char *text, char slug[SLUG_MAX + 1])
{
	int32_t chars[DECOMPOSED_MAX];
	utf8proc_ssize_t n;
	size_t len = 0;

	n = utf8proc_decompose((const utf8proc_uint8_t *)text, 0, chars, DECOMPOSED_MAX,
			       UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_DECOMPOSE |
				       UTF8PROC_COMPAT);
	if (n < 0 || n > DECOMPOSED_MAX)
		return 0;
	for (utf8proc_ssize_t i = 0; i < n; i++) {
		if (!is_mark(chars[i]))
			append_slug_char(slug, &len, utf8proc_tolower(chars[i]));
	}
	while (len && slug[len - 1] == '-')
		len--;
	slug[len] = '\0';
	return len;
}

static bool is_reserved(const char *slug)
{
	for (size_t i = 0; i < ARRAY_LEN(reserved); i++) {
		if (strcmp(slug, reserved[i]) == 0)
			return true;
	}
	return false;
}

/* Composed text of at most 64 characters into label->text; the failed rule or NULL. */
static const char *compose(const char *s, struct label *label)
{
	/* Composing only shrinks; what does not fit here cannot come down to 64. */
	int32_t chars[LABEL_MAX_BYTES * 3 + 1];
	const char *rule;
	utf8proc_ssize_t n;

	if (strnlen(s, LABEL_MAX_BYTES * 2 + 1) > LABEL_MAX_BYTES * 2)
		return "the label has more than 64 characters";
	if (!text_utf8_ok(s, strlen(s)))
		return "the label is not valid UTF-8";
	n = utf8proc_decompose((const utf8proc_uint8_t *)s, 0, chars, ARRAY_LEN(chars) - 1,
			       UTF8PROC_NULLTERM | UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	if (n < 0 || n > (utf8proc_ssize_t)ARRAY_LEN(chars) - 1)
		return "the label has more than 64 characters";
	n = utf8proc_normalize_utf32(chars, n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	rule = check_characters(chars, n < 0 ? 0 : (size_t)n);
	if (rule)
		return rule;
	n = utf8proc_reencode(chars, n, UTF8PROC_STABLE | UTF8PROC_COMPOSE);
	if (n < 0 || n > LABEL_MAX_BYTES)
		return "the label has more than 64 characters";
	memcpy(label->text, chars, (size_t)n);
	label->text[n] = '\0';
	return NULL;
}

int label_parse(const char *s, struct label *ret_label, const char **ret_rule)
{
	struct label label = {0};
	const char *rule = compose(s, &label);

	if (rule) {
		*ret_rule = rule;
		return ERR_LABEL_INVALID;
	}
	if (make_slug(label.text, label.slug) == 0) {
		*ret_rule = "the label needs at least one letter a-z or digit";
		return ERR_LABEL_INVALID;
	}
	if (is_reserved(label.slug)) {
		*ret_rule = "this name is reserved for the mesh itself";
		return ERR_LABEL_RESERVED;
	}
	*ret_label = label;
	return 0;
}

void label_numbered(const char *slug, unsigned n, char *ret)
{
	char tail[16], out[SLUG_MAX + 1];
	size_t len = strnlen(slug, SLUG_MAX), tail_len;

	tail_len = (size_t)snprintf(tail, sizeof(tail), "-%u", n);
	if (len > SLUG_MAX - tail_len)
		len = SLUG_MAX - tail_len;
	while (len && slug[len - 1] == '-')
		len--;
	memcpy(out, slug, len);
	memcpy(out + len, tail, tail_len + 1);
	memcpy(ret, out, len + tail_len + 1);
}

bool label_is_slug(const char *s)
{
	size_t len = strnlen(s, SLUG_MAX + 1);

	if (len == 0 || len > SLUG_MAX || s[0] == '-' || s[len - 1] == '-')
		return false;
	return strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

bool label_is_account(const char *s)
{
	const utf8proc_uint8_t *p = (const utf8proc_uint8_t *)s;
	utf8proc_uint8_t *nfc;
	utf8proc_ssize_t n;
	int32_t c;
	bool same;

	for (; *p; p += n) {
		n = utf8proc_iterate(p, -1, &c);
		if (n <= 0 || !character_allowed(c) || utf8proc_category(c) == UTF8PROC_CATEGORY_ZS)
			return false;
	}
	nfc = utf8proc_NFC((const utf8proc_uint8_t *)s);
	same = nfc && !strcmp((const char *)nfc, s);
	free(nfc);
	return *s && same;
}
