/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.reflection.v1alpha.ServerReflection: methods and policy. Made from proto/ by scripts/gen; never edited. */
#include "gen/rpc/server_reflection_v1alpha_service.h"

const struct method server_reflection_v1alpha_service_methods[1] = {
	[METHOD_SERVER_REFLECTION_V1ALPHA_SERVER_REFLECTION_INFO] = {
		.path = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
		.name = "ServerReflectionInfo",
		.service = &server_reflection_v1alpha_service_desc,
		.index = METHOD_SERVER_REFLECTION_V1ALPHA_SERVER_REFLECTION_INFO,
		.kind = METHOD_BIDI,
		.in = &grpc__reflection__v1alpha__server_reflection_request__descriptor,
		.out = &grpc__reflection__v1alpha__server_reflection_response__descriptor,
		.policy = {
			.audience = AUDIENCE_PUBLIC,
			.runs_on = RUNS_ON_BOTH,
			.rate = RATE_WINDOW_NONE,
			.lane = LANE_INLINE,
			.body_limit = 65536,
			.http_status = 200,
			.idempotent = true,
			.no_side_effects = true,
		},
	},
};

const struct service server_reflection_v1alpha_service_desc = {
	.name = "grpc.reflection.v1alpha.ServerReflection",
	.methods = server_reflection_v1alpha_service_methods,
	.n_methods = 1,
};
