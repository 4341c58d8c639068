/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named points where a crash test lets the process die: QMESH_KILL=name:n
 * kills it with SIGKILL at the n-th passing. Compiled in with
 * QMESH_KILL_POINTS only; nothing otherwise.
 */
#ifndef QM_KILLPOINT_H
#define QM_KILLPOINT_H

#ifdef QMESH_KILL_POINTS
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* passed counts this place alone. */
static inline void killpoint_pass(const char *name, atomic_uint *passed)
{
	const char *want = getenv("QMESH_KILL");
	size_t len = strlen(name);

	if (!want || strncmp(want, name, len) || want[len] != ':')
		return;
	if (atomic_fetch_add(passed, 1) + 1 == (unsigned)atoi(want + len + 1))
		kill(getpid(), SIGKILL);
}

#define KILL_POINT(name)                                                                           \
	do {                                                                                       \
		static atomic_uint passed_;                                                        \
		killpoint_pass((name), &passed_);                                                  \
	} while (0)
#else
#define KILL_POINT(name)                                                                           \
	do {                                                                                       \
	} while (0)
#endif

#endif
