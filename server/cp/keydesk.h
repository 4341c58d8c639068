/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rotation of root keys as an operation: the operator's calls, and what time
 * does to keys that were rotated. One rotation at a time.
 */
#ifndef QM_KEYDESK_H
#define QM_KEYDESK_H

#include "quazzar/mesh/v1/admin.pb-c.h"
#include "server/cp/cp.h"

int keydesk_list(struct call *call, const Pb__ListKeysRequest *in, Pb__ListKeysResponse *out);
int keydesk_rotate(struct call *call, const Pb__RotateKeyRequest *in, Pb__RotateKeyResponse *out);

/* Before the first call: a rotation in whose midst the last process died goes on. */
int keydesk_start(struct cp *cp) _must_check_;
/* Retires the keys whose time is over; from the ticker. */
void keydesk_tick(struct cp *cp);

#endif
