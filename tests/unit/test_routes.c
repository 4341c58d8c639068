/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The generated method tables and routes against what design and protobuf say:
 * rows sit where their index says, policies are whole, routes come most
 * literal first and name fields that exist.
 */
#include "gen/rpc/routes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "gen/rpc/admin_service.h"
#include "gen/rpc/agent_service.h"
#include "gen/rpc/auth_service.h"
#include "gen/rpc/health_service.h"
#include "gen/rpc/mesh_service.h"

static const struct service *const services[] = {
	&mesh_service_desc,  &auth_service_desc,   &agent_service_desc,
	&admin_service_desc, &health_service_desc,
};
#define N_SERVICES (sizeof(services) / sizeof(services[0]))

static void check_method(const struct service *service, size_t i)
{
	const struct method *m = &service->methods[i];
	char path[200];

	assert_ptr_equal(m->service, service);
	assert_int_equal(m->index, i);
	snprintf(path, sizeof(path), "/%s/%s", service->name, m->name);
	assert_string_equal(m->path, path);
	assert_int_equal(m->in->magic, PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC);
	assert_int_equal(m->out->magic, PROTOBUF_C__MESSAGE_DESCRIPTOR_MAGIC);
	assert_true(m->policy.audience >= AUDIENCE_PUBLIC &&
		    m->policy.audience <= AUDIENCE_OPERATOR);
	assert_true(m->policy.runs_on >= RUNS_ON_NODE && m->policy.runs_on <= RUNS_ON_BOTH);
	assert_true(m->policy.lane == LANE_INLINE || m->policy.lane == LANE_WORKER);
	assert_true(m->policy.body_limit > 0);
	assert_in_range(m->policy.http_status, 200, 299);
	if (m->policy.roles)
		assert_int_equal(m->policy.audience, AUDIENCE_USER);
	if (m->kind == METHOD_UNARY)
		assert_true(m->policy.deadline_ms > 0);
}

static void test_methods(void **state)
{
	(void)state;
	for (size_t s = 0; s < N_SERVICES; s++)
		for (size_t i = 0; i < services[s]->n_methods; i++)
			check_method(services[s], i);
}

/* What the contract says about one method, word by word. */
static void test_create_device(void **state)
{
	const struct method *m = &mesh_service_methods[METHOD_MESH_CREATE_DEVICE];

	(void)state;
	assert_string_equal(m->path, "/quazzar.mesh.v1.MeshService/CreateDevice");
	assert_int_equal(m->kind, METHOD_UNARY);
	assert_int_equal(m->policy.audience, AUDIENCE_USER);
	assert_int_equal(m->policy.roles, ROLE_BIT(ROLE_MEMBER) | ROLE_BIT(ROLE_ADMIN));
	assert_int_equal(m->policy.runs_on, RUNS_ON_FORWARD);
	assert_int_equal(m->policy.rate, RATE_WINDOW_PROVISION);
	assert_string_equal(m->policy.feature, "mesh_vpn");
	assert_string_equal(m->policy.audit, "device.create");
	assert_int_equal(m->policy.http_status, 201);
	assert_false(m->policy.idempotent);
	assert_int_equal(mesh_service_methods[METHOD_MESH_WATCH_STATE].kind, METHOD_SERVER_STREAM);
	assert_int_equal(mesh_service_methods[METHOD_MESH_DELETE_DEVICE].policy.http_status, 204);
	assert_int_equal(mesh_service_methods[METHOD_MESH_LIST_AUDIT].policy.min_plan, PLAN_TEAM);
	assert_int_equal(agent_service_methods[METHOD_AGENT_SUBSCRIBE].policy.deadline_ms, 0);
}

/* design §4.2, in its own order. */
static const struct {
	const char *verb, *pattern, *method, *response_body;
} wanted[] = {
	{"POST", "/api/auth/login", "Login", NULL},
	{"POST", "/api/auth/logout", "Logout", NULL},
	{"GET", "/api/auth/me", "WhoAmI", NULL},
	{"GET", "/api/mesh/state", "GetState", "state"},
	{"GET", "/api/mesh/devices", "ListDevices", "devices"},
	{"POST", "/api/mesh/devices", "CreateDevice", NULL},
	{"GET", "/api/mesh/devices/{id}", "GetDevice", "device"},
	{"PATCH", "/api/mesh/devices/{id}", "UpdateDevice", "device"},
	{"GET", "/api/mesh/devices/{id}/stats", "GetDeviceStats", NULL},
	{"GET", "/api/mesh/devices/{id}/why", "ExplainDevice", NULL},
	{"POST", "/api/mesh/devices/{id}:rotate", "RotateDeviceKey", NULL},
	{"DELETE", "/api/mesh/devices/{id}", "DeleteDevice", NULL},
	{"POST", "/api/mesh/refresh", "Refresh", NULL},
	{"GET", "/api/mesh/peers", "ListPeers", "peers"},
	{"GET", "/api/mesh/changes/{generation}", "GetChange", NULL},
	{"GET", "/api/mesh/nodes", "ListNodes", "nodes"},
	{"GET", "/api/mesh/events", "WatchState", NULL},
	{"GET", "/api/mesh/audit", "ListAudit", "entries"},
	{"GET", "/api/license/orbit-features", "GetOrbitFeatures", NULL},
	{"POST", "/cp/api/v1/mesh/devices", "CreateDevice", NULL},
	{"DELETE", "/cp/api/v1/mesh/devices/{id}", "DeleteDevice", NULL},
	{"GET", "/cp/api/v1/mesh/peers/{node_id}", "GetNodePeers", NULL},
};

static const struct route *find(const char *verb, const char *pattern)
{
	for (size_t i = 0; i < n_routes; i++)
		if (!strcmp(routes[i].verb, verb) && !strcmp(routes[i].pattern, pattern))
			return &routes[i];
	return NULL;
}

static void test_routes(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		const struct route *r = find(wanted[i].verb, wanted[i].pattern);

		assert_non_null(r);
		assert_string_equal(r->method->name, wanted[i].method);
		if (wanted[i].response_body)
			assert_string_equal(r->response_body, wanted[i].response_body);
		else
			assert_null(r->response_body);
		if (!strcmp(r->verb, "POST") || !strcmp(r->verb, "PATCH"))
			assert_string_equal(r->body, "*");
		else
			assert_null(r->body);
	}
}

/* Each {name} is a field of the request, each response_body one of the answer. */
static void test_fields(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_routes; i++) {
		const struct route *r = &routes[i];
		const char *p = r->pattern;

		while ((p = strchr(p, '{')) != NULL) {
			size_t len = strcspn(++p, "}");
			char name[64];

			assert_true(len < sizeof(name));
			snprintf(name, sizeof(name), "%.*s", (int)len, p);
			assert_non_null(protobuf_c_message_descriptor_get_field_by_name(
				r->method->in, name));
		}
		if (r->response_body)
			assert_non_null(protobuf_c_message_descriptor_get_field_by_name(
				r->method->out, r->response_body));
	}
}

/* The custom verb stands before the plain variable that would swallow it. */
static void test_order(void **state)
{
	const struct route *rotate = find("POST", "/api/mesh/devices/{id}:rotate");
	const struct route *plain = find("GET", "/api/mesh/devices/{id}");
	const struct route *list = find("GET", "/api/mesh/devices");

	(void)state;
	assert_true(rotate < plain);
	assert_true(list < plain);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_methods), cmocka_unit_test(test_create_device),
		cmocka_unit_test(test_routes),  cmocka_unit_test(test_fields),
		cmocka_unit_test(test_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
