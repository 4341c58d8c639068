/* SPDX-License-Identifier: Apache-2.0 */
/* The words and flags of one command line, checked against what the command takes. */
#ifndef QM_ARGS_H
#define QM_ARGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

#define ARGS_MAX 32

struct flag {
	const char *name; /* with the dashes */
	const char *meta; /* "FILE"; NULL: a switch */
	const char *help;
};

struct args {
	const char *words[ARGS_MAX];
	size_t n_words;
	struct {
		const struct flag *flag;
		const char *value;
	} flags[ARGS_MAX];
	size_t n_flags;
	char why[200]; /* after -EINVAL */
};

/*
 * Reads argv[*i...] and moves *i. Flags come from both lists (each ended by a
 * NULL name); "--" ends flags. stop_at_word: stops at the first word.
 * -EINVAL: args->why says what is wrong.
 */
int args_parse(struct args *args, int argc, char **argv, int *i, const struct flag *const lists[2],
	       bool stop_at_word) _must_check_;
bool args_has(const struct args *args, const char *name);
/* The last value of a flag or NULL. */
const char *args_value(const struct args *args, const char *name);
/* The n-th value of a flag that may be repeated, from 0, or NULL. */
const char *args_nth(const struct args *args, const char *name, size_t n);
/* "250ms", "5s", "2m", "8h"; -EINVAL. */
int args_duration(const char *s, uint64_t max_ms, uint64_t *ret_ms) _must_check_;

#endif
