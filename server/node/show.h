/* SPDX-License-Identifier: Apache-2.0 */
/* What the replica knows, as messages for people. Memory is the arena's. */
#ifndef QM_SHOW_H
#define QM_SHOW_H

#include "base/arena.h"
#include "base/cleanup.h"
#include "quazzar/mesh/v1/device.pb-c.h"
#include "server/node/pill.h"
#include "server/peers/member.h"

struct node;

/* Takes the read lock. -ENOMEM. */
int show_state(struct node *n, struct arena *a, Pb__State *ret) _must_check_;
/* With the read lock held. NULL: out of memory. */
Pb__Device *show_device(struct node *n, struct arena *a, const struct member *m);
Pb__Node *show_node(struct node *n, struct arena *a, const struct member *m);
enum pill show_pill(struct node *n, const struct member *m);
Google__Protobuf__Timestamp *show_time(struct arena *a, int64_t ms); /* NULL for 0 */

#endif
