/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.reflection.v1alpha.ServerReflection: typed handlers. Made from proto/ by scripts/gen; never edited. */
#ifndef QM_GEN_SERVER_REFLECTION_V1ALPHA_SERVICE_H
#define QM_GEN_SERVER_REFLECTION_V1ALPHA_SERVICE_H

#include "base/method.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"

struct call;

/* Who answers each method; NULL: nobody. */
struct server_reflection_v1alpha_service {
	int (*server_reflection_info)(struct call *call);
};

/* Indices in server_reflection_v1alpha_service_methods. */
enum server_reflection_v1alpha_service_method {
	METHOD_SERVER_REFLECTION_V1ALPHA_SERVER_REFLECTION_INFO = 0,
};

extern const struct method server_reflection_v1alpha_service_methods[1];
extern const struct service server_reflection_v1alpha_service_desc;

_Static_assert(sizeof(struct server_reflection_v1alpha_service) == 1 * sizeof(int (*)(void)),
	       "handlers are an array of function pointers");

static inline const void *server_reflection_v1alpha_service_handlers(const struct server_reflection_v1alpha_service *h)
{
	return h;
}

#endif
