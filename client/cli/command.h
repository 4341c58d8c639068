/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of a sub-command. Each cmd_*.c has one table of them; command.c
 * puts the tables together; help and completion are made from them.
 */
#ifndef QM_COMMAND_H
#define QM_COMMAND_H

#include "client/cli/args.h"
#include "client/qmesh.h"

/* Exit codes; also in the manual page. */
enum exit_code {
	EXIT_DONE = 0,
	EXIT_OTHER = 1,
	EXIT_USAGE = 2,
	EXIT_UNREACHABLE = 3,
	EXIT_NOT_SIGNED_IN = 4,
	EXIT_NOT_ALLOWED = 5,
	EXIT_NOT_FOUND = 6,
	EXIT_CONFLICT = 7,
	EXIT_RATE_LIMITED = 8,
	EXIT_TIMED_OUT = 9,
	EXIT_CHECK_FAILED = 10,
};

/* What a command works with; main.c owns it. */
struct cli {
	const struct command *command;
	struct args args; /* flags of all kinds; words after the command's name */
	bool json;
	/* Of reach.c. */
	struct qm_client *client;
	bool people; /* not an operator's command */
	char server[300];
	char *token; /* wiped; NULL: not signed in */
	char *authorization;
	struct qm_md md[2];
	struct qm_call_options call;
};

struct command {
	const char *name;  /* "device add" */
	const char *words; /* "LABEL"; "" */
	const char *help;  /* one line */
	unsigned min_words, max_words;
	const struct flag *flags; /* ended by a NULL name; NULL: none */
	int (*run)(struct cli *cli);
};

/* Tables, each ended by a NULL name. */
extern const struct command cmd_session_table[];
extern const struct command cmd_token_table[];
extern const struct command cmd_status_table[];
extern const struct command cmd_audit_table[];
extern const struct command cmd_heads_table[];
extern const struct command cmd_device_table[];
extern const struct command cmd_issue_table[];
extern const struct command cmd_node_table[];
extern const struct command cmd_ca_table[];
extern const struct command cmd_admin_table[];
extern const struct command cmd_key_table[];
extern const struct command cmd_licence_table[];
extern const struct command cmd_backup_table[];
extern const struct command cmd_about_table[];

/* All commands in the order of help; NULL after the last. */
const struct command *command_nth(size_t n);
/* Flags that every command takes. */
extern const struct flag command_flags[];

#endif
