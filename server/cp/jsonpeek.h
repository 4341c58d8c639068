/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON of others, whose members we know in part: tokens and key sets. Walked
 * strictly by its grammar; what nobody asks for is skipped. Pure.
 */
#ifndef QM_JSONPEEK_H
#define QM_JSONPEEK_H

#include "base/arena.h"

enum jsonpeek_kind {
	JSONPEEK_STRING,
	JSONPEEK_NUMBER,
	JSONPEEK_OBJECT,
	JSONPEEK_ARRAY,
	JSONPEEK_WORD
};

struct jsonpeek {
	enum jsonpeek_kind kind;
	const char *s; /* a string's content, NUL-terminated; else the text as it stands */
	size_t len;
};

/* name: of an object's member, "" for an array's item. Not 0 ends the walk with it. */
typedef int (*jsonpeek_fn)(void *arg, const char *name, const struct jsonpeek *value);

/*
 * Each member of one object or item of one array. -EBADMSG: no such text, or a
 * name comes twice, or bytes behind it; -ENOMEM; what fn returned.
 */
int jsonpeek_walk(struct arena *arena, const char *text, size_t len, jsonpeek_fn fn, void *arg)
	_must_check_;

#endif
