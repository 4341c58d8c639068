/* SPDX-License-Identifier: Apache-2.0 */
/* Nodes that are not up to date, by name and in words, for people. */
#ifndef QM_LAGGARDS_H
#define QM_LAGGARDS_H

#include "quazzar/mesh/v1/device.pb-c.h"
#include "server/cp/census.h"
#include "server/store/store.h"

/* Counts and laggards of a state; members in the arena. */
int laggards_fill(struct txn *txn, struct arena *arena, const struct uuid *tenant,
		  const struct census *census, Pb__State *s) _must_check_;
/* Why, with the name of the peer that was refused. */
int laggards_words(struct txn *txn, const struct uuid *tenant, const struct lag *lag,
		   char ret[LAG_WORDS_MAX]) _must_check_;

#endif
