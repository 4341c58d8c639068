/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who calls, at a node: sessions checked by the Control Panel's keys without
 * asking it, so that reading works while it is away. The hooks of the node.
 */
#ifndef QM_NODEAUTH_H
#define QM_NODEAUTH_H

#include "base/cleanup.h"
#include "server/rpc/call.h"

/* 0, ERR_TOKEN_INVALID. Sessions of this node only; the Unix socket's operator reads as ADMIN. */
int nodeauth_authenticate(struct call *call, void *owner);
/* 0, ERR_PLAN_LACKS_FEATURE. */
int nodeauth_licence(struct call *call, void *owner);
/* The session the caller gave, or NULL: what a forwarded call carries. */
const char *nodeauth_session(const struct call *call);

#endif
