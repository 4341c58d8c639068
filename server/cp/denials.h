/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Refusals of callers that nobody knows, counted in memory: one audit row per
 * reason and address a minute, so that strangers cannot fill a tenant's audit.
 * The row goes to the tenant of the node that they came through, or to the only
 * tenant there is; with several tenants a line in the log has to do. Any thread.
 */
#ifndef QM_DENIALS_H
#define QM_DENIALS_H

#include "server/cp/cp.h"

#define DENIALS_PERIOD_MS 60000

struct denials;

struct denials *denials_new(void);
void denials_free(struct denials *d);

/* A refusal; those that say nothing about who may come in are passed over. */
void denials_count(struct denials *d, const struct call *call, int refusal);
/* Writes what was counted. */
void denials_flush(struct cp *cp);

#endif
