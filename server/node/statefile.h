/* SPDX-License-Identifier: Apache-2.0 */
/* Small files in the state directory: whole or not at all, readable by us only. */
#ifndef QM_STATEFILE_H
#define QM_STATEFILE_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

/* Atomic: temporary file, fsync, rename, fsync of the directory. Mode 0600. */
int statefile_write(const char *dir, const char *name, const void *p, size_t len) _must_check_;
/*
 * On the heap with a NUL behind; the caller wipes what is secret. -ENOENT, -EFBIG over max, -EPERM:
 * others own it or may read it, or it is a link; the log says what to do.
 */
int statefile_read(const char *dir, const char *name, size_t max, uint8_t **ret, size_t *ret_len)
	_must_check_;
/* Makes the directory and its parents, 0700. -EPERM: others own it or may write into it. */
int statefile_make_dir(const char *dir) _must_check_;

#endif
