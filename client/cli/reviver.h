/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Control Panel's state directory made anew from a backup. It is made beside
 * its place, whole, and put there in one step: what fails before leaves
 * everything as it was. Nobody else works with the directory meanwhile.
 */
#ifndef QM_REVIVER_H
#define QM_REVIVER_H

#include "server/store/archive.h"

/*
 * force: what is there is moved aside, and ret_aside is its new name (on the
 * heap; else NULL). -EBUSY: a Control Panel works with it; -EEXIST: it is not
 * empty; -errno.
 */
int reviver_run(const struct archive *archive, int64_t made_ms, const char *state_dir, bool force,
		char **ret_aside) _must_check_;

#endif
