/* SPDX-License-Identifier: Apache-2.0 */
/* Server reflection, v1 and v1alpha: clients without stubs learn the contract here. */
#ifndef QM_REFLECTION_H
#define QM_REFLECTION_H

#include "server/rpc/service.h"

/* After all others: the services that s holds are what is told. */
int reflection_add(struct services *s) _must_check_;

#endif
