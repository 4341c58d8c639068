/* SPDX-License-Identifier: Apache-2.0 */
/*
 * GET /metrics in Prometheus' text form, on a loopback listener and server of
 * its own. Sums only: nothing of a single tenant, device or key.
 */
#ifndef QM_METRICS_H
#define QM_METRICS_H

#include "server/cp/cp.h"
#include "server/rpc/server.h"

struct metrics;

/* watched is the server whose counters are told; borrowed. */
int metrics_new(struct cp *cp, struct server *watched, struct metrics **ret_metrics) _must_check_;
void metrics_free(struct metrics *m);
CLEANUP_DEFINE(struct metrics, metrics_free);

#endif
