/* SPDX-License-Identifier: Apache-2.0 */
/* Who calls: the authenticate and licence hooks of the Control Panel. */
#ifndef QM_CREDENTIAL_H
#define QM_CREDENTIAL_H

#include "server/cp/cp.h"

/*
 * A node by its CC-agent token; beside it a person by x-qmesh-user; a person
 * by Bearer token or cookie; the operator by the Unix socket. Sessions and
 * nodes are looked up at every call.
 */
int credential_authenticate(struct call *call, void *owner);
/* Does the tenant's plan have the method? */
int credential_licence(struct call *call, void *owner);

#endif
