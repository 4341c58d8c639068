/* SPDX-License-Identifier: Apache-2.0 */
/* The files of backups as the command line meets them: a pair of keys, and what is sealed. */
#ifndef QM_SEALFILE_H
#define QM_SEALFILE_H

#include "base/sealed.h"
#include "client/cli/command.h"

/* A pair into path (private, 0600) and path.pub. An exit code after saying why. */
int sealfile_make_pair(const char *path) _must_check_;
/* The public key that a file holds. An exit code after saying why. */
int sealfile_read_public(const char *path, struct key *ret_public) _must_check_;

/* A backup, opened. */
struct sealfile {
	struct sealed_head head;
	uint8_t *plain; /* wiped by sealfile_done */
	size_t len;
};

/* An exit code after saying why: EXIT_CHECK_FAILED when the file is not what it should be. */
int sealfile_open(const char *path, const char *private_path, struct sealfile *ret) _must_check_;
void sealfile_done(struct sealfile *f);

#endif
