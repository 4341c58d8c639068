/* SPDX-License-Identifier: Apache-2.0 */
/* Is a tenant's audit as it was written? By its own hashes and by heads that were signed. */
#ifndef QM_AUDITCHECK_H
#define QM_AUDITCHECK_H

#include "quazzar/mesh/v1/admin.pb-c.h"
#include "server/cp/cp.h"

int auditcheck_verify(struct call *call, const Pb__VerifyAuditRequest *in,
		      Pb__VerifyAuditResponse *out);

#endif
