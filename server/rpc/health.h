/* SPDX-License-Identifier: Apache-2.0 */
/* grpc.health.v1 for both daemons: a daemon that answers serves all it has. */
#ifndef QM_HEALTH_H
#define QM_HEALTH_H

#include "server/rpc/service.h"

/* Adds the service; s is asked for the names it knows. */
int health_add(struct services *s) _must_check_;

#endif
