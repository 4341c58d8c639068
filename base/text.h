/* SPDX-License-Identifier: Apache-2.0 */
/* Strings: a growing builder with a limit, strict numbers, base64, hex, UUIDs, UTF-8. */
#ifndef QM_TEXT_H
#define QM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* A builder on the heap. Overflow of max or memory sets failed and later adds do nothing. */
struct text {
	char *s; /* NUL-terminated, NULL while empty */
	size_t len;
	size_t cap;
	size_t max;
	bool failed;
};

#define TEXT_INIT(max_len) ((struct text){.max = (max_len)})

void text_add(struct text *t, const void *p, size_t len);
void text_adds(struct text *t, const char *s);
void text_addf(struct text *t, const char *fmt, ...) _printf_(2, 3);
/* The string, owned by the caller; NULL when failed. The builder is empty afterwards. */
char *text_take(struct text *t);
/* Wipes and frees. */
void text_done(struct text *t);

/* Decimal digits only, no sign, no blanks; -EINVAL, -ERANGE. */
int text_parse_u64(const char *s, uint64_t max, uint64_t *ret_n);

/* Lengths without the NUL. */
#define TEXT_HEX_LEN(n) ((n)*2)
#define TEXT_BASE64_LEN(n) (((n) + 2) / 3 * 4)

/* The value of '0'..'9', 'a'..'f', 'A'..'F'; -1 of all others. */
int text_hex_digit(char c);
/* ret must hold TEXT_HEX_LEN(len) + 1; lower case. */
void text_hex(const void *p, size_t len, char *ret);
/* Exactly len bytes from 2 * len digits; -EINVAL. */
int text_unhex(const char *s, void *ret, size_t len);
/* Standard alphabet with padding; ret must hold TEXT_BASE64_LEN(len) + 1. */
void text_base64(const void *p, size_t len, char *ret);
/* URL alphabet without padding; ret must hold TEXT_BASE64_LEN(len) + 1. */
void text_base64url(const void *p, size_t len, char *ret);
/* Either alphabet, with or without padding; -EINVAL, -ENOBUFS. Sets *ret_len. ret may be s. */
int text_unbase64(const char *s, size_t s_len, void *ret, size_t cap, size_t *ret_len);
/* The same, but bits left over at the end need not be zero: ProtoJSON takes them. */
int text_unbase64_loose(const char *s, size_t s_len, void *ret, size_t cap, size_t *ret_len);

/* 16-byte ids. */
struct uuid {
	uint8_t b[16];
};
#define UUID_TEXT_LEN 36
/* Version 7: time in ms first, the rest random. */
struct uuid uuid_make(void);
/* ret must hold UUID_TEXT_LEN + 1. */
const char *uuid_text(const struct uuid *id, char *ret);
/* Lower or upper case, hyphens required; -EINVAL. */
int uuid_parse(const char *s, struct uuid *ret_id);
bool uuid_equal(const struct uuid *a, const struct uuid *b);
bool uuid_is_nil(const struct uuid *a);

/* Well-formed UTF-8 without overlong forms or surrogates. */
bool text_utf8_ok(const char *s, size_t len);
/* Puts '?' in the place of each byte that is no part of it. */
void text_utf8_mend(char *s);
/* Equal in constant time for its length. */
bool text_equal_ct(const char *a, const char *b);

#endif
