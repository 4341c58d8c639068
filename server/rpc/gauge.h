/* SPDX-License-Identifier: Apache-2.0 */
/* /metrics on a loopback listener of its own: the transport's counters and the daemon's. */
#ifndef QM_GAUGE_H
#define QM_GAUGE_H

#include "base/cleanup.h"
#include "base/text.h"
#include "server/rpc/server.h"

struct gauge;

/*
 * add appends the daemon's "name value\n" lines, on the listener's loop; it
 * must not wait for long. watched is borrowed: free the gauge first.
 */
int gauge_new(const char *address, struct server *watched,
	      void (*add)(void *owner, struct text *out), void *owner, struct gauge **ret_gauge)
	_must_check_;
void gauge_free(struct gauge *g);
CLEANUP_DEFINE(struct gauge, gauge_free);

#endif
