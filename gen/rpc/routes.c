/* SPDX-License-Identifier: Apache-2.0 */
/* REST routes of every service. Made from proto/ by scripts/gen; never edited. */
#include "gen/rpc/routes.h"

#include "gen/rpc/agent_service.h"
#include "gen/rpc/auth_service.h"
#include "gen/rpc/mesh_service.h"

const struct route routes[] = {
	{"POST", "/api/auth/exchange", &auth_service_methods[METHOD_AUTH_EXCHANGE_TOKEN], "*", NULL},
	{"POST", "/api/auth/login", &auth_service_methods[METHOD_AUTH_LOGIN], "*", NULL},
	{"POST", "/api/auth/logout", &auth_service_methods[METHOD_AUTH_LOGOUT], "*", NULL},
	{"GET", "/api/auth/me", &auth_service_methods[METHOD_AUTH_WHO_AM_I], NULL, NULL},
	{"POST", "/api/auth/password", &auth_service_methods[METHOD_AUTH_CHANGE_PASSWORD], "*", NULL},
	{"GET", "/api/auth/tokens", &auth_service_methods[METHOD_AUTH_LIST_SERVICE_TOKENS], NULL, "tokens"},
	{"POST", "/api/auth/tokens", &auth_service_methods[METHOD_AUTH_CREATE_SERVICE_TOKEN], "*", NULL},
	{"DELETE", "/api/auth/tokens/{id}", &auth_service_methods[METHOD_AUTH_REVOKE_SERVICE_TOKEN], NULL, NULL},
	{"GET", "/api/license/orbit-features", &mesh_service_methods[METHOD_MESH_GET_ORBIT_FEATURES], NULL, NULL},
	{"GET", "/api/mesh/audit", &mesh_service_methods[METHOD_MESH_LIST_AUDIT], NULL, "entries"},
	{"GET", "/api/mesh/ca", &mesh_service_methods[METHOD_MESH_GET_MESH_CA], NULL, NULL},
	{"GET", "/api/mesh/changes/{generation}", &mesh_service_methods[METHOD_MESH_GET_CHANGE], NULL, NULL},
	{"GET", "/api/mesh/devices", &mesh_service_methods[METHOD_MESH_LIST_DEVICES], NULL, "devices"},
	{"POST", "/api/mesh/devices", &mesh_service_methods[METHOD_MESH_CREATE_DEVICE], "*", NULL},
	{"POST", "/api/mesh/devices/{id}:rotate", &mesh_service_methods[METHOD_MESH_ROTATE_DEVICE_KEY], "*", NULL},
	{"DELETE", "/api/mesh/devices/{id}", &mesh_service_methods[METHOD_MESH_DELETE_DEVICE], NULL, NULL},
	{"GET", "/api/mesh/devices/{id}", &mesh_service_methods[METHOD_MESH_GET_DEVICE], NULL, "device"},
	{"PATCH", "/api/mesh/devices/{id}", &mesh_service_methods[METHOD_MESH_UPDATE_DEVICE], "*", "device"},
	{"GET", "/api/mesh/devices/{id}/stats", &mesh_service_methods[METHOD_MESH_GET_DEVICE_STATS], NULL, NULL},
	{"GET", "/api/mesh/devices/{id}/why", &mesh_service_methods[METHOD_MESH_EXPLAIN_DEVICE], NULL, NULL},
	{"GET", "/api/mesh/events", &mesh_service_methods[METHOD_MESH_WATCH_STATE], NULL, NULL},
	{"GET", "/api/mesh/nodes", &mesh_service_methods[METHOD_MESH_LIST_NODES], NULL, "nodes"},
	{"GET", "/api/mesh/peers", &mesh_service_methods[METHOD_MESH_LIST_PEERS], NULL, "peers"},
	{"POST", "/api/mesh/refresh", &mesh_service_methods[METHOD_MESH_REFRESH], "*", NULL},
	{"GET", "/api/mesh/state", &mesh_service_methods[METHOD_MESH_GET_STATE], NULL, "state"},
	{"POST", "/cp/api/v1/mesh/devices", &mesh_service_methods[METHOD_MESH_CREATE_DEVICE], "*", NULL},
	{"DELETE", "/cp/api/v1/mesh/devices/{id}", &mesh_service_methods[METHOD_MESH_DELETE_DEVICE], NULL, NULL},
	{"GET", "/cp/api/v1/mesh/peers/{node_id}", &agent_service_methods[METHOD_AGENT_GET_NODE_PEERS], NULL, NULL},
};
const size_t n_routes = 28;
