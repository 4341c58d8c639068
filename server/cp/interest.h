/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who looks at statuses, and whom they are asked from. A page is opened at one
 * node, or here: all nodes of the tenant are asked to report at once, however
 * many look, twice a minute at most; who looks is told what they report. Belongs
 * to the hub's thread, as rooms do.
 */
#ifndef QM_INTEREST_H
#define QM_INTEREST_H

#include "server/cp/room.h"

/* Somebody looks at this node's page (nil: at the Control Panel's). */
void interest_shown(struct room *room, const struct uuid *node);
/* Statuses that are left of what it asked for, when it has read the rest; true: more are left. */
bool interest_go_on(struct stream *stream);
/* A stream that begins, or was behind, does not know that the others were asked. */
void interest_greet(struct stream *stream);
/* Statuses that a node reported, for the nodes that are interested. */
void interest_relay(struct room *room, const struct uuid *from, struct frame *frame);

#endif
