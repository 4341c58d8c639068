/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.health.v1.Health: methods and policy. Made from proto/ by scripts/gen; never edited. */
#include "gen/rpc/health_service.h"

const struct method health_service_methods[2] = {
	[METHOD_HEALTH_CHECK] = {
		.path = "/grpc.health.v1.Health/Check",
		.name = "Check",
		.service = &health_service_desc,
		.index = METHOD_HEALTH_CHECK,
		.kind = METHOD_UNARY,
		.in = &grpc__health__v1__health_check_request__descriptor,
		.out = &grpc__health__v1__health_check_response__descriptor,
		.policy = {
			.audience = AUDIENCE_PUBLIC,
			.runs_on = RUNS_ON_BOTH,
			.rate = RATE_WINDOW_NONE,
			.lane = LANE_INLINE,
			.body_limit = 65536,
			.deadline_ms = 15000,
			.http_status = 200,
			.idempotent = true,
			.no_side_effects = true,
		},
	},
	[METHOD_HEALTH_WATCH] = {
		.path = "/grpc.health.v1.Health/Watch",
		.name = "Watch",
		.service = &health_service_desc,
		.index = METHOD_HEALTH_WATCH,
		.kind = METHOD_SERVER_STREAM,
		.in = &grpc__health__v1__health_check_request__descriptor,
		.out = &grpc__health__v1__health_check_response__descriptor,
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

const struct service health_service_desc = {
	.name = "grpc.health.v1.Health",
	.methods = health_service_methods,
	.n_methods = 2,
};
