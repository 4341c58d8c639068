/* SPDX-License-Identifier: Apache-2.0 */
/* Files with secrets: does anybody else own or read them? */
#ifndef QM_OWN_H
#define QM_OWN_H

#include "base/cleanup.h"

/*
 * An open file that nobody else may read or own, or a directory that nobody else may write.
 * -EPERM, with the path, what is wrong and what to do about it in one line of the log.
 */
int own_check(int fd, const char *path) _must_check_;
/* The same of what is opened by its path, never through a link; -ENOENT is not logged. */
int own_check_path(const char *path) _must_check_;
/* Opens it for reading after own_check; else as own_check_path. */
int own_open(const char *path, int *ret_fd) _must_check_;

#endif
