/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node that only listens: subscribes to a panel and keeps the real node's
 * replica. What it holds is compared with the store.
 */
#ifndef QM_FOLLOWER_H
#define QM_FOLLOWER_H

#include "server/node/replica.h"
#include "tests/support/panel.h"

struct follower {
	struct panel *panel;
	struct panel_answer *stream;
	struct panel_who who;
	struct replica replica;
	bool lost; /* must subscribe anew */
	unsigned n_subscribed;
};

/* token is borrowed. -errno. */
int follower_init(struct follower *f, struct panel *p, const struct panel_who *who,
		  const struct uuid *node, const struct uuid *tenant) _must_check_;
void follower_done(struct follower *f);
/* Until it has this generation, coming back as a node would; false after 20 s. */
bool follower_settles(struct follower *f, uint64_t generation);
/* Of the list it holds. */
struct digest follower_digest(struct follower *f);
bool follower_knows_revoked(struct follower *f, const struct uuid *session);

#endif
