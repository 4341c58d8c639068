/* SPDX-License-Identifier: Apache-2.0 */
/* Names and the files that declare them, as the .proto files have it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "base/cleanup.h"
#include "server/rpc/contract.h"

static void files_by_name(void **state)
{
	(void)state;
	for (size_t i = 0; i < n_descriptor_files; i++)
		assert_ptr_equal(contract_file(descriptor_files[i].name), &descriptor_files[i]);
	assert_null(contract_file(""));
	assert_null(contract_file("mesh.proto"));
	assert_null(contract_file("quazzar/mesh/v1/mesh.proto2"));
}

#define MESH "quazzar/mesh/v1/mesh.proto"
#define ADMIN "quazzar/mesh/v1/admin.proto"
#define HEALTH "grpc/health/v1/health.proto"
#define DETAILS "google/rpc/error_details.proto"
#define POLICY "quazzar/rpc/v1/policy.proto"

static const struct {
	const char *symbol, *file; /* NULL: nothing of that name */
} symbols[] = {
	{"quazzar.mesh.v1.MeshService", MESH},
	{".quazzar.mesh.v1.MeshService", MESH},
	{"quazzar.mesh.v1.MeshService.GetState", MESH},
	{"quazzar.mesh.v1.GetStateRequest", MESH},
	{"quazzar.mesh.v1.GetStateResponse.state", MESH},
	{"quazzar.mesh.v1.UpdateUserRequest.disabled_choice", ADMIN},
	{"quazzar.mesh.v1.UpdateUserRequest.disabled", ADMIN},
	{"grpc.health.v1.HealthCheckResponse.ServingStatus", HEALTH},
	/* Values stand beside their enum. */
	{"grpc.health.v1.HealthCheckResponse.SERVING", HEALTH},
	{"grpc.health.v1.HealthCheckResponse.ServingStatus.SERVING", NULL},
	{"google.rpc.BadRequest.FieldViolation", DETAILS},
	{"google.rpc.BadRequest.FieldViolation.field", DETAILS},
	{"google.rpc.ErrorInfo.MetadataEntry", DETAILS},
	{"quazzar.rpc.v1.policy", POLICY},
	{"quazzar.rpc.v1.rule", POLICY},
	{"google.api.http", "google/api/annotations.proto"},
	{"google.api.HttpRule", "google/api/http.proto"},
	{"google.protobuf.MethodOptions", "google/protobuf/descriptor.proto"},
	{"", NULL},
	{".", NULL},
	{"quazzar", NULL},
	{"quazzar.mesh.v1", NULL},
	{"quazzar.mesh.v1.", NULL},
	{"quazzar.mesh.v1.MeshServic", NULL},
	{"quazzar.mesh.v1.MeshServices", NULL},
	{"quazzar.mesh.v1.MeshService.", NULL},
	{"quazzar.mesh.v1.MeshService.GetState.x", NULL},
	{"quazzar.mesh.v1.MeshService.getState", NULL},
	{"quazzar.mesh.v1.GetStateResponse.no", NULL},
	{"quazzar.mesh.v1/MeshService", NULL},
	{"..quazzar.mesh.v1.MeshService", NULL},
	{"MeshService", NULL},
};

static void symbols_of_every_kind(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
		const struct descriptor_file *f = contract_symbol(symbols[i].symbol);
		bool same = symbols[i].file ? f && strcmp(f->name, symbols[i].file) == 0 : !f;

		if (!same)
			print_error("%s: %s\n", symbols[i].symbol, f ? f->name : "none");
		assert_true(same);
	}
}

static void extensions(void **state)
{
	int32_t numbers[CONTRACT_MAX_EXTENSIONS];
	const struct descriptor_file *f;
	bool http = false, policy = false;
	size_t n;

	(void)state;
	f = contract_extension("google.protobuf.MethodOptions", 72295728);
	assert_non_null(f);
	assert_string_equal(f->name, "google/api/annotations.proto");
	f = contract_extension(".google.protobuf.FieldOptions", 51700);
	assert_non_null(f);
	assert_string_equal(f->name, POLICY);
	assert_null(contract_extension("google.protobuf.MethodOptions", 1));
	assert_null(contract_extension("google.protobuf.MethodOption", 51700));
	assert_null(contract_extension("google.protobuf.FieldOptions", 72295728));
	assert_null(contract_extension("", 51700));
	n = contract_extensions("google.protobuf.MethodOptions", numbers);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++) {
		http |= numbers[i] == 72295728;
		policy |= numbers[i] == 51700;
	}
	assert_true(http && policy);
	assert_int_equal(contract_extensions("quazzar.mesh.v1.State", numbers), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_by_name),
		cmocka_unit_test(symbols_of_every_kind),
		cmocka_unit_test(extensions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
