/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wanted against running: the smallest change. Sessions of peers that stay are
 * never touched: an address moves by being added to its new peer, one that
 * ends on a peer that stays goes with a throw-away peer, nothing is ever
 * removed and added again. Pure.
 */
#ifndef QM_SYNC_H
#define QM_SYNC_H

#include "server/wg/wglist.h"

/* Free with wgdelta_done. A prefix wanted twice belongs to the first peer. -ENOMEM. */
int sync_make(const struct wg_list *wanted, const struct wg_list *running,
	      struct wg_delta *ret_delta) _must_check_;

#endif
