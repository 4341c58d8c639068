/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store that comes back from a backup is not the store that was: what was
 * committed after the backup is gone, and nodes have seen some of it.
 */
#ifndef QM_REVIVAL_H
#define QM_REVIVAL_H

#include "server/store/store.h"

/*
 * Opens the file, brings its schema up to date and marks it as restored, in one
 * transaction: each tenant gets a new epoch, so that its nodes take a whole new
 * list; sessions end and unused join tokens are void, for those that were used
 * or ended since would be good again; each audit gets a row. made_ms: time of
 * the backup. Errors as store_open.
 */
int revival_run(const char *path, int64_t made_ms, int64_t now_ms) _must_check_;

#endif
