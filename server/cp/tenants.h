/* SPDX-License-Identifier: Apache-2.0 */
/* AdminService: tenants, join tokens, nodes as the operator sees them. */
#ifndef QM_TENANTS_H
#define QM_TENANTS_H

#include "quazzar/mesh/v1/admin.pb-c.h"
#include "server/cp/cp.h"
#include "server/store/tenant_row.h"

/* By id or name; ERR_NOT_FOUND. */
int tenants_find(struct txn *txn, const char *id_or_name, struct tenant_row *ret) _must_check_;
/* ERR_NOT_FOUND in words. */
int tenants_missing(struct call *call, const char *id_or_name);

int tenants_create(struct call *call, const Pb__CreateTenantRequest *in,
		   Pb__CreateTenantResponse *out);
int tenants_list(struct call *call, const Pb__ListTenantsRequest *in, Pb__ListTenantsResponse *out);
int tenants_update(struct call *call, const Pb__UpdateTenantRequest *in,
		   Pb__UpdateTenantResponse *out);

#endif
