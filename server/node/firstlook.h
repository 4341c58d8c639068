/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What other nodes see is told to those that show interest. Who looks after
 * nobody did shows it, and his answer waits a moment for what comes.
 */
#ifndef QM_FIRSTLOOK_H
#define QM_FIRSTLOOK_H

#include "server/rpc/call.h"

/* fill's answer at once, or CALL_PARKED until others were heard, 300 ms at most. */
int firstlook_answer(struct call *call, int (*fill)(struct call *call));

#endif
