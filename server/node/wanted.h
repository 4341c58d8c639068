/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members -> the peers that our interface should have, with preshared keys and
 * endpoints. For the whole list, and for a few members of it.
 */
#ifndef QM_WANTED_H
#define QM_WANTED_H

#include "server/peers/view.h"
#include "server/wg/wglist.h"

struct applier;

/*
 * members: all, or some; tenant, promotions, lease and keys are the applier's. A peer that cannot
 * be is told to applier_note_failed; peers of both results are in one order but for those.
 * ret_view borrows from members. -ENOMEM.
 */
int wanted_make(struct applier *a, const struct members *members, struct view *ret_view,
		struct wg_list *ret_wanted) _must_check_;

#endif
