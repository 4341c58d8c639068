/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keyring on disk: <state_dir>/keys (0700) holds one file per private half
 * (0600) and the file "ring", which says of each key what it is and was:
 *
 *   qmesh-ring/1
 *   sessions 2 active kid=5f… public=9c… made=1790000000000 active=1790000000000
 *   sessions 1 retiring kid=01… public=77… made=… active=… until=1790028800000
 *
 * Words that are not known are passed over, so that a later program may add some.
 * A directory without "ring" is one of the time when each purpose had one key: its
 * files are taken as they are, the highest version as the active one.
 *
 * A private half is on the disk before the ring names it, and goes after the ring
 * has said that it is not needed: killed at any moment, the directory can be used.
 */
#ifndef QM_RINGFILE_H
#define QM_RINGFILE_H

#include "server/cp/keyring.h"

/* Rows at most: what was retired long ago goes first, but for "audit". */
#define RINGFILE_MAX_ROWS 512

struct ring_row {
	struct keyring_info info;
	union {
		uint8_t sign[SIGN_SECRET_LEN];
		struct key psk;
	} secret;
	unsigned holds; /* of a psk: calls that are about to name it */
	bool lost;      /* it signed, and its file is gone */
	bool adopted;   /* a file that no row named */
};

struct ring {
	struct ring_row *rows;
	size_t n;
};

void ringfile_done(struct ring *ring); /* wipes */
/*
 * The ring of a directory, whole: what is missing is made, a private half that
 * is gone ends its key. -EPERM for files that others may read, -EBADMSG.
 */
int ringfile_load(const char *state_dir, int64_t now_ms, struct ring *ret) _must_check_;
/* As one step; what the rows do not need any more is removed afterwards. */
int ringfile_save(const char *state_dir, const struct ring *ring) _must_check_;
/* Room for one more row behind those of from; wipe both. */
int ringfile_copy(const struct ring *from, struct ring *ret) _must_check_;
/* A new key as the last row, its private half on the disk. The ring does not say so yet. */
int ringfile_make(const char *state_dir, struct ring *ring, enum keyring_use use, int64_t now_ms)
	_must_check_;
/* Ends a key: its private half goes with the next ringfile_save. */
void ringfile_retire(struct ring_row *row, int64_t now_ms, bool cut);
/* The live key that signs; NULL: none. */
struct ring_row *ringfile_active(const struct ring *ring, enum keyring_use use);
/* Path of a key's file; ret holds PATH_MAX. -ENAMETOOLONG. */
int ringfile_path(const char *state_dir, enum keyring_use use, uint32_t version, char *ret)
	_must_check_;

#endif
