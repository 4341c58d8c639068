/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What changes of the list touch since they were applied last: ids, and what
 * those devices had then. The replica writes it down, the applier reads and
 * clears it; both on the keeper's thread.
 */
#ifndef QM_TOUCHED_H
#define QM_TOUCHED_H

#include "server/peers/members.h"

/* Devices; beyond that looking at all of them is no slower. */
#define TOUCHED_MAX 128

struct touched {
	bool all; /* more than is written down here: a node, the tenant, a snapshot, too many */
	struct uuid ids[TOUCHED_MAX];
	/* As they were when first touched: keys of those at home here, and which home held what. */
	struct key keys[2 * TOUCHED_MAX];
	struct {
		struct cidr prefix;
		struct uuid home;
	} claims[2 * TOUCHED_MAX];
	/* Of then and of since. */
	struct uuid homes[2 * TOUCHED_MAX];
	size_t n_ids, n_keys, n_claims, n_homes;
};

/* One change at the node self, as members_ear has it. */
void touched_note(struct touched *t, const struct uuid *self, const struct member *before,
		  const struct member *now);
void touched_clear(struct touched *t);

#endif
