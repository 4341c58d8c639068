/* SPDX-License-Identifier: Apache-2.0 */
/* Reads the file of valid calls. */
#include "tests/attack/mutate/seeds.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static char *field_take(char **at)
{
	char *field = strsep(at, "\t\n");

	return strdup(!field || strcmp(field, "-") == 0 ? "" : field);
}

static int seed_parse(char *line, struct seed *ret)
{
	char *kind = field_take(&line), *hex;

	*ret = (struct seed){.rest = strcmp(kind, "rest") == 0};
	free(kind);
	ret->how = field_take(&line);
	ret->path = field_take(&line);
	ret->auth = field_take(&line);
	hex = field_take(&line);
	ret->json = field_take(&line);
	ret->message_len = strlen(hex) / 2;
	ret->message = calloc(1, ret->message_len + 1);
	if (!ret->message || text_unhex(hex, ret->message, ret->message_len) < 0)
		ret->path[0] = '\0';
	free(hex);
	return ret->path[0] == '/' ? 0 : -1;
}

int seeds_read(const char *file, struct seeds *ret)
{
	FILE *f = fopen(file, "r");
	struct seeds s = {0};
	char *line = NULL;
	size_t cap = 0;

	while (f && getline(&line, &cap, f) > 0) {
		s.all = realloc(s.all, (s.n + 1) * sizeof(*s.all));
		if (!s.all)
			abort();
		if (seed_parse(line, &s.all[s.n++]) < 0) {
			fprintf(stderr, "%s: line %zu is no seed\n", file, s.n);
			s.n = 0;
			break;
		}
	}
	free(line);
	if (f)
		fclose(f);
	if (s.n == 0)
		fprintf(stderr, "%s: no seeds\n", file);
	*ret = s;
	return s.n ? 0 : -1;
}

void seeds_free(struct seeds *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->all[i].how);
		free(s->all[i].path);
		free(s->all[i].auth);
		free(s->all[i].message);
		free(s->all[i].json);
	}
	free(s->all);
}
