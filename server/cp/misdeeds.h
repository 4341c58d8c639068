/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What nodes did that a sound node does not do: counted in memory, one audit
 * row per node and kind a minute, so that a node that lies without end costs
 * its tenant no more than that. Any thread.
 */
#ifndef QM_MISDEEDS_H
#define QM_MISDEEDS_H

#include "server/cp/cp.h"

struct misdeeds;

struct misdeeds *misdeeds_new(void);
void misdeeds_free(struct misdeeds *m);

/* By the node that calls. action and words are constants: "node.head", and what it was. */
void misdeeds_note(struct misdeeds *m, const struct call *call, const char *action,
		   const char *words);
/* Writes what was counted. */
void misdeeds_flush(struct cp *cp);

#endif
