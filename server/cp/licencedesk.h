/* SPDX-License-Identifier: Apache-2.0 */
/* AdminService: the licence as the operator sees it and puts it in force. */
#ifndef QM_LICENCEDESK_H
#define QM_LICENCEDESK_H

#include "quazzar/mesh/v1/admin.pb-c.h"
#include "server/cp/cp.h"

int licencedesk_get(struct call *call, const Pb__GetLicenceRequest *in,
		    Pb__GetLicenceResponse *out);
int licencedesk_install(struct call *call, const Pb__InstallLicenceRequest *in,
			Pb__InstallLicenceResponse *out);
int licencedesk_verify(struct call *call, const Pb__VerifyLicenceRequest *in,
		       Pb__VerifyLicenceResponse *out);

#endif
