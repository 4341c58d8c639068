/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Health as gRPC has it. A daemon opens its listeners when it is ready, and
 * drains them when it ends: who gets an answer here is served. Whether a
 * node's mesh works is told by GetState, not by this.
 */
#include "server/rpc/health.h"

#include <string.h>

#include "gen/rpc/health_service.h"

#define SERVING GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVING
#define UNKNOWN GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__SERVICE_UNKNOWN

/* The empty name is the daemon as a whole. */
static bool serves(const struct services *s, const char *name)
{
	const struct service *one;

	if (!name[0])
		return true;
	for (size_t i = 0; (one = service_at(s, i)); i++)
		if (strcmp(one->name, name) == 0)
			return true;
	return false;
}

static int check(struct call *call, const Grpc__Health__V1__HealthCheckRequest *in,
		 Grpc__Health__V1__HealthCheckResponse *out)
{
	if (!serves(call->owner, in->service))
		return call_fail(call, ERR_NOT_FOUND, "no such service here");
	out->status = SERVING;
	return 0;
}

/* Nothing changes while the daemon lives: one message, and the stream ends with it. */
static int watch(struct call *call, const Grpc__Health__V1__HealthCheckRequest *in)
{
	Grpc__Health__V1__HealthCheckResponse out = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	int r;

	out.status = serves(call->owner, in->service) ? SERVING : UNKNOWN;
	r = call_send(call, &out.base);
	return r ? r : CALL_PARKED;
}

static const struct health_service handlers = {.check = check, .watch = watch};

int health_add(struct services *s)
{
	return service_add(s, &health_service_desc, health_service_handlers(&handlers), s);
}
