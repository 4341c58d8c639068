/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines: words, flags, times, and the tables of commands themselves. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "client/cli/command.h"

static const struct flag globals[] = {
	{"--server", "URL", ""}, {"--json", NULL, ""}, {"--help", NULL, ""}, {NULL, NULL, NULL}};
static const struct flag own[] = {{"--out", "FILE", ""}, {NULL, NULL, NULL}};

static int parse(struct args *args, bool stop, const char **argv)
{
	const struct flag *lists[2] = {globals, own};
	int argc = 0, i = 0;

	while (argv[argc])
		argc++;
	memset(args, 0, sizeof(*args));
	return args_parse(args, argc, (char **)argv, &i, lists, stop) < 0 ? -1 : i;
}

#define ARGV(...) ((const char *[]){__VA_ARGS__, NULL})

static void test_good(void **state)
{
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, false,
			       ARGV("x", "--out", "f", "--server=u=v", "-", "--json", "--", "--y")),
			 8);
	assert_int_equal(a.n_words, 3);
	assert_string_equal(a.words[0], "x");
	assert_string_equal(a.words[1], "-");
	assert_string_equal(a.words[2], "--y");
	assert_string_equal(args_value(&a, "--out"), "f");
	assert_string_equal(args_value(&a, "--server"), "u=v");
	assert_true(args_has(&a, "--json"));
	assert_false(args_has(&a, "--help"));
	assert_int_equal(parse(&a, true, ARGV("--json", "device", "--bad")), 1);
	assert_int_equal(parse(&a, false, ARGV("--out", "1", "--out", "2", "-h")), 5);
	assert_string_equal(args_nth(&a, "--out", 0), "1");
	assert_string_equal(args_nth(&a, "--out", 1), "2");
	assert_null(args_nth(&a, "--out", 2));
	assert_string_equal(args_value(&a, "--out"), "2");
	assert_true(args_has(&a, "--help"));
	assert_int_equal(parse(&a, false, ARGV("--out=")), 1);
	assert_string_equal(args_value(&a, "--out"), "");
}

static void test_bad(void **state)
{
	struct args a;

	(void)state;
	assert_int_equal(parse(&a, false, ARGV("--nope")), -1);
	assert_string_equal(a.why, "unknown flag --nope");
	assert_int_equal(parse(&a, false, ARGV("--jso")), -1);
	assert_int_equal(parse(&a, false, ARGV("--json=1")), -1);
	assert_int_equal(parse(&a, false, ARGV("--out")), -1);
	assert_int_equal(parse(&a, false, ARGV("-x")), -1);
}

static void test_durations(void **state)
{
	static const struct {
		const char *s;
		int64_t ms;
	} rows[] = {{"0s", 0},       {"250ms", 250},
		    {"5s", 5000},    {"2m", 120000},
		    {"1h", 3600000}, {"1d", -1},
		    {"5", -1},       {"", -1},
		    {"s", -1},       {"-1s", -1},
		    {"1.5s", -1},    {"1 s", -1},
		    {"1S", -1},      {"99999999999999999999s", -1},
		    {"61m", -1},     {"5sx", -1}};
	uint64_t ms;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int r = args_duration(rows[i].s, 3600000, &ms);

		assert_int_equal(r, rows[i].ms < 0 ? -EINVAL : 0);
		if (r == 0)
			assert_int_equal(ms, rows[i].ms);
	}
}

/* What help and completion rely on. */
static void test_tables(void **state)
{
	const struct command *c, *d;

	(void)state;
	for (size_t i = 0; (c = command_nth(i)); i++) {
		assert_non_null(c->run);
		assert_true(c->help[0] && c->help[strlen(c->help) - 1] != '.');
		assert_true(c->min_words <= c->max_words);
		for (size_t k = 0; k < i; k++) {
			d = command_nth(k);
			assert_string_not_equal(c->name, d->name);
		}
		for (const struct flag *f = c->flags; f && f->name; f++) {
			assert_int_equal(strncmp(f->name, "--", 2), 0);
			for (const struct flag *g = command_flags; g->name; g++)
				assert_string_not_equal(f->name, g->name);
		}
	}
	assert_true(command_nth(1000) == NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
