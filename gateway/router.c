/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two dozen rows are walked from the top: the generator has put the most
 * literal first. A row whose first literal differs costs a few compared bytes.
 */
#include "gateway/router.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"

struct router {
	size_t n;
	struct route rows[];
};

int router_new(const struct route *rows, size_t n_rows, struct router **ret)
{
	struct router *r = malloc(sizeof(*r) + n_rows * sizeof(*rows));

	if (!r)
		return err_origin(-ENOMEM);
	r->n = n_rows;
	if (n_rows)
		memcpy(r->rows, rows, n_rows * sizeof(*rows));
	*ret = r;
	return 0;
}

void router_free(struct router *r)
{
	free(r);
}

/* "{id}" at the pattern against one segment of the path; both step over it. */
static bool match_var(const char **pattern, const char **path, struct router_match *m)
{
	const char *name = *pattern + 1;
	size_t name_len = strcspn(name, "}");
	size_t value_len = strcspn(*path, "/:");

	if (value_len == 0 || !name[name_len] || m->n_vars == ROUTER_MAX_VARS)
		return false;
	m->vars[m->n_vars++] = (struct router_var){
		.name = name, .name_len = name_len, .value = *path, .value_len = value_len};
	*pattern = name + name_len + 1;
	*path += value_len;
	return true;
}

bool router_match_pattern(const char *pattern, const char *path, struct router_match *ret)
{
	ret->n_vars = 0;
	while (*pattern) {
		if (*pattern == '{') {
			if (!match_var(&pattern, &path, ret))
				return false;
		} else if (*pattern++ != *path++) {
			return false;
		}
	}
	return *path == '\0';
}

static void add_verb(char allow[ROUTER_ALLOW_MAX], const char *verb)
{
	size_t len = strlen(allow);

	if (!strstr(allow, verb) && len + strlen(verb) + 3 < ROUTER_ALLOW_MAX) {
		if (len)
			strcat(allow, ", ");
		strcat(allow, verb);
	}
}

enum router_result router_find(const struct router *r, const char *verb, const char *path,
			       struct router_match *ret)
{
	/* What can be read can be asked about: the transport leaves the body out. */
	if (strcmp(verb, "HEAD") == 0)
		verb = "GET";
	ret->route = NULL;
	ret->allow[0] = '\0';
	for (size_t i = 0; i < r->n; i++) {
		if (!router_match_pattern(r->rows[i].pattern, path, ret))
			continue;
		if (strcmp(r->rows[i].verb, verb) == 0) {
			ret->route = &r->rows[i];
			return ROUTER_FOUND;
		}
		add_verb(ret->allow, r->rows[i].verb);
		if (strcmp(r->rows[i].verb, "GET") == 0)
			add_verb(ret->allow, "HEAD");
	}
	return ret->allow[0] ? ROUTER_NO_VERB : ROUTER_NO_PATH;
}
