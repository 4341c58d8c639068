/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Few devices changed and what the interface has is known: only what they have
 * and had is compared and sent, and nothing is read. The same view, the same
 * comparison and the same message as for the whole list, made from a part of it.
 */
#ifndef QM_SHORTCUT_H
#define QM_SHORTCUT_H

#include <stdbool.h>

struct applier;

/*
 * Takes the touched devices to the interface, and a->map, a->digest and a->n_peers with it. False:
 * they, or what the interface says, are no case for this; the whole list is to be looked at, after
 * the interface was read.
 */
bool shortcut_take(struct applier *a);

#endif
