/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One table per daemon says what may be set, within which bounds; three places
 * may set it. What is refused is told with file:line, key and rule, and nothing
 * is half loaded. Used once at start by one thread.
 */
#include "base/conf.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "base/text.h"

/* Debian builds libinih with 200 bytes per line, newline and NUL included. */
#define FILE_LINE_MAX 198
#define WHERE_LEN 4200

struct conf_reader {
	const struct conf_table *table;
	void *target;
	const char *path;
	FILE *file;
	int line;
	int error_line;
	bool *seen; /* n_keys of them */
	bool failed;
};

static int complain(const char *where, const char *name, const char *rule)
{
	fprintf(stderr, "%s: %s: %s\n", where, name, rule);
	return -EINVAL;
}

static const struct conf_key *find_key(const struct conf_table *table, const char *name, size_t len)
{
	for (size_t i = 0; i < table->n_keys; i++) {
		if (strlen(table->keys[i].name) == len &&
		    strncmp(table->keys[i].name, name, len) == 0)
			return &table->keys[i];
	}
	return NULL;
}

static int parse_bool(const char *s, bool *ret_on)
{
	static const char *const on[] = {"on", "yes", "true"}, *const off[] = {"off", "no",
									       "false"};

	for (size_t i = 0; i < ARRAY_LEN(on); i++) {
		if (strcmp(s, on[i]) == 0 || strcmp(s, off[i]) == 0) {
			*ret_on = strcmp(s, on[i]) == 0;
			return 0;
		}
	}
	return -EINVAL;
}

int conf_parse_ms(const char *s, uint64_t *ret_ms)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};
	size_t digits = strspn(s, "0123456789");
	char number[24];
	uint64_t n;

	if (digits == 0 || digits >= sizeof(number))
		return -EINVAL;
	memcpy(number, s, digits);
	number[digits] = '\0';
	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (strcmp(s + digits, units[i].unit) != 0)
			continue;
		if (text_parse_u64(number, UINT64_MAX / units[i].ms, &n) != 0)
			return -EINVAL;
		*ret_ms = n * units[i].ms;
		return 0;
	}
	return -EINVAL;
}

static int parse_choice(const char *choices, const char *s, int *ret_index)
{
	size_t len = strlen(s);

	for (int i = 0; choices; i++) {
		size_t word = strcspn(choices, "|");

		if (word == len && strncmp(choices, s, len) == 0) {
			*ret_index = i;
			return 0;
		}
		choices = choices[word] ? choices + word + 1 : NULL;
	}
	return -EINVAL;
}

static int set_string(const char *where, const struct conf_key *k, char **slot, const char *value)
{
	size_t len = strlen(value);
	char rule[128], *copy;

	if (len < k->min || (k->max && len > k->max)) {
		snprintf(rule, sizeof(rule), "must have %llu to %llu characters",
			 (unsigned long long)k->min, (unsigned long long)k->max);
		return complain(where, k->name, rule);
	}
	copy = strdup(value);
	if (!copy)
		return -ENOMEM;
	free(*slot);
	*slot = copy;
	return 0;
}

static int set_number(const char *where, const struct conf_key *k, uint64_t *slot,
		      const char *value)
{
	bool time = k->type == CONF_MS;
	char rule[192];
	uint64_t n;

	if (time ? conf_parse_ms(value, &n) : text_parse_u64(value, UINT64_MAX, &n))
		return complain(where, k->name,
				time ? "must be a time such as 250ms, 30s, 5m, 24h or 7d"
				     : "must be a whole number");
	if (n < k->min || (k->max && n > k->max)) {
		snprintf(rule, sizeof(rule), "must be %llu to %llu%s", (unsigned long long)k->min,
			 (unsigned long long)k->max, time ? " ms" : "");
		return complain(where, k->name, rule);
	}
	*slot = n;
	return 0;
}

static int set_value(const char *where, const struct conf_key *k, void *target, const char *value)
{
	void *slot = (char *)target + k->offset;
	char rule[256];

	switch (k->type) {
	case CONF_STRING:
		return set_string(where, k, slot, value);
	case CONF_U64:
	case CONF_MS:
		return set_number(where, k, slot, value);
	case CONF_BOOL:
		if (parse_bool(value, slot) != 0)
			return complain(where, k->name, "must be on or off");
		return 0;
	case CONF_ENUM:
		if (parse_choice(k->choices, value, slot) == 0)
			return 0;
		snprintf(rule, sizeof(rule), "must be one of %s", k->choices);
		return complain(where, k->name, rule);
	}
	return -EINVAL;
}

static int load_presets(const struct conf_table *table, void *target)
{
	for (size_t i = 0; i < table->n_keys; i++) {
		const struct conf_key *k = &table->keys[i];
		int r = k->preset ? set_value("preset", k, target, k->preset) : 0;

		if (r)
			return r;
	}
	return 0;
}

static int reader_complain(struct conf_reader *r, const char *name, const char *rule)
{
	char where[WHERE_LEN];

	snprintf(where, sizeof(where), "%s:%d", r->path, r->line);
	r->failed = true;
	r->error_line = r->line;
	return complain(where, name, rule);
}

/*
 * fgets for libinih, and the line counter it lacks. Indentation is taken off:
 * libinih would take such a line for more of the value above it.
 */
static char *read_line(char *s, int size, void *stream)
{
	struct conf_reader *r = stream;
	char line[FILE_LINE_MAX + 2], *from = line;

	if (r->failed || size < (int)sizeof(line) || !fgets(line, sizeof(line), r->file))
		return NULL;
	r->line++;
	if (!strchr(line, '\n') && strlen(line) > FILE_LINE_MAX) {
		reader_complain(r, "line", "is longer than 198 bytes");
		return NULL;
	}
	while (isspace((unsigned char)*from) && *from != '\n')
		from++;
	if (*from == '[') {
		reader_complain(r, "[", "sections are not used in this file");
		return NULL;
	}
	memcpy(s, from, strlen(from) + 1);
	return s;
}

static int on_entry(void *user, const char *section, const char *name, const char *value)
{
	struct conf_reader *r = user;
	const struct conf_key *k = find_key(r->table, name, strlen(name));
	char where[WHERE_LEN];

	(void)section;
	if (r->failed)
		return 0;
	if (!k)
		return reader_complain(r, name, "no such key") == 0;
	if (r->seen[k - r->table->keys])
		return reader_complain(r, name, "is given twice") == 0;
	r->seen[k - r->table->keys] = true;
	snprintf(where, sizeof(where), "%s:%d", r->path, r->line);
	if (set_value(where, k, r->target, value) != 0) {
		r->failed = true;
		return 0;
	}
	return 1;
}

static int load_file(const struct conf_table *table, void *target, const char *path, bool needed)
{
	_cleanup_(fclosep) FILE *file = NULL;
	_cleanup_(freep) bool *seen = NULL;
	struct conf_reader r = {.table = table, .target = target, .path = path};
	int rc;

	file = fopen(path, "re");
	if (!file && errno == ENOENT && !needed)
		return 0;
	if (!file)
		return complain(path, "file", strerror(errno));
	seen = calloc(table->n_keys + 1, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	r.file = file;
	r.seen = seen;
	rc = ini_parse_stream(read_line, &r, on_entry, &r);
	if (r.failed)
		return -EINVAL;
	if (ferror(file))
		return complain(path, "file", "cannot be read");
	if (rc > 0) {
		/* libinih knows the line of what has no "=". */
		r.line = rc;
		return reader_complain(&r, "line", "is no \"key = value\"");
	}
	return rc == 0 ? 0 : -ENOMEM;
}

static int load_environment(const struct conf_table *table, void *target)
{
	for (size_t i = 0; i < table->n_keys; i++) {
		const struct conf_key *k = &table->keys[i];
		char name[80] = "QMESH_";
		size_t len = strlen(name);
		const char *value;
		int r;

		for (const char *p = k->name; *p && len + 1 < sizeof(name); p++)
			name[len++] = (char)toupper((unsigned char)*p);
		name[len] = '\0';
		value = getenv(name);
		r = value ? set_value(name, k, target, value) : 0;
		if (r)
			return r;
	}
	return 0;
}

/* Splits "--some-key=value"; name in the table's spelling. True if it is an option at all. */
static bool split_option(const char *arg, char name[80], const char **ret_value)
{
	size_t len;

	if (strncmp(arg, "--", 2) != 0 || arg[2] == '\0')
		return false;
	arg += 2;
	len = strcspn(arg, "=");
	*ret_value = arg[len] ? arg + len + 1 : NULL;
	if (len >= 80)
		len = 79;
	memcpy(name, arg, len);
	name[len] = '\0';
	for (char *p = name; *p; p++) {
		if (*p == '-')
			*p = '_';
	}
	return true;
}

struct conf_args {
	const char *file; /* --config */
	bool check, help, version;
	int *ret_rest;
	size_t n_rest;
};

static bool take_flag(struct conf_args *a, const char *name, const char *value)
{
	if (value)
		return false;
	if (strcmp(name, "check_config") == 0)
		a->check = true;
	else if (strcmp(name, "help") == 0)
		a->help = true;
	else if (strcmp(name, "version") == 0)
		a->version = true;
	else
		return false;
	return true;
}

static bool is_own_flag(const struct conf_table *table, const char *word)
{
	for (const char *const *f = table->own_flags; f && *f; f++) {
		if (strcmp(*f, word) == 0)
			return true;
	}
	return false;
}

/*
 * Walks argv. target NULL: looks at everything but sets nothing (the file must
 * be known before the keys, which win over it).
 */
static int walk_arguments(const struct conf_table *table, void *target, int argc, char **argv,
			  struct conf_args *a)
{
	a->n_rest = 0;
	for (int i = 1; i < argc; i++) {
		const struct conf_key *k;
		const char *value;
		char name[80];

		if (strcmp(argv[i], "--") == 0) {
			while (++i < argc)
				a->ret_rest[a->n_rest++] = i;
			break;
		}
		if (is_own_flag(table, argv[i]) || !split_option(argv[i], name, &value)) {
			a->ret_rest[a->n_rest++] = i;
			continue;
		}
		if (take_flag(a, name, value))
			continue;
		k = find_key(table, name, strlen(name));
		if (!k && strcmp(name, "config") != 0)
			return complain(table->program, argv[i], "no such option (try --help)");
		if (!value && i + 1 < argc)
			value = argv[++i];
		if (!value)
			return complain(table->program, argv[i], "needs a value");
		if (!k)
			a->file = value;
		else if (target && set_value("command line", k, target, value) != 0)
			return -EINVAL;
	}
	return 0;
}

/* "5m": the largest unit that has no rest, as scripts/man writes it. */
static const char *duration(uint64_t ms, char ret[24])
{
	static const struct {
		char word[3];
		uint64_t ms;
	} units[] = {{"d", 86400000}, {"h", 3600000}, {"m", 60000}, {"s", 1000}};

	for (size_t i = 0; i < ARRAY_LEN(units); i++) {
		if (ms >= units[i].ms && ms % units[i].ms == 0) {
			snprintf(ret, 24, "%llu%s", (unsigned long long)(ms / units[i].ms),
				 units[i].word);
			return ret;
		}
	}
	snprintf(ret, 24, "%llu%s", (unsigned long long)ms, ms ? "ms" : "s");
	return ret;
}

static void print_bounds(const struct conf_key *k)
{
	char low[24], high[24];

	if (k->choices)
		printf(" (%s)", k->choices);
	else if (k->type == CONF_U64)
		printf(" (%llu to %llu)", (unsigned long long)k->min, (unsigned long long)k->max);
	else if (k->type == CONF_MS)
		printf(" (%s to %s)", duration(k->min, low), duration(k->max, high));
}

static void print_help(const struct conf_table *table)
{
	printf("usage: %s [--config FILE] [--check-config] [--KEY VALUE ...]\n\n"
	       "Each key may stand in %s, in the environment as QMESH_KEY, or here.\n\n",
	       table->program, table->file ? table->file : "the file");
	for (size_t i = 0; i < table->n_keys; i++) {
		const struct conf_key *k = &table->keys[i];

		printf("  --%-18s %s", k->name, k->help ? k->help : "");
		print_bounds(k);
		if (k->preset && *k->preset)
			printf(" [%s]", k->preset);
		printf("\n");
	}
}

static int load_all(const struct conf_table *table, void *target, int argc, char **argv,
		    struct conf_args *a)
{
	const char *file;
	int r;

	r = load_presets(table, target);
	if (r)
		return r;
	file = a->file ? a->file : getenv("QMESH_CONFIG");
	if (file || table->file) {
		r = load_file(table, target, file ? file : table->file, file != NULL);
		if (r)
			return r;
	}
	r = load_environment(table, target);
	if (r)
		return r;
	return walk_arguments(table, target, argc, argv, a);
}

int conf_load(const struct conf_table *table, void *target, int argc, char **argv, int *ret_exit,
	      int *ret_rest, size_t *ret_n_rest)
{
	struct conf_args a = {.ret_rest = ret_rest};
	int r;

	*ret_exit = -1;
	r = walk_arguments(table, NULL, argc, argv, &a);
	if (r == 0 && (a.help || a.version)) {
		if (a.help)
			print_help(table);
		else
			printf("%s %s\n", table->program, QMESH_VERSION);
		*ret_exit = 0;
	} else if (r == 0) {
		r = load_all(table, target, argc, argv, &a);
		if (r == 0 && table->check)
			r = table->check(target);
		if (r == 0 && a.check) {
			printf("%s: the configuration is fine\n", table->program);
			*ret_exit = 0;
		}
	}
	if (r) {
		conf_done(table, target);
		*ret_exit = 1;
		return r;
	}
	*ret_n_rest = a.n_rest;
	return 0;
}

void conf_done(const struct conf_table *table, void *target)
{
	for (size_t i = 0; i < table->n_keys; i++) {
		char **slot = (char **)((char *)target + table->keys[i].offset);

		if (table->keys[i].type == CONF_STRING) {
			free(*slot);
			*slot = NULL;
		}
	}
}
