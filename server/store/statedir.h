/* SPDX-License-Identifier: Apache-2.0 */
/* The directory of one Control Panel: who holds it works with what is in it. */
#ifndef QM_STATEDIR_H
#define QM_STATEDIR_H

#include <stdbool.h>

#include "base/cleanup.h"

/*
 * Takes the directory, made (0700) if it is not there, until the descriptor is
 * closed or the process ends. -EBUSY: another process has it.
 */
int statedir_take(const char *path, int *ret_fd) _must_check_;
/* Nothing in it, or not there at all; -errno. */
int statedir_is_empty(const char *path, bool *ret_empty) _must_check_;

#endif
