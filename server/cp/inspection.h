/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Has a node's interface the peers that follow from its list? A node says what it
 * has as a device digest; what it should be is worked out here, by the same view
 * as there, once for each node and generation and never for longer than a
 * fiftieth of the time: in a large mesh it takes minutes until all were looked at.
 * Any thread.
 */
#ifndef QM_INSPECTION_H
#define QM_INSPECTION_H

#include "quazzar/mesh/v1/agent.pb-c.h"
#include "server/cp/cp.h"
#include "server/store/tenant_row.h"

/* So long it may be on its way: an interface that was lost is made anew. */
#define INSPECTION_SETTLE_MS 2000
#define INSPECTION_SHARE 50

struct inspection;

struct inspection *inspection_new(struct cp *cp);
void inspection_free(struct inspection *i);

/*
 * The report of a node whose list is right, beside what the store has. True: its
 * interface has other peers, and that was so some time ago already.
 */
bool inspection_differs(struct inspection *i, const struct tenant_row *tenant,
			const struct uuid *node, const Pb__ReportRequest *report);
void inspection_forget(struct inspection *i, const struct uuid *node);

#endif
