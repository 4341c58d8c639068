/* SPDX-License-Identifier: Apache-2.0 */
/* Client stubs. Made from proto/ by scripts/gen; never edited. */
#ifndef QM_GEN_STUBS_H
#define QM_GEN_STUBS_H

/*
 * Typed calls. Compiled into qm_client (gen/rpc/stubs.c), which has the
 * transport. Unary calls block:
 *
 *   0       the call was made: its outcome is in ret_reply->status, and on OK
 *           *ret_out is the answer (NULL otherwise; free it with the message's
 *           free_unpacked and no allocator)
 *   < 0     nothing was sent: -ENOMEM, -EINVAL; ret_reply is not filled
 *
 * options may be NULL. A method that the contract calls idempotent is sent as
 * such whatever options->idempotent says.
 *
 * Streams of answers: qm_*_start is qm_start with a typed request; messages
 * arrive in handler->message as bytes for the answer's unpack.
 *
 * Streams of requests, with one answer or many: qm_*_open is qm_open,
 * qm_*_send is qm_call_send with a typed request, qm_call_end ends them.
 */
#include "client/qmesh.h"
#include "coredns/dns.pb-c.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"
#include "quazzar/mesh/v1/admin.pb-c.h"
#include "quazzar/mesh/v1/agent.pb-c.h"
#include "quazzar/mesh/v1/auth.pb-c.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

#ifdef __cplusplus
extern "C" {
#endif

/* /coredns.dns.DnsService/Query */
int qm_dns_query(struct qm_client *client, const struct qm_call_options *options,
		const Coredns__Dns__DnsPacket *in, struct qm_reply *ret_reply,
		Coredns__Dns__DnsPacket **ret_out);
/* /grpc.health.v1.Health/Check */
int qm_health_check(struct qm_client *client, const struct qm_call_options *options,
		const Grpc__Health__V1__HealthCheckRequest *in, struct qm_reply *ret_reply,
		Grpc__Health__V1__HealthCheckResponse **ret_out);
/* /grpc.health.v1.Health/Watch */
int qm_health_watch_start(struct qm_client *client,
		const struct qm_call_options *options,
		const Grpc__Health__V1__HealthCheckRequest *in, const struct qm_handler *handler,
		void *arg, struct qm_call **ret_call);
/* /grpc.reflection.v1.ServerReflection/ServerReflectionInfo */
int qm_reflection_v1_server_reflection_info_open(struct qm_client *client,
		const struct qm_call_options *options, const struct qm_handler *handler,
		void *arg, struct qm_call **ret_call);
int qm_reflection_v1_server_reflection_info_send(struct qm_call *call,
		const Grpc__Reflection__V1__ServerReflectionRequest *in);
/* /grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo */
int qm_reflection_v1alpha_server_reflection_info_open(struct qm_client *client,
		const struct qm_call_options *options, const struct qm_handler *handler,
		void *arg, struct qm_call **ret_call);
int qm_reflection_v1alpha_server_reflection_info_send(struct qm_call *call,
		const Grpc__Reflection__V1alpha__ServerReflectionRequest *in);
/* /quazzar.mesh.v1.AuthService/Login */
int qm_login(struct qm_client *client, const struct qm_call_options *options,
		const Pb__LoginRequest *in, struct qm_reply *ret_reply,
		Pb__LoginResponse **ret_out);
/* /quazzar.mesh.v1.AuthService/Logout */
int qm_logout(struct qm_client *client, const struct qm_call_options *options,
		const Pb__LogoutRequest *in, struct qm_reply *ret_reply,
		Pb__LogoutResponse **ret_out);
/* /quazzar.mesh.v1.AuthService/WhoAmI */
int qm_who_am_i(struct qm_client *client, const struct qm_call_options *options,
		const Pb__WhoAmIRequest *in, struct qm_reply *ret_reply,
		Pb__WhoAmIResponse **ret_out);
/* /quazzar.mesh.v1.AuthService/ChangePassword */
int qm_change_password(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ChangePasswordRequest *in, struct qm_reply *ret_reply,
		Pb__ChangePasswordResponse **ret_out);
/* /quazzar.mesh.v1.AuthService/ExchangeToken */
int qm_exchange_token(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ExchangeTokenRequest *in, struct qm_reply *ret_reply,
		Pb__ExchangeTokenResponse **ret_out);
/* /quazzar.mesh.v1.AuthService/CreateServiceToken */
int qm_create_service_token(struct qm_client *client, const struct qm_call_options *options,
		const Pb__CreateServiceTokenRequest *in, struct qm_reply *ret_reply,
		Pb__CreateServiceTokenResponse **ret_out);
/* /quazzar.mesh.v1.AuthService/ListServiceTokens */
int qm_list_service_tokens(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListServiceTokensRequest *in, struct qm_reply *ret_reply,
		Pb__ListServiceTokensResponse **ret_out);
/* /quazzar.mesh.v1.AuthService/RevokeServiceToken */
int qm_revoke_service_token(struct qm_client *client, const struct qm_call_options *options,
		const Pb__RevokeServiceTokenRequest *in, struct qm_reply *ret_reply,
		Pb__RevokeServiceTokenResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/CreateTenant */
int qm_create_tenant(struct qm_client *client, const struct qm_call_options *options,
		const Pb__CreateTenantRequest *in, struct qm_reply *ret_reply,
		Pb__CreateTenantResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/ListTenants */
int qm_list_tenants(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListTenantsRequest *in, struct qm_reply *ret_reply,
		Pb__ListTenantsResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/UpdateTenant */
int qm_update_tenant(struct qm_client *client, const struct qm_call_options *options,
		const Pb__UpdateTenantRequest *in, struct qm_reply *ret_reply,
		Pb__UpdateTenantResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/CreateUser */
int qm_create_user(struct qm_client *client, const struct qm_call_options *options,
		const Pb__CreateUserRequest *in, struct qm_reply *ret_reply,
		Pb__CreateUserResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/ListUsers */
int qm_list_users(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListUsersRequest *in, struct qm_reply *ret_reply,
		Pb__ListUsersResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/UpdateUser */
int qm_update_user(struct qm_client *client, const struct qm_call_options *options,
		const Pb__UpdateUserRequest *in, struct qm_reply *ret_reply,
		Pb__UpdateUserResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/CreateJoinToken */
int qm_create_join_token(struct qm_client *client, const struct qm_call_options *options,
		const Pb__CreateJoinTokenRequest *in, struct qm_reply *ret_reply,
		Pb__CreateJoinTokenResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/ListTenantNodes */
int qm_list_tenant_nodes(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListTenantNodesRequest *in, struct qm_reply *ret_reply,
		Pb__ListTenantNodesResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/RemoveNode */
int qm_remove_node(struct qm_client *client, const struct qm_call_options *options,
		const Pb__RemoveNodeRequest *in, struct qm_reply *ret_reply,
		Pb__RemoveNodeResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/GetLicence */
int qm_get_licence(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetLicenceRequest *in, struct qm_reply *ret_reply,
		Pb__GetLicenceResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/InstallLicence */
int qm_install_licence(struct qm_client *client, const struct qm_call_options *options,
		const Pb__InstallLicenceRequest *in, struct qm_reply *ret_reply,
		Pb__InstallLicenceResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/VerifyLicence */
int qm_verify_licence(struct qm_client *client, const struct qm_call_options *options,
		const Pb__VerifyLicenceRequest *in, struct qm_reply *ret_reply,
		Pb__VerifyLicenceResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/ListTenantAudit */
int qm_list_tenant_audit(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListTenantAuditRequest *in, struct qm_reply *ret_reply,
		Pb__ListTenantAuditResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/VerifyAudit */
int qm_verify_audit(struct qm_client *client, const struct qm_call_options *options,
		const Pb__VerifyAuditRequest *in, struct qm_reply *ret_reply,
		Pb__VerifyAuditResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/SignAuditHeads */
int qm_sign_audit_heads(struct qm_client *client, const struct qm_call_options *options,
		const Pb__SignAuditHeadsRequest *in, struct qm_reply *ret_reply,
		Pb__SignAuditHeadsResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/ListKeys */
int qm_list_keys(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListKeysRequest *in, struct qm_reply *ret_reply,
		Pb__ListKeysResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/RotateKey */
int qm_rotate_key(struct qm_client *client, const struct qm_call_options *options,
		const Pb__RotateKeyRequest *in, struct qm_reply *ret_reply,
		Pb__RotateKeyResponse **ret_out);
/* /quazzar.mesh.v1.AdminService/CreateBackup */
int qm_create_backup_start(struct qm_client *client,
		const struct qm_call_options *options,
		const Pb__CreateBackupRequest *in, const struct qm_handler *handler,
		void *arg, struct qm_call **ret_call);
/* /quazzar.mesh.v1.MeshService/GetState */
int qm_get_state(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetStateRequest *in, struct qm_reply *ret_reply,
		Pb__GetStateResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/ListDevices */
int qm_list_devices(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListDevicesRequest *in, struct qm_reply *ret_reply,
		Pb__ListDevicesResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/GetDevice */
int qm_get_device(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetDeviceRequest *in, struct qm_reply *ret_reply,
		Pb__GetDeviceResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/CreateDevice */
int qm_create_device(struct qm_client *client, const struct qm_call_options *options,
		const Pb__CreateDeviceRequest *in, struct qm_reply *ret_reply,
		Pb__CreateDeviceResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/UpdateDevice */
int qm_update_device(struct qm_client *client, const struct qm_call_options *options,
		const Pb__UpdateDeviceRequest *in, struct qm_reply *ret_reply,
		Pb__UpdateDeviceResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/RotateDeviceKey */
int qm_rotate_device_key(struct qm_client *client, const struct qm_call_options *options,
		const Pb__RotateDeviceKeyRequest *in, struct qm_reply *ret_reply,
		Pb__RotateDeviceKeyResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/DeleteDevice */
int qm_delete_device(struct qm_client *client, const struct qm_call_options *options,
		const Pb__DeleteDeviceRequest *in, struct qm_reply *ret_reply,
		Pb__DeleteDeviceResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/Refresh */
int qm_refresh(struct qm_client *client, const struct qm_call_options *options,
		const Pb__RefreshRequest *in, struct qm_reply *ret_reply,
		Pb__RefreshResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/ListPeers */
int qm_list_peers(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListPeersRequest *in, struct qm_reply *ret_reply,
		Pb__ListPeersResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/GetChange */
int qm_get_change(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetChangeRequest *in, struct qm_reply *ret_reply,
		Pb__GetChangeResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/WatchState */
int qm_watch_state_start(struct qm_client *client,
		const struct qm_call_options *options,
		const Pb__WatchStateRequest *in, const struct qm_handler *handler,
		void *arg, struct qm_call **ret_call);
/* /quazzar.mesh.v1.MeshService/GetOrbitFeatures */
int qm_get_orbit_features(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetOrbitFeaturesRequest *in, struct qm_reply *ret_reply,
		Pb__GetOrbitFeaturesResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/GetMeshCa */
int qm_get_mesh_ca(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetMeshCaRequest *in, struct qm_reply *ret_reply,
		Pb__GetMeshCaResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/ListNodes */
int qm_list_nodes(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListNodesRequest *in, struct qm_reply *ret_reply,
		Pb__ListNodesResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/ListAudit */
int qm_list_audit(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListAuditRequest *in, struct qm_reply *ret_reply,
		Pb__ListAuditResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/GetDeviceStats */
int qm_get_device_stats(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetDeviceStatsRequest *in, struct qm_reply *ret_reply,
		Pb__GetDeviceStatsResponse **ret_out);
/* /quazzar.mesh.v1.MeshService/ExplainDevice */
int qm_explain_device(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ExplainDeviceRequest *in, struct qm_reply *ret_reply,
		Pb__ExplainDeviceResponse **ret_out);
/* /quazzar.mesh.v1.AgentService/Enroll */
int qm_enroll(struct qm_client *client, const struct qm_call_options *options,
		const Pb__EnrollRequest *in, struct qm_reply *ret_reply,
		Pb__EnrollResponse **ret_out);
/* /quazzar.mesh.v1.AgentService/RenewToken */
int qm_renew_token(struct qm_client *client, const struct qm_call_options *options,
		const Pb__RenewTokenRequest *in, struct qm_reply *ret_reply,
		Pb__RenewTokenResponse **ret_out);
/* /quazzar.mesh.v1.AgentService/Subscribe */
int qm_subscribe_start(struct qm_client *client,
		const struct qm_call_options *options,
		const Pb__SubscribeRequest *in, const struct qm_handler *handler,
		void *arg, struct qm_call **ret_call);
/* /quazzar.mesh.v1.AgentService/Report */
int qm_report(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ReportRequest *in, struct qm_reply *ret_reply,
		Pb__ReportResponse **ret_out);
/* /quazzar.mesh.v1.AgentService/IssueCertificate */
int qm_issue_certificate(struct qm_client *client, const struct qm_call_options *options,
		const Pb__IssueCertificateRequest *in, struct qm_reply *ret_reply,
		Pb__IssueCertificateResponse **ret_out);
/* /quazzar.mesh.v1.AgentService/GetNodePeers */
int qm_get_node_peers(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetNodePeersRequest *in, struct qm_reply *ret_reply,
		Pb__GetNodePeersResponse **ret_out);

#ifdef __cplusplus
}
#endif

#endif
