/* SPDX-License-Identifier: Apache-2.0 */
/* Who waits for the keeper: told once, on its thread, how it ended. */
#ifndef QM_WAITERS_H
#define QM_WAITERS_H

#include <stddef.h>

#define WAITERS_MAX 1024

/* result: 0 or an enum err. */
typedef void (*waiters_fn)(void *arg, int result);

struct waiters {
	struct {
		waiters_fn fn;
		void *arg;
	} rows[WAITERS_MAX];
	size_t n;
};

/* Where there is no room it is told ERR_CP_UNREACHABLE at once. */
void waiters_add(struct waiters *w, waiters_fn fn, void *arg);
/* All of from go to w; from is empty then. */
void waiters_move(struct waiters *w, struct waiters *from);
/* Tells that one ERR_CANCELLED, if it waits here. */
void waiters_forget(struct waiters *w, waiters_fn fn, const void *arg);
/* Tells all of them. */
void waiters_run(struct waiters *w, int result);

#endif
