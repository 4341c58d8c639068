/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was committed and nobody was told of: a commit that failed may have
 * landed all the same, and then its handler did not do what follows a commit.
 * The hub finds new generations by itself; ended sessions, removed nodes and
 * another licence are looked up here.
 */
#ifndef QM_UNHEARD_H
#define QM_UNHEARD_H

#include "server/cp/cp.h"

/* There may be something. Any thread; does not block. */
void unheard_note(struct cp *cp);
/* On the ticker's thread: tells it, if there may be something. */
void unheard_tell(struct cp *cp);

#endif
