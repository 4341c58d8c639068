/* SPDX-License-Identifier: Apache-2.0 */
/* Small files with secrets, 0600: read with care, written whole or not at all. */
#ifndef QM_SECRETFILE_H
#define QM_SECRETFILE_H

#include <stddef.h>

#include "base/cleanup.h"

/* A plain file of this user that nobody else may read? -ENOENT, -EPERM. */
int secretfile_check(const char *path) _must_check_;
/* Exactly len bytes. -ENOENT, -EPERM, -EBADMSG. */
int secretfile_read(const char *path, void *ret, size_t len) _must_check_;
/* A text of less than cap bytes, with its NUL. -ENOENT, -EPERM, -EBADMSG. */
int secretfile_load(const char *path, char *ret, size_t cap, size_t *ret_len) _must_check_;
/* The same of a file that others may read too. */
int secretfile_load_public(const char *path, char *ret, size_t cap, size_t *ret_len) _must_check_;
/* Written aside, synced, put in place, the folder synced. */
int secretfile_write(const char *path, const void *p, size_t len) _must_check_;
/* The same for a certificate, 0644. */
int secretfile_write_public(const char *path, const void *p, size_t len) _must_check_;

#endif
