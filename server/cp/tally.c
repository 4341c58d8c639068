/* SPDX-License-Identifier: Apache-2.0 */
/* The names as /metrics has them; docs/operations.md explains them. */
#include "server/cp/tally.h"

static const char *const names[] = {
	[TALLY_EVENTS] = "qmesh_fanout_events_total",
	[TALLY_SENT] = "qmesh_fanout_sent_total",
	[TALLY_SNAPSHOTS] = "qmesh_fanout_snapshots_total",
	[TALLY_SNAPSHOTS_SENT] = "qmesh_fanout_snapshots_sent_total",
	[TALLY_DELTAS] = "qmesh_fanout_deltas_total",
	[TALLY_CURRENT] = "qmesh_hellos_total{list=\"current\"}",
	[TALLY_RESUMED] = "qmesh_hellos_total{list=\"resumed\"}",
	[TALLY_HEADS_BAD] = "qmesh_heads_total{proof=\"bad\"}",
	[TALLY_HEADS_AHEAD] = "qmesh_heads_total{proof=\"ahead\"}",
	[TALLY_HELLOS_LATER] = "qmesh_hellos_later_total",
	[TALLY_RESYNC_QUEUE] = "qmesh_resyncs_total{cause=\"queue\"}",
	[TALLY_RESYNC_EPOCH] = "qmesh_resyncs_total{cause=\"epoch\"}",
	[TALLY_RESYNC_GAP] = "qmesh_resyncs_total{cause=\"gap\"}",
	[TALLY_RESYNC_DIGEST] = "qmesh_resyncs_total{cause=\"digest\"}",
	[TALLY_DIGEST_BAD] = "qmesh_digest_mismatches_total",
	[TALLY_INSPECTED] = "qmesh_interfaces_inspected_total",
	[TALLY_INTERFACE_BAD] = "qmesh_interface_mismatches_total",
	[TALLY_REPORTS_LATER] = "qmesh_reports_later_total",
};

_Static_assert(ARRAY_LEN(names) == TALLY_MAX, "each has a name");

void tally_print(struct tally *t, struct text *out)
{
	for (size_t i = 0; i < TALLY_MAX; i++)
		text_addf(out, "%s %llu\n", names[i],
			  (unsigned long long)atomic_load_explicit(&t->n[i], memory_order_relaxed));
}
