/* SPDX-License-Identifier: Apache-2.0 */
/* What a node reports, and what it may ask for. */
#ifndef QM_AGENTS_H
#define QM_AGENTS_H

#include "quazzar/mesh/v1/agent.pb-c.h"
#include "server/cp/cp.h"

/* Hook of services: a report is counted before it is decoded, whatever it holds. */
int agents_admit(struct call *call, void *owner);
int agents_report(struct call *call, const Pb__ReportRequest *in, Pb__ReportResponse *out);
int agents_peers(struct call *call, const Pb__GetNodePeersRequest *in,
		 Pb__GetNodePeersResponse *out);

#endif
