/* SPDX-License-Identifier: Apache-2.0 */
/* Strict: what a browser would never send is refused, not guessed at. */
#include "gateway/url.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/text.h"

int url_decode(const char *s, size_t len, bool plus_is_space, struct arena *arena, char **ret)
{
	char *start = arena_alloc(arena, len + 1);
	char *out = start;

	if (!start)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < len; i++) {
		int hi, lo;

		if (s[i] != '%') {
			*out++ = plus_is_space && s[i] == '+' ? ' ' : s[i];
			continue;
		}
		hi = len - i > 2 ? text_hex_digit(s[i + 1]) : -1;
		lo = len - i > 2 ? text_hex_digit(s[i + 2]) : -1;
		if (hi < 0 || lo < 0 || (hi == 0 && lo == 0))
			return ERR_FIELD_INVALID;
		*out++ = (char)(hi << 4 | lo);
		i += 2;
	}
	*out = '\0';
	if (!text_utf8_ok(start, (size_t)(out - start)))
		return ERR_FIELD_INVALID;
	*ret = start;
	return 0;
}

int url_query_next(struct url_query *q, struct arena *arena, char **ret_name, char **ret_value)
{
	while (q->rest && *q->rest) {
		const char *pair = q->rest;
		size_t len = strcspn(pair, "&");
		size_t name_len = strcspn(pair, "=&");
		size_t value_at = name_len < len ? name_len + 1 : len;
		int r;

		q->rest = pair[len] ? pair + len + 1 : NULL;
		if (len == 0)
			continue;
		r = url_decode(pair, name_len, true, arena, ret_name);
		if (!r)
			r = url_decode(pair + value_at, len - value_at, true, arena, ret_value);
		if (r)
			return r > 0 ? -EINVAL : r;
		return 1;
	}
	return 0;
}
