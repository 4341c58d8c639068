/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qmesh, the command line. Finds the sub-command in the tables of cmd_*.c,
 * reads its flags, runs it. Everything a person can do on the page a script
 * can do here: the same calls, the same answers.
 */
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/command.h"
#include "client/cli/print.h"
#include "client/cli/reach.h"

/* Number of words of the name that lead argv; 0: it is another command. */
static int matches(const struct command *c, int argc, char **argv)
{
	const char *name = c->name;
	int n = 0;

	while (*name) {
		size_t len = strcspn(name, " ");

		if (n == argc || strlen(argv[n]) != len || memcmp(argv[n], name, len) != 0)
			return 0;
		n++;
		name += len + (name[len] == ' ');
	}
	return n;
}

static const struct command *find(int argc, char **argv, int *ret_n_words)
{
	const struct command *c, *best = NULL;

	*ret_n_words = 0;
	for (size_t i = 0; (c = command_nth(i)); i++) {
		int n = matches(c, argc, argv);

		if (n > *ret_n_words) {
			*ret_n_words = n;
			best = c;
		}
	}
	return best;
}

static void help_flags(FILE *out, const char *title, const struct flag *flags)
{
	if (!flags || !flags->name)
		return;
	fprintf(out, "\n%s:\n", title);
	for (; flags->name; flags++) {
		char left[64];

		snprintf(left, sizeof(left), "%s%s%s", flags->name, flags->meta ? " " : "",
			 flags->meta ? flags->meta : "");
		fprintf(out, "  %-22s %s\n", left, flags->help);
	}
}

static void help_command(FILE *out, const struct command *c)
{
	fprintf(out, "usage: qmesh %s%s%s%s\n\n%s\n", c->name, c->words[0] ? " " : "", c->words,
		c->flags ? " [flags]" : "", c->help);
	help_flags(out, "flags", c->flags);
	help_flags(out, "flags of every command", command_flags);
}

static bool begins_with(const struct command *c, int n_words, char **words)
{
	const char *name = c->name;

	for (int i = 0; i < n_words; i++) {
		size_t len = strcspn(name, " ");

		if (strlen(words[i]) != len || memcmp(words[i], name, len) != 0)
			return false;
		name += len + (name[len] == ' ');
	}
	return true;
}

/* The commands that begin with these words. How many were listed. */
static size_t help_list(FILE *out, int n_words, char **words)
{
	const struct command *c;
	size_t n = 0;

	for (size_t i = 0; (c = command_nth(i)); i++) {
		char left[80];

		if (!begins_with(c, n_words, words))
			continue;
		snprintf(left, sizeof(left), "%s %s", c->name, c->words);
		fprintf(out, "  qmesh %-32s %s\n", left, c->help);
		n++;
	}
	return n;
}

/* Of a group without its verb, "qmesh admin key", its verbs; of a wrong one, those of its group. */
static bool help_group(FILE *out, int argc, char **argv)
{
	while (argc > 0 && help_list(out, argc, argv) == 0)
		argc--;
	return argc > 0;
}

static int help(int argc, char **argv)
{
	const struct command *c;
	int n;

	c = find(argc, argv, &n);
	if (c && n == argc) {
		help_command(stdout, c);
		return EXIT_DONE;
	}
	if (argc > 0) {
		if (help_group(stdout, argc, argv))
			return EXIT_DONE;
		print_problem("qmesh help lists them all", "no such command: %s", argv[0]);
		return EXIT_USAGE;
	}
	printf("qmesh: the mesh VPN of this machine and its Control Panel\n\n");
	help_list(stdout, 0, NULL);
	help_flags(stdout, "flags of every command", command_flags);
	printf("\nqmesh help COMMAND tells more. Exit codes: 0 done, 1 failed, 2 usage, "
	       "3 unreachable,\n4 not signed in, 5 not allowed, 6 not found, 7 conflict, "
	       "8 rate limited,\n9 timed out waiting, 10 check failed.\n");
	return EXIT_DONE;
}

static int usage(const struct cli *cli, const char *why)
{
	char hint[128];

	if (cli->command)
		snprintf(hint, sizeof(hint), "qmesh help %s", cli->command->name);
	else
		snprintf(hint, sizeof(hint), "qmesh help");
	print_problem(hint, "%s", why);
	return EXIT_USAGE;
}

static int unknown(const struct cli *cli, int argc, char **argv)
{
	char why[200];

	if (argc == 0)
		return usage(cli, "which command?");
	if (help_group(stderr, argc, argv))
		return usage(cli, "which of these?");
	snprintf(why, sizeof(why), "no such command: %.100s", argv[0]);
	return usage(cli, why);
}

static int run(struct cli *cli)
{
	const struct command *c = cli->command;
	int code;

	if (cli->args.n_words < c->min_words)
		return usage(cli, c->words[0] ? "a word is missing" : "something is missing");
	if (cli->args.n_words > c->max_words)
		return usage(cli, "too many words");
	cli->json = args_has(&cli->args, "--json");
	code = c->run(cli);
	reach_close(cli);
	/* A full disk or a closed pipe is a failure too. */
	if (fflush(stdout) != 0 && code == EXIT_DONE) {
		fprintf(stderr, "error: cannot write: %s\n", strerror(errno));
		code = EXIT_OTHER;
	}
	return code;
}

int main(int argc, char **argv)
{
	const struct flag *lists[2] = {command_flags, NULL};
	struct cli cli = {0};
	int i = 1, n;

	setlocale(LC_ALL, "");
	if (args_parse(&cli.args, argc, argv, &i, lists, true) < 0)
		return usage(&cli, cli.args.why);
	argc -= i;
	argv += i;
	if (argc > 0 && strcmp(argv[0], "help") == 0)
		return help(argc - 1, argv + 1);
	if (args_has(&cli.args, "--help"))
		return help(argc, argv);
	cli.command = find(argc, argv, &n);
	if (!cli.command)
		return unknown(&cli, argc, argv);
	lists[1] = cli.command->flags;
	if (args_parse(&cli.args, argc, argv, &n, lists, false) < 0)
		return usage(&cli, cli.args.why);
	if (args_has(&cli.args, "--help")) {
		help_command(stdout, cli.command);
		return EXIT_DONE;
	}
	return run(&cli);
}
