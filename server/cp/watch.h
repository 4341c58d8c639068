/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WatchState at the Control Panel: one message at once, one at each change,
 * several changes in one when they come fast.
 */
#ifndef QM_WATCH_H
#define QM_WATCH_H

#include "quazzar/mesh/v1/mesh.pb-c.h"
#include "server/cp/cp.h"

enum { WATCH_STATE = 1, WATCH_DEVICES = 2, WATCH_NODES = 4 };

struct watch;

struct watch *watch_new(struct cp *cp);
void watch_free(struct watch *w);

int watch_state(struct call *call, const Pb__WatchStateRequest *in);
/* Any thread. */
void watch_changed(struct watch *w, const struct uuid *tenant, unsigned topics);
/* The streams of a session end with it. */
void watch_revoked(struct watch *w, const struct uuid *session);
/* The hub's thread: sends what changed. */
void watch_flush(struct watch *w);

#endif
