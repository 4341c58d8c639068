/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tokens of one JSON text (RFC 8259), cut strictly. What is wrong is told
 * in rule; the caller knows where. Any thread; the text is borrowed.
 */
#ifndef QM_JSON_SCAN_H
#define QM_JSON_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

struct json_scan {
	const char *p, *end;
	struct arena *arena; /* strings go there */
	const char *rule;    /* of the last refusal: static text */
};

/* The next byte that is no blank, not consumed; '\0' at the end. */
char json_scan_peek(struct json_scan *s);
/* Consumes c if it is next. */
bool json_scan_take(struct json_scan *s, char c);
/* The word ("null", "true", "false") is next, and consumed. */
bool json_scan_word(struct json_scan *s, const char *word);
/* At the opening quote. 0, ERR_FIELD_INVALID, -ENOMEM. The string is NUL-terminated. */
int json_scan_string(struct json_scan *s, char **ret, size_t *ret_len) _must_check_;
/*
 * Moves to the end of a value by its quotes and brackets alone, for a look ahead: what is
 * skipped is read by somebody later.
 */
void json_scan_skip(struct json_scan *s);
/* A number as it is written; 0 or ERR_FIELD_INVALID. */
int json_scan_number(struct json_scan *s, const char **ret, size_t *ret_len) _must_check_;
/* Bytes of s that are one number by JSON's grammar; 0: none. */
size_t json_scan_number_len(const char *s, size_t len);

#endif
