/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the store, which knows how its last writes went. */
#include "server/cp/cphealth.h"

#include "server/cp/cp.h"
#include "server/cp/headsign.h"

void cphealth_probe(void *owner, struct health_report *report)
{
	struct cp *cp = owner;

	switch (store_look(cp->store)) {
	case STORE_WELL:
		break;
	case STORE_REFUSES:
		health_say(report, "STORE_REFUSES", false,
			   "The last write to the store failed. What was stored is served; see the "
			   "log and the disk's free space.");
		break;
	case STORE_CLOSED:
		health_say(report, "STORE_CLOSED", true,
			   "The store cannot be opened for writing; see the log.");
	}
	if (headsign_is_late(cp->headsign))
		health_say(report, "AUDIT_HEADS_LATE", false,
			   "The signed heads of this day's audit could not be kept; see the log "
			   "and audit_heads_dir.");
}
