/* SPDX-License-Identifier: Apache-2.0 */
/* Both ways refuse what the other would not give back. */
#include "base/json_mask.h"

#include <string.h>

#include "base/err.h"

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_upper(char c)
{
	return c >= 'A' && c <= 'Z';
}

static bool add_path(const char *path, struct text *out)
{
	for (; *path; path++) {
		char c = *path;

		if (is_upper(c) || c == ',')
			return false;
		if (c == '_') {
			if (!is_lower(path[1]))
				return false;
			c = (char)(*++path - 'a' + 'A');
		}
		text_add(out, &c, 1);
	}
	return true;
}

bool json_mask_text(char *const *paths, size_t n, struct text *out)
{
	for (size_t i = 0; i < n; i++) {
		if (i)
			text_add(out, ",", 1);
		if (!add_path(paths[i], out))
			return false;
	}
	return true;
}

/* One path of len bytes; NULL out of memory. A name without '_' is at most doubled. */
static char *proto_path(const char *s, size_t len, struct arena *arena)
{
	char *path = arena_alloc(arena, 2 * len + 1);
	char *p = path;

	for (size_t i = 0; p && i < len; i++) {
		if (is_upper(s[i])) {
			*p++ = '_';
			*p++ = (char)(s[i] - 'A' + 'a');
		} else {
			*p++ = s[i];
		}
	}
	return path;
}

int json_mask_parse(const char *s, struct arena *arena, char ***ret_paths, size_t *ret_n)
{
	size_t n = 0, max = *s ? 1 : 0;
	char **paths;

	if (strchr(s, '_'))
		return ERR_FIELD_INVALID;
	for (const char *p = s; *p; p++)
		max += *p == ',';
	paths = arena_alloc(arena, (max + 1) * sizeof(*paths));
	if (!paths)
		return err_origin(-ENOMEM);
	while (n < max) {
		size_t len = strcspn(s, ",");

		if (len == 0)
			return ERR_FIELD_INVALID;
		paths[n] = proto_path(s, len, arena);
		if (!paths[n++])
			return err_origin(-ENOMEM);
		s += len + 1;
	}
	*ret_paths = paths;
	*ret_n = n;
	return 0;
}
