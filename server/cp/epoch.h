/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The epoch of a tenant's log: a new one when a node proves, by a head that we
 * signed, that the store is not the one it was: gone back behind what was
 * published, or gone on differently from there.
 */
#ifndef QM_EPOCH_H
#define QM_EPOCH_H

#include "quazzar/mesh/v1/agent.pb-c.h"
#include "server/cp/cp.h"

/* A place in a tenant's log; zero: none. */
struct epoch_position {
	uint64_t epoch, generation;
};

/*
 * Before a node's stream begins: where it goes on from, as far as its head
 * proves it. A head that cannot be verified proves nothing: it is audited, the
 * node gets a snapshot.
 */
int epoch_check(struct call *call, const Pb__SubscribeRequest *hello,
		struct epoch_position *ret_from) _must_check_;

#endif
