/* SPDX-License-Identifier: Apache-2.0 */
/* Files with secrets: mode 0600, there whole or not at all. */
#ifndef QM_OUTFILE_H
#define QM_OUTFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/cleanup.h"

/* A file being written beside its final name. */
struct outfile {
	int fd;
	char *path, *temporary;
};

/*
 * Makes the temporary file: what can fail fails here, before the secret
 * exists. -EEXIST: path is there and replace is not set; -errno.
 */
int outfile_open(const char *path, bool replace, struct outfile *ret_file) _must_check_;
/* Writes, syncs, renames. -errno; the file is closed in any case. */
int outfile_commit(struct outfile *f, const void *p, size_t len) _must_check_;
/* Removes the temporary file unless committed. */
void outfile_done(struct outfile *f);
/* Reads a small file whole, at most max bytes, NUL added; "-" is stdin. Wiped by the caller. */
int outfile_read(const char *path, size_t max, char **ret_text, size_t *ret_len) _must_check_;

#endif
