/* SPDX-License-Identifier: Apache-2.0 */
/* What is due by itself: overlaps that end, last-seen times, old rows. */
#ifndef QM_TICKER_H
#define QM_TICKER_H

#include "server/cp/cp.h"

struct ticker;

/* Runs once before it returns, then on its own thread each second. */
int ticker_new(struct cp *cp, struct ticker **ret_ticker) _must_check_;
void ticker_free(struct ticker *t);

#endif
