/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration: one table per daemon, read from an INI file (libinih), the
 * environment (QMESH_KEY) and the command line (--key). Later ones win.
 */
#ifndef QM_CONF_H
#define QM_CONF_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

enum conf_type {
	CONF_STRING, /* char *; min/max: length */
	CONF_U64,    /* uint64_t; min/max: range */
	CONF_BOOL,   /* bool: on/off, yes/no, true/false */
	CONF_MS,     /* uint64_t ms: 250ms, 30s, 5m, 24h, 7d */
	CONF_ENUM,   /* int; words separated by | in choices */
};

struct conf_key {
	const char *name; /* as in the file, snake_case */
	enum conf_type type;
	size_t offset;      /* in the daemon's struct */
	const char *preset; /* default as text */
	uint64_t min, max;
	const char *choices;
	const char *help; /* one line for --help and the man page */
};

struct conf_table {
	const char *program;
	const char *file; /* default path; may be absent */
	const struct conf_key *keys;
	size_t n_keys;
	const char *const *own_flags; /* "--teardown", NULL last: left to the caller; may be NULL */
	/* What no single key shows: -EINVAL after saying why on stderr; may be NULL. */
	int (*check)(const void *target);
};

/*
 * Fills target (zeroed by the caller) from presets, file, environment and argv.
 * Extra words that are no --key are left to the caller: their indexes go to
 * ret_rest (argv order), count in ret_n_rest. Knows --config FILE, --check-config,
 * --help, --version (these print and set *ret_exit to 0 or 1, else -1).
 * -EINVAL after saying file:line, key and rule on stderr.
 */
int conf_load(const struct conf_table *table, void *target, int argc, char **argv, int *ret_exit,
	      int *ret_rest, size_t *ret_n_rest) _must_check_;
/* "250ms", "30s", "5m", "24h", "7d". -EINVAL. */
int conf_parse_ms(const char *s, uint64_t *ret_ms) _must_check_;
/* Frees the strings. */
void conf_done(const struct conf_table *table, void *target);

#endif
