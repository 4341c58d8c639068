/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last good list, its head, promotions and keys in one file, so that a
 * node starts and forwards while the Control Panel is away.
 */
#ifndef QM_NODECACHE_H
#define QM_NODECACHE_H

#include "server/node/replica.h"

/* Atomic, 0600. Takes the read lock while it collects. */
int nodecache_save(const char *state_dir, struct replica *r) _must_check_;
/* Into a fresh replica. -ENOENT: none; -EBADMSG: damaged or of another tenant, start anew. */
int nodecache_load(const char *state_dir, struct replica *r) _must_check_;

#endif
