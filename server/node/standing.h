/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where all nodes of the tenant are with the newest generation, as the Control
 * Panel said last. Part of the replica, under its lock.
 */
#ifndef QM_STANDING_H
#define QM_STANDING_H

#include "base/arena.h"
#include "quazzar/mesh/v1/agent.pb-c.h"
#include "server/peers/lag.h"
#include "server/peers/members.h"

struct standing {
	bool is_known;
	uint64_t generation;
	uint32_t n_nodes, n_current, n_lagging, n_named;
	struct lag named[LAG_MAX_NAMED]; /* of those that lag, the longest first */
};

void standing_take(struct standing *s, const Pb__Convergence *event);
/* Counts and laggards of a state, names from the list; members in the arena. -ENOMEM. */
int standing_fill(const struct standing *s, const struct members *list, struct arena *a,
		  Pb__State *state) _must_check_;
/* State and words of one node. -ENOMEM. */
int standing_node(const struct standing *s, const struct members *list, struct arena *a,
		  const struct uuid *id, Pb__Node *node) _must_check_;
/* The same for lag of any source. -ENOMEM. */
int standing_words(const struct members *list, struct arena *a, const struct lag *lag,
		   Pb__Node *node) _must_check_;

#endif
