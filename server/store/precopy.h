/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store as it was before its schema was brought up, beside it: PATH without
 * ".db", then "-schema-N.db", N being the schema that it has. For who wants the
 * program before back. The newest one only is kept: one more store of disk.
 */
#ifndef QM_PRECOPY_H
#define QM_PRECOPY_H

#include "server/store/sql.h"

/* Nothing to do for a new store, or one that is up to date. -ENOSPC, -errno: no copy, no upgrade.
 */
int precopy_make(struct sql_db *db, const char *path) _must_check_;

#endif
