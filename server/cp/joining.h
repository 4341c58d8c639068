/* SPDX-License-Identifier: Apache-2.0 */
/* How a node gets in: join token, Enroll, renewal of its CC-agent token. */
#ifndef QM_JOINING_H
#define QM_JOINING_H

#include "quazzar/mesh/v1/admin.pb-c.h"
#include "quazzar/mesh/v1/agent.pb-c.h"
#include "server/cp/cp.h"

int joining_create_token(struct call *call, const Pb__CreateJoinTokenRequest *in,
			 Pb__CreateJoinTokenResponse *out);
int joining_enroll(struct call *call, const Pb__EnrollRequest *in, Pb__EnrollResponse *out);
int joining_renew(struct call *call, const Pb__RenewTokenRequest *in, Pb__RenewTokenResponse *out);

#endif
