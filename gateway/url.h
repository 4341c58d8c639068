/* SPDX-License-Identifier: Apache-2.0 */
/* Paths and queries of a request: percent-decoding, parameters one by one. Pure. */
#ifndef QM_URL_H
#define QM_URL_H

#include <stdbool.h>
#include <stddef.h>

#include "base/arena.h"

/*
 * Decodes into the arena. 0, ERR_FIELD_INVALID for a broken escape, a NUL or
 * bytes that are not UTF-8, -ENOMEM.
 */
int url_decode(const char *s, size_t len, bool plus_is_space, struct arena *arena, char **ret)
	_must_check_;

/* "a=1&b=2", walked from left to right; zeroed but for rest. */
struct url_query {
	const char *rest;
};

/*
 * The next parameter, both parts decoded; empty pairs are skipped. 1, 0 at
 * the end, or as url_decode negated: -EINVAL for ERR_FIELD_INVALID, -ENOMEM.
 */
int url_query_next(struct url_query *q, struct arena *arena, char **ret_name, char **ret_value)
	_must_check_;

#endif
