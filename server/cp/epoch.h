/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The epoch of a tenant's log: a new one when a node proves, by a head that we
 * signed, that the store has gone back behind what was published.
 */
#ifndef QM_EPOCH_H
#define QM_EPOCH_H

#include "quazzar/mesh/v1/agent.pb-c.h"
#include "server/cp/cp.h"

/*
 * Before a node's stream begins. A head that cannot be verified proves nothing:
 * it is logged, the node gets a snapshot like everybody.
 */
int epoch_check(struct call *call, const Pb__SubscribeRequest *hello) _must_check_;

#endif
