/* SPDX-License-Identifier: Apache-2.0 */
/* quazzar.mesh.v1.MeshService: typed handlers. Made from proto/ by scripts/gen; never edited. */
#ifndef QM_GEN_MESH_SERVICE_H
#define QM_GEN_MESH_SERVICE_H

#include "base/method.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

struct call;

/* Who answers each method; NULL: nobody. */
struct mesh_service {
	int (*get_state)(struct call *call, const Pb__GetStateRequest *in,
		Pb__GetStateResponse *out);
	int (*list_devices)(struct call *call, const Pb__ListDevicesRequest *in,
		Pb__ListDevicesResponse *out);
	int (*get_device)(struct call *call, const Pb__GetDeviceRequest *in,
		Pb__GetDeviceResponse *out);
	int (*create_device)(struct call *call, const Pb__CreateDeviceRequest *in,
		Pb__CreateDeviceResponse *out);
	int (*update_device)(struct call *call, const Pb__UpdateDeviceRequest *in,
		Pb__UpdateDeviceResponse *out);
	int (*rotate_device_key)(struct call *call, const Pb__RotateDeviceKeyRequest *in,
		Pb__RotateDeviceKeyResponse *out);
	int (*delete_device)(struct call *call, const Pb__DeleteDeviceRequest *in,
		Pb__DeleteDeviceResponse *out);
	int (*refresh)(struct call *call, const Pb__RefreshRequest *in,
		Pb__RefreshResponse *out);
	int (*list_peers)(struct call *call, const Pb__ListPeersRequest *in,
		Pb__ListPeersResponse *out);
	int (*get_change)(struct call *call, const Pb__GetChangeRequest *in,
		Pb__GetChangeResponse *out);
	int (*watch_state)(struct call *call, const Pb__WatchStateRequest *in);
	int (*get_orbit_features)(struct call *call, const Pb__GetOrbitFeaturesRequest *in,
		Pb__GetOrbitFeaturesResponse *out);
	int (*get_mesh_ca)(struct call *call, const Pb__GetMeshCaRequest *in,
		Pb__GetMeshCaResponse *out);
	int (*list_nodes)(struct call *call, const Pb__ListNodesRequest *in,
		Pb__ListNodesResponse *out);
	int (*list_audit)(struct call *call, const Pb__ListAuditRequest *in,
		Pb__ListAuditResponse *out);
	int (*get_device_stats)(struct call *call, const Pb__GetDeviceStatsRequest *in,
		Pb__GetDeviceStatsResponse *out);
	int (*explain_device)(struct call *call, const Pb__ExplainDeviceRequest *in,
		Pb__ExplainDeviceResponse *out);
};

/* Indices in mesh_service_methods. */
enum mesh_service_method {
	METHOD_MESH_GET_STATE = 0,
	METHOD_MESH_LIST_DEVICES = 1,
	METHOD_MESH_GET_DEVICE = 2,
	METHOD_MESH_CREATE_DEVICE = 3,
	METHOD_MESH_UPDATE_DEVICE = 4,
	METHOD_MESH_ROTATE_DEVICE_KEY = 5,
	METHOD_MESH_DELETE_DEVICE = 6,
	METHOD_MESH_REFRESH = 7,
	METHOD_MESH_LIST_PEERS = 8,
	METHOD_MESH_GET_CHANGE = 9,
	METHOD_MESH_WATCH_STATE = 10,
	METHOD_MESH_GET_ORBIT_FEATURES = 11,
	METHOD_MESH_GET_MESH_CA = 12,
	METHOD_MESH_LIST_NODES = 13,
	METHOD_MESH_LIST_AUDIT = 14,
	METHOD_MESH_GET_DEVICE_STATS = 15,
	METHOD_MESH_EXPLAIN_DEVICE = 16,
};

extern const struct method mesh_service_methods[17];
extern const struct service mesh_service_desc;

_Static_assert(sizeof(struct mesh_service) == 17 * sizeof(int (*)(void)),
	       "handlers are an array of function pointers");

static inline const void *mesh_service_handlers(const struct mesh_service *h)
{
	return h;
}

#endif
