/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines; see args.h. No abbreviations: a script must not break when a flag is added. */
#include "client/cli/args.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

static const struct flag *find(const struct flag *const lists[2], const char *name, size_t len)
{
	for (size_t l = 0; l < 2; l++)
		for (const struct flag *f = lists[l]; f && f->name; f++)
			if (strlen(f->name) == len && memcmp(f->name, name, len) == 0)
				return f;
	return NULL;
}

static int add_flag(struct args *args, const struct flag *flag, const char *value)
{
	if (args->n_flags == ARGS_MAX) {
		snprintf(args->why, sizeof(args->why), "too many flags");
		return -EINVAL;
	}
	args->flags[args->n_flags].flag = flag;
	args->flags[args->n_flags++].value = value;
	return 0;
}

static int parse_flag(struct args *args, int argc, char **argv, int *i,
		      const struct flag *const lists[2])
{
	const char *s = argv[(*i)++];
	const char *equal = strchr(s, '=');
	size_t len = equal ? (size_t)(equal - s) : strlen(s);
	const struct flag *flag;

	if (strcmp(s, "-h") == 0)
		s = "--help", len = 6;
	flag = find(lists, s, len);
	if (!flag) {
		snprintf(args->why, sizeof(args->why), "unknown flag %.*s", (int)len, s);
		return -EINVAL;
	}
	if (!flag->meta) {
		if (equal) {
			snprintf(args->why, sizeof(args->why), "%s takes no value", flag->name);
			return -EINVAL;
		}
		return add_flag(args, flag, "");
	}
	if (equal)
		return add_flag(args, flag, equal + 1);
	if (*i >= argc) {
		snprintf(args->why, sizeof(args->why), "%s needs a value: %s", flag->name,
			 flag->meta);
		return -EINVAL;
	}
	return add_flag(args, flag, argv[(*i)++]);
}

int args_parse(struct args *args, int argc, char **argv, int *i, const struct flag *const lists[2],
	       bool stop_at_word)
{
	bool only_words = false;
	int r;

	while (*i < argc) {
		const char *s = argv[*i];

		if (!only_words && strcmp(s, "--") == 0) {
			only_words = true;
			(*i)++;
		} else if (!only_words && s[0] == '-' && s[1] != '\0') {
			r = parse_flag(args, argc, argv, i, lists);
			if (r < 0)
				return r;
		} else if (stop_at_word) {
			return 0;
		} else if (args->n_words == ARGS_MAX) {
			snprintf(args->why, sizeof(args->why), "too many words");
			return -EINVAL;
		} else {
			args->words[args->n_words++] = s;
			(*i)++;
		}
	}
	return 0;
}

const char *args_nth(const struct args *args, const char *name, size_t n)
{
	for (size_t i = 0; i < args->n_flags; i++)
		if (strcmp(args->flags[i].flag->name, name) == 0 && n-- == 0)
			return args->flags[i].value;
	return NULL;
}

const char *args_value(const struct args *args, const char *name)
{
	for (size_t i = args->n_flags; i > 0; i--)
		if (strcmp(args->flags[i - 1].flag->name, name) == 0)
			return args->flags[i - 1].value;
	return NULL;
}

bool args_has(const struct args *args, const char *name)
{
	return args_nth(args, name, 0) != NULL;
}

int args_duration(const char *s, uint64_t max_ms, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	char digits[16];
	size_t n = strspn(s, "0123456789");
	uint64_t value;

	if (n == 0 || n >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, s, n);
	digits[n] = '\0';
	if (text_parse_u64(digits, UINT32_MAX, &value) < 0)
		return -EINVAL;
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(s + n, units[i].unit) != 0)
			continue;
		if (value * units[i].ms > max_ms)
			return -EINVAL;
		*ret_ms = value * units[i].ms;
		return 0;
	}
	return -EINVAL;
}
