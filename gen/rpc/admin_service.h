/* SPDX-License-Identifier: Apache-2.0 */
/* quazzar.mesh.v1.AdminService: typed handlers. Made from proto/ by scripts/gen; never edited. */
#ifndef QM_GEN_ADMIN_SERVICE_H
#define QM_GEN_ADMIN_SERVICE_H

#include "base/method.h"
#include "quazzar/mesh/v1/admin.pb-c.h"

struct call;

/* Who answers each method; NULL: nobody. */
struct admin_service {
	int (*create_tenant)(struct call *call, const Pb__CreateTenantRequest *in,
		Pb__CreateTenantResponse *out);
	int (*list_tenants)(struct call *call, const Pb__ListTenantsRequest *in,
		Pb__ListTenantsResponse *out);
	int (*update_tenant)(struct call *call, const Pb__UpdateTenantRequest *in,
		Pb__UpdateTenantResponse *out);
	int (*create_user)(struct call *call, const Pb__CreateUserRequest *in,
		Pb__CreateUserResponse *out);
	int (*list_users)(struct call *call, const Pb__ListUsersRequest *in,
		Pb__ListUsersResponse *out);
	int (*update_user)(struct call *call, const Pb__UpdateUserRequest *in,
		Pb__UpdateUserResponse *out);
	int (*create_join_token)(struct call *call, const Pb__CreateJoinTokenRequest *in,
		Pb__CreateJoinTokenResponse *out);
	int (*list_tenant_nodes)(struct call *call, const Pb__ListTenantNodesRequest *in,
		Pb__ListTenantNodesResponse *out);
	int (*remove_node)(struct call *call, const Pb__RemoveNodeRequest *in,
		Pb__RemoveNodeResponse *out);
	int (*get_licence)(struct call *call, const Pb__GetLicenceRequest *in,
		Pb__GetLicenceResponse *out);
	int (*install_licence)(struct call *call, const Pb__InstallLicenceRequest *in,
		Pb__InstallLicenceResponse *out);
	int (*verify_licence)(struct call *call, const Pb__VerifyLicenceRequest *in,
		Pb__VerifyLicenceResponse *out);
	int (*list_tenant_audit)(struct call *call, const Pb__ListTenantAuditRequest *in,
		Pb__ListTenantAuditResponse *out);
	int (*verify_audit)(struct call *call, const Pb__VerifyAuditRequest *in,
		Pb__VerifyAuditResponse *out);
	int (*sign_audit_heads)(struct call *call, const Pb__SignAuditHeadsRequest *in,
		Pb__SignAuditHeadsResponse *out);
	int (*list_keys)(struct call *call, const Pb__ListKeysRequest *in,
		Pb__ListKeysResponse *out);
	int (*rotate_key)(struct call *call, const Pb__RotateKeyRequest *in,
		Pb__RotateKeyResponse *out);
	int (*create_backup)(struct call *call, const Pb__CreateBackupRequest *in);
};

/* Indices in admin_service_methods. */
enum admin_service_method {
	METHOD_ADMIN_CREATE_TENANT = 0,
	METHOD_ADMIN_LIST_TENANTS = 1,
	METHOD_ADMIN_UPDATE_TENANT = 2,
	METHOD_ADMIN_CREATE_USER = 3,
	METHOD_ADMIN_LIST_USERS = 4,
	METHOD_ADMIN_UPDATE_USER = 5,
	METHOD_ADMIN_CREATE_JOIN_TOKEN = 6,
	METHOD_ADMIN_LIST_TENANT_NODES = 7,
	METHOD_ADMIN_REMOVE_NODE = 8,
	METHOD_ADMIN_GET_LICENCE = 9,
	METHOD_ADMIN_INSTALL_LICENCE = 10,
	METHOD_ADMIN_VERIFY_LICENCE = 11,
	METHOD_ADMIN_LIST_TENANT_AUDIT = 12,
	METHOD_ADMIN_VERIFY_AUDIT = 13,
	METHOD_ADMIN_SIGN_AUDIT_HEADS = 14,
	METHOD_ADMIN_LIST_KEYS = 15,
	METHOD_ADMIN_ROTATE_KEY = 16,
	METHOD_ADMIN_CREATE_BACKUP = 17,
};

extern const struct method admin_service_methods[18];
extern const struct service admin_service_desc;

_Static_assert(sizeof(struct admin_service) == 18 * sizeof(int (*)(void)),
	       "handlers are an array of function pointers");

static inline const void *admin_service_handlers(const struct admin_service *h)
{
	return h;
}

#endif
