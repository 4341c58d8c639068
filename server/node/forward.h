/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that the Control Panel answers: bounds were checked here, the same
 * bytes go on with our CC-agent token and the caller's session.
 */
#ifndef QM_FORWARD_H
#define QM_FORWARD_H

#include "base/cleanup.h"
#include "server/rpc/call.h"

/* CALL_PARKED; ERR_CP_UNREACHABLE while there is no token. */
int forward_call(struct call *call, void *owner);

#endif
