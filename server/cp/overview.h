/* SPDX-License-Identifier: Apache-2.0 */
/* The mesh in one look, from the store: state, features, convergence. */
#ifndef QM_OVERVIEW_H
#define QM_OVERVIEW_H

#include "quazzar/mesh/v1/mesh.pb-c.h"
#include "server/cp/cp.h"
#include "server/store/tenant_row.h"

/* In an arena of any owner; -ENOMEM. */
int overview_make(struct cp *cp, struct arena *arena, const struct uuid *tenant, Pb__State **ret)
	_must_check_;
/* What people should know of plan and licence. -ENOMEM. */
int overview_notices(const struct tenant_row *row, struct arena *arena, char ***ret, size_t *ret_n)
	_must_check_;
int overview_state(struct call *call, const Pb__GetStateRequest *in, Pb__GetStateResponse *out);
int overview_features(struct call *call, const Pb__GetOrbitFeaturesRequest *in,
		      Pb__GetOrbitFeaturesResponse *out);
int overview_change(struct call *call, const Pb__GetChangeRequest *in, Pb__GetChangeResponse *out);

#endif
