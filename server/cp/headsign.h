/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads of audit chains, signed: of each tenant once a day (UTC) into the store
 * and, with audit_heads_dir, a file a day; of any at any time for who asks. A day
 * on which the daemon did not run has none: what it ran before is covered by the
 * next one. The ticker's thread signs; handlers run on any.
 */
#ifndef QM_HEADSIGN_H
#define QM_HEADSIGN_H

#include "quazzar/mesh/v1/admin.pb-c.h"
#include "server/cp/cp.h"

struct headsign;

/* NULL: out of memory. */
struct headsign *headsign_new(struct cp *cp);
void headsign_free(struct headsign *h);
/* What is due: by the ticker, at start and each second. */
void headsign_tick(struct headsign *h);
/* The heads of this day could not be stored, or not be written to audit_heads_dir. */
bool headsign_is_late(struct headsign *h);

int headsign_sign(struct call *call, const Pb__SignAuditHeadsRequest *in,
		  Pb__SignAuditHeadsResponse *out);

#endif
