/* SPDX-License-Identifier: Apache-2.0 */
/* MeshService at a node, the mesh as a whole: state, nodes, plan, peers, refresh, events. */
#ifndef QM_NODESTATE_H
#define QM_NODESTATE_H

#include "quazzar/mesh/v1/mesh.pb-c.h"

struct call;

int nodestate_get(struct call *call, const Pb__GetStateRequest *in, Pb__GetStateResponse *out);
int nodestate_features(struct call *call, const Pb__GetOrbitFeaturesRequest *in,
		       Pb__GetOrbitFeaturesResponse *out);
int nodestate_nodes(struct call *call, const Pb__ListNodesRequest *in, Pb__ListNodesResponse *out);
int nodestate_ca(struct call *call, const Pb__GetMeshCaRequest *in, Pb__GetMeshCaResponse *out);
int nodestate_peers(struct call *call, const Pb__ListPeersRequest *in, Pb__ListPeersResponse *out);
int nodestate_refresh(struct call *call, const Pb__RefreshRequest *in, Pb__RefreshResponse *out);
int nodestate_watch(struct call *call, const Pb__WatchStateRequest *in);

#endif
