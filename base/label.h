/* SPDX-License-Identifier: Apache-2.0 */
/* Labels people type and the DNS labels made from them, by utf8proc. */
#ifndef QM_LABEL_H
#define QM_LABEL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

#define LABEL_MAX_CHARS 64
#define LABEL_MAX_BYTES 256
#define SLUG_MAX 63

struct label {
	char text[LABEL_MAX_BYTES + 1]; /* NFC, as typed otherwise */
	char slug[SLUG_MAX + 1];
};

/*
 * Checks and normalises. 0, ERR_LABEL_INVALID (empty, over 64 characters, not
 * UTF-8, control, format or bidi characters, or nothing left for the slug) or
 * ERR_LABEL_RESERVED (cp gw ns www wpad isatap localhost mesh).
 * slug: NFKD, combining marks dropped, lower-cased, a-z and 0-9 kept, each run
 * of the rest one '-', trimmed, cut to 63, trimmed again.
 * ret_rule: which rule failed, in plain words; static.
 */
int label_parse(const char *s, struct label *ret_label, const char **ret_rule) _must_check_;
/* "phone" and 2 -> "phone-2", cut so that it fits; ret must hold SLUG_MAX + 1. */
void label_numbered(const char *slug, unsigned n, char *ret);
/* A sign-in name: not empty, UTF-8 in NFC, no white space, no character that label_parse refuses.
 */
bool label_is_account(const char *s);
/* a-z, 0-9 and '-', 1 to 63, no '-' at the ends. */
bool label_is_slug(const char *s);

#endif
