/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Scope exit by the compiler: _cleanup_(x_freep) on a variable frees it on
 * every way out, TAKE(p) hands it over and disarms that.
 */
#ifndef QM_CLEANUP_H
#define QM_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _must_check_ __attribute__((warn_unused_result))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))

/* Hands the pointer over: the variable holds NULL afterwards. */
#define TAKE(p)                                                                                    \
	({                                                                                         \
		__auto_type take_p_ = (p);                                                         \
		(p) = NULL;                                                                        \
		take_p_;                                                                           \
	})

/* Same for a file descriptor: the variable holds -1 afterwards. */
#define TAKE_FD(fd)                                                                                \
	({                                                                                         \
		int take_fd_ = (fd);                                                               \
		(fd) = -1;                                                                         \
		take_fd_;                                                                          \
	})

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

/* Makes fn ## p for _cleanup_: void fnp(type **p). fn must accept NULL. */
#define CLEANUP_DEFINE(type, fn)                                                                   \
	static inline void fn##p(type **p)                                                         \
	{                                                                                          \
		if (*p)                                                                            \
			fn(*p);                                                                    \
	}                                                                                          \
	struct cleanup_needs_semicolon_##fn

static inline void freep(void *p)
{
	free(*(void **)p);
}

static inline void close_fdp(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void fclosep(FILE **f)
{
	if (*f)
		fclose(*f);
}

#endif
