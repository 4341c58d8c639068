/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server is asked in earnest, told by the test that started it: valid
 * calls, one a line, six fields between tabs, "-" for an empty one:
 *   call  unary|stream|client  /package.Service/Method  authorization  message in hex  JSON
 *   rest  VERB                 /path?query              authorization  -               JSON
 */
#ifndef QM_SEEDS_H
#define QM_SEEDS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct seed {
	bool rest;
	char *how; /* kind of a call, verb of REST */
	char *path;
	char *auth;
	uint8_t *message;
	size_t message_len;
	char *json;
};

struct seeds {
	struct seed *all;
	size_t n;
};

/* 0, or -1 with a line on stderr. */
int seeds_read(const char *file, struct seeds *ret);
void seeds_free(struct seeds *s);

#endif
