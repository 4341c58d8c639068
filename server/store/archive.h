/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is inside a backup: the files of a Control Panel's state directory, one
 * after the other, each as name length (1), name, size (8, big-endian), bytes;
 * a name length of 0 ends them.
 *
 *   program         version of the program that made it, text
 *   store.db        the store as one moment had it
 *   ca.pem          certificate of the listener's own key
 *   keys/NAME.key   the root keys, but for sessions.key: after a restore
 *                   everybody signs in again, so that no session lives on
 *                   that was ended since
 *   keys/ring       which of them is what
 *
 * Memory is the caller's; nothing here writes to a disk but archive_unpack.
 */
#ifndef QM_ARCHIVE_H
#define QM_ARCHIVE_H

#include <stdint.h>

#include "server/store/inspect.h"

enum { ARCHIVE_FILES_MAX = 64, ARCHIVE_NAME_MAX = 80 };

struct archive_file {
	char name[ARCHIVE_NAME_MAX + 1];
	uint8_t *p;
	size_t len;
	bool owned; /* wiped and freed by archive_done */
};

struct archive {
	struct archive_file files[ARCHIVE_FILES_MAX];
	size_t n_files;
};

/* Reads the store's image and the files beside it. -ENOMEM, -errno. */
int archive_collect(struct store *store, const char *state_dir, struct archive *ret) _must_check_;
void archive_done(struct archive *a);
/* Bytes of the whole. */
uint64_t archive_len(const struct archive *a);
/* Copies at most cap bytes from offset on; how many: less than cap only at the end. */
size_t archive_read(const struct archive *a, uint64_t offset, uint8_t *ret, size_t cap);

/* Borrows p, which stays the caller's. -EBADMSG. */
int archive_parse(uint8_t *p, size_t len, struct archive *ret) _must_check_;
const struct archive_file *archive_find(const struct archive *a, const char *name);
/* The store as inspect_image, and every key that it needs. Same answers. */
int archive_check(const struct archive *a, inspect_fn fn, void *arg,
		  struct inspect_report *ret_report) _must_check_;
/* All files into a directory that is there and empty (0600, synced). */
int archive_unpack(const struct archive *a, const char *dir) _must_check_;

#endif
