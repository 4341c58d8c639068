/* SPDX-License-Identifier: Apache-2.0 */
#include "server/node/waiters.h"

#include "base/err.h"

void waiters_add(struct waiters *w, waiters_fn fn, void *arg)
{
	if (w->n == WAITERS_MAX) {
		fn(arg, ERR_CP_UNREACHABLE);
		return;
	}
	w->rows[w->n].fn = fn;
	w->rows[w->n++].arg = arg;
}

void waiters_move(struct waiters *w, struct waiters *from)
{
	for (size_t i = 0; i < from->n; i++)
		waiters_add(w, from->rows[i].fn, from->rows[i].arg);
	from->n = 0;
}

void waiters_forget(struct waiters *w, waiters_fn fn, const void *arg)
{
	for (size_t i = 0; i < w->n; i++) {
		void *its = w->rows[i].arg;

		if (w->rows[i].fn != fn || its != arg)
			continue;
		w->rows[i] = w->rows[--w->n];
		fn(its, ERR_CANCELLED);
		return;
	}
}

void waiters_run(struct waiters *w, int result)
{
	for (size_t i = 0; i < w->n; i++)
		w->rows[i].fn(w->rows[i].arg, result);
	w->n = 0;
}
