/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.health.v1.Health: typed handlers. Made from proto/ by scripts/gen; never edited. */
#ifndef QM_GEN_HEALTH_SERVICE_H
#define QM_GEN_HEALTH_SERVICE_H

#include "base/method.h"
#include "grpc/health/v1/health.pb-c.h"

struct call;

/* Who answers each method; NULL: nobody. */
struct health_service {
	int (*check)(struct call *call, const Grpc__Health__V1__HealthCheckRequest *in,
		Grpc__Health__V1__HealthCheckResponse *out);
	int (*watch)(struct call *call, const Grpc__Health__V1__HealthCheckRequest *in);
};

/* Indices in health_service_methods. */
enum health_service_method {
	METHOD_HEALTH_CHECK = 0,
	METHOD_HEALTH_WATCH = 1,
};

extern const struct method health_service_methods[2];
extern const struct service health_service_desc;

_Static_assert(sizeof(struct health_service) == 2 * sizeof(int (*)(void)),
	       "handlers are an array of function pointers");

static inline const void *health_service_handlers(const struct health_service *h)
{
	return h;
}

#endif
