/* SPDX-License-Identifier: Apache-2.0 */
/* The tenant's nodes: who they are, how they join and how they leave. */
#ifndef QM_FLEET_H
#define QM_FLEET_H

#include "quazzar/mesh/v1/admin.pb-c.h"
#include "quazzar/mesh/v1/agent.pb-c.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"
#include "server/cp/cp.h"

/* At start: every node is known, and away until it subscribes. */
int fleet_load(struct cp *cp) _must_check_;

int fleet_list(struct call *call, const Pb__ListNodesRequest *in, Pb__ListNodesResponse *out);
int fleet_list_tenant(struct call *call, const Pb__ListTenantNodesRequest *in,
		      Pb__ListTenantNodesResponse *out);
int fleet_remove(struct call *call, const Pb__RemoveNodeRequest *in, Pb__RemoveNodeResponse *out);

#endif
