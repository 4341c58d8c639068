/* SPDX-License-Identifier: Apache-2.0 */
/* Client stubs. Made from proto/ by scripts/gen; never edited. */
#include "gen/rpc/stubs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/unpack.h"

/* What the contract says of a method. */
enum { IDEMPOTENT = 1, SECRET = 2 };

/* Options as the contract wants them. */
static struct qm_call_options merged(const struct qm_call_options *options, unsigned traits)
{
	struct qm_call_options o = {0};

	if (options)
		o = *options;
	o.idempotent |= (traits & IDEMPOTENT) != 0;
	o.secret |= (traits & SECRET) != 0;
	return o;
}

/* The request as bytes; at least one, so that NULL means out of memory. */
static uint8_t *packed(const ProtobufCMessage *in, size_t *ret_len)
{
	size_t len = protobuf_c_message_get_packed_size(in);
	uint8_t *p = malloc(len ? len : 1);

	if (p)
		*ret_len = protobuf_c_message_pack(in, p);
	return p;
}

/* Requests may hold secrets. */
static void wipe_free(uint8_t *p, size_t len)
{
	explicit_bzero(p, len);
	free(p);
}

/* An answer that is no message of its type counts as the server's failure. */
static void unpack_reply(const ProtobufCMessageDescriptor *desc, struct qm_reply *reply,
			 ProtobufCMessage **ret_out)
{
	*ret_out = NULL;
	if (reply->status.code != GRPC_OK)
		return;
	*ret_out = unpack_message(desc, NULL, reply->message, reply->len);
	if (!*ret_out)
		status_set(&reply->status, ERR_INTERNAL, "the answer is no %s", desc->name);
}

static int unary(struct qm_client *client, const char *path, unsigned traits,
		 const struct qm_call_options *options, const ProtobufCMessage *in,
		 struct qm_reply *ret_reply)
{
	struct qm_call_options o = merged(options, traits);
	size_t len = 0;
	uint8_t *p = packed(in, &len);
	int r;

	if (!p)
		return -ENOMEM;
	r = qm_unary(client, path, p, len, &o, ret_reply);
	wipe_free(p, len);
	return r;
}

static int start(struct qm_client *client, const char *path, unsigned traits,
		 const struct qm_call_options *options, const ProtobufCMessage *in,
		 const struct qm_handler *handler, void *arg, struct qm_call **ret_call)
{
	struct qm_call_options o = merged(options, traits);
	size_t len = 0;
	uint8_t *p = packed(in, &len);
	int r;

	if (!p)
		return -ENOMEM;
	r = qm_start(client, path, p, len, &o, handler, arg, ret_call);
	wipe_free(p, len);
	return r;
}

static int send(struct qm_call *call, const ProtobufCMessage *in)
{
	size_t len = 0;
	uint8_t *p = packed(in, &len);
	int r;

	if (!p)
		return -ENOMEM;
	r = qm_call_send(call, p, len);
	wipe_free(p, len);
	return r;
}

int qm_dns_query(struct qm_client *client, const struct qm_call_options *options,
		const Coredns__Dns__DnsPacket *in, struct qm_reply *ret_reply,
		Coredns__Dns__DnsPacket **ret_out)
{
	int r = unary(client, "/coredns.dns.DnsService/Query", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&coredns__dns__dns_packet__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_health_check(struct qm_client *client, const struct qm_call_options *options,
		const Grpc__Health__V1__HealthCheckRequest *in, struct qm_reply *ret_reply,
		Grpc__Health__V1__HealthCheckResponse **ret_out)
{
	int r = unary(client, "/grpc.health.v1.Health/Check", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&grpc__health__v1__health_check_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_health_watch_start(struct qm_client *client,
		const struct qm_call_options *options,
		const Grpc__Health__V1__HealthCheckRequest *in, const struct qm_handler *handler,
		void *arg, struct qm_call **ret_call)
{
	return start(client, "/grpc.health.v1.Health/Watch", IDEMPOTENT, options,
		     &in->base, handler, arg, ret_call);
}

int qm_reflection_v1_server_reflection_info_open(struct qm_client *client,
		const struct qm_call_options *options, const struct qm_handler *handler,
		void *arg, struct qm_call **ret_call)
{
	struct qm_call_options o = merged(options, IDEMPOTENT);

	o.one_answer = false;
	return qm_open(client, "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &o, handler, arg,
		       ret_call);
}

int qm_reflection_v1_server_reflection_info_send(struct qm_call *call,
		const Grpc__Reflection__V1__ServerReflectionRequest *in)
{
	return send(call, &in->base);
}

int qm_reflection_v1alpha_server_reflection_info_open(struct qm_client *client,
		const struct qm_call_options *options, const struct qm_handler *handler,
		void *arg, struct qm_call **ret_call)
{
	struct qm_call_options o = merged(options, IDEMPOTENT);

	o.one_answer = false;
	return qm_open(client, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &o, handler, arg,
		       ret_call);
}

int qm_reflection_v1alpha_server_reflection_info_send(struct qm_call *call,
		const Grpc__Reflection__V1alpha__ServerReflectionRequest *in)
{
	return send(call, &in->base);
}

int qm_login(struct qm_client *client, const struct qm_call_options *options,
		const Pb__LoginRequest *in, struct qm_reply *ret_reply,
		Pb__LoginResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AuthService/Login", SECRET, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__login_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_logout(struct qm_client *client, const struct qm_call_options *options,
		const Pb__LogoutRequest *in, struct qm_reply *ret_reply,
		Pb__LogoutResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AuthService/Logout", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__logout_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_who_am_i(struct qm_client *client, const struct qm_call_options *options,
		const Pb__WhoAmIRequest *in, struct qm_reply *ret_reply,
		Pb__WhoAmIResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AuthService/WhoAmI", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__who_am_iresponse__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_change_password(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ChangePasswordRequest *in, struct qm_reply *ret_reply,
		Pb__ChangePasswordResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AuthService/ChangePassword", SECRET, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__change_password_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_exchange_token(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ExchangeTokenRequest *in, struct qm_reply *ret_reply,
		Pb__ExchangeTokenResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AuthService/ExchangeToken", SECRET, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__exchange_token_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_create_service_token(struct qm_client *client, const struct qm_call_options *options,
		const Pb__CreateServiceTokenRequest *in, struct qm_reply *ret_reply,
		Pb__CreateServiceTokenResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AuthService/CreateServiceToken", SECRET, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__create_service_token_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_list_service_tokens(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListServiceTokensRequest *in, struct qm_reply *ret_reply,
		Pb__ListServiceTokensResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AuthService/ListServiceTokens", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__list_service_tokens_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_revoke_service_token(struct qm_client *client, const struct qm_call_options *options,
		const Pb__RevokeServiceTokenRequest *in, struct qm_reply *ret_reply,
		Pb__RevokeServiceTokenResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AuthService/RevokeServiceToken", 0, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__revoke_service_token_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_create_tenant(struct qm_client *client, const struct qm_call_options *options,
		const Pb__CreateTenantRequest *in, struct qm_reply *ret_reply,
		Pb__CreateTenantResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/CreateTenant", 0, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__create_tenant_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_list_tenants(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListTenantsRequest *in, struct qm_reply *ret_reply,
		Pb__ListTenantsResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/ListTenants", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__list_tenants_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_update_tenant(struct qm_client *client, const struct qm_call_options *options,
		const Pb__UpdateTenantRequest *in, struct qm_reply *ret_reply,
		Pb__UpdateTenantResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/UpdateTenant", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__update_tenant_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_create_user(struct qm_client *client, const struct qm_call_options *options,
		const Pb__CreateUserRequest *in, struct qm_reply *ret_reply,
		Pb__CreateUserResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/CreateUser", SECRET, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__create_user_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_list_users(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListUsersRequest *in, struct qm_reply *ret_reply,
		Pb__ListUsersResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/ListUsers", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__list_users_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_update_user(struct qm_client *client, const struct qm_call_options *options,
		const Pb__UpdateUserRequest *in, struct qm_reply *ret_reply,
		Pb__UpdateUserResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/UpdateUser", SECRET, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__update_user_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_create_join_token(struct qm_client *client, const struct qm_call_options *options,
		const Pb__CreateJoinTokenRequest *in, struct qm_reply *ret_reply,
		Pb__CreateJoinTokenResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/CreateJoinToken", SECRET, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__create_join_token_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_list_tenant_nodes(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListTenantNodesRequest *in, struct qm_reply *ret_reply,
		Pb__ListTenantNodesResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/ListTenantNodes", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__list_tenant_nodes_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_remove_node(struct qm_client *client, const struct qm_call_options *options,
		const Pb__RemoveNodeRequest *in, struct qm_reply *ret_reply,
		Pb__RemoveNodeResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/RemoveNode", 0, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__remove_node_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_get_licence(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetLicenceRequest *in, struct qm_reply *ret_reply,
		Pb__GetLicenceResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/GetLicence", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__get_licence_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_install_licence(struct qm_client *client, const struct qm_call_options *options,
		const Pb__InstallLicenceRequest *in, struct qm_reply *ret_reply,
		Pb__InstallLicenceResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/InstallLicence", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__install_licence_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_verify_licence(struct qm_client *client, const struct qm_call_options *options,
		const Pb__VerifyLicenceRequest *in, struct qm_reply *ret_reply,
		Pb__VerifyLicenceResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/VerifyLicence", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__verify_licence_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_list_tenant_audit(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListTenantAuditRequest *in, struct qm_reply *ret_reply,
		Pb__ListTenantAuditResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/ListTenantAudit", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__list_tenant_audit_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_verify_audit(struct qm_client *client, const struct qm_call_options *options,
		const Pb__VerifyAuditRequest *in, struct qm_reply *ret_reply,
		Pb__VerifyAuditResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/VerifyAudit", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__verify_audit_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_sign_audit_heads(struct qm_client *client, const struct qm_call_options *options,
		const Pb__SignAuditHeadsRequest *in, struct qm_reply *ret_reply,
		Pb__SignAuditHeadsResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/SignAuditHeads", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__sign_audit_heads_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_list_keys(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListKeysRequest *in, struct qm_reply *ret_reply,
		Pb__ListKeysResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/ListKeys", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__list_keys_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_rotate_key(struct qm_client *client, const struct qm_call_options *options,
		const Pb__RotateKeyRequest *in, struct qm_reply *ret_reply,
		Pb__RotateKeyResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AdminService/RotateKey", 0, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__rotate_key_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_create_backup_start(struct qm_client *client,
		const struct qm_call_options *options,
		const Pb__CreateBackupRequest *in, const struct qm_handler *handler,
		void *arg, struct qm_call **ret_call)
{
	return start(client, "/quazzar.mesh.v1.AdminService/CreateBackup", 0, options,
		     &in->base, handler, arg, ret_call);
}

int qm_get_state(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetStateRequest *in, struct qm_reply *ret_reply,
		Pb__GetStateResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/GetState", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__get_state_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_list_devices(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListDevicesRequest *in, struct qm_reply *ret_reply,
		Pb__ListDevicesResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/ListDevices", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__list_devices_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_get_device(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetDeviceRequest *in, struct qm_reply *ret_reply,
		Pb__GetDeviceResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/GetDevice", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__get_device_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_create_device(struct qm_client *client, const struct qm_call_options *options,
		const Pb__CreateDeviceRequest *in, struct qm_reply *ret_reply,
		Pb__CreateDeviceResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/CreateDevice", SECRET, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__create_device_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_update_device(struct qm_client *client, const struct qm_call_options *options,
		const Pb__UpdateDeviceRequest *in, struct qm_reply *ret_reply,
		Pb__UpdateDeviceResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/UpdateDevice", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__update_device_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_rotate_device_key(struct qm_client *client, const struct qm_call_options *options,
		const Pb__RotateDeviceKeyRequest *in, struct qm_reply *ret_reply,
		Pb__RotateDeviceKeyResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/RotateDeviceKey", SECRET, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__rotate_device_key_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_delete_device(struct qm_client *client, const struct qm_call_options *options,
		const Pb__DeleteDeviceRequest *in, struct qm_reply *ret_reply,
		Pb__DeleteDeviceResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/DeleteDevice", 0, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__delete_device_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_refresh(struct qm_client *client, const struct qm_call_options *options,
		const Pb__RefreshRequest *in, struct qm_reply *ret_reply,
		Pb__RefreshResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/Refresh", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__refresh_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_list_peers(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListPeersRequest *in, struct qm_reply *ret_reply,
		Pb__ListPeersResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/ListPeers", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__list_peers_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_get_change(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetChangeRequest *in, struct qm_reply *ret_reply,
		Pb__GetChangeResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/GetChange", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__get_change_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_watch_state_start(struct qm_client *client,
		const struct qm_call_options *options,
		const Pb__WatchStateRequest *in, const struct qm_handler *handler,
		void *arg, struct qm_call **ret_call)
{
	return start(client, "/quazzar.mesh.v1.MeshService/WatchState", IDEMPOTENT, options,
		     &in->base, handler, arg, ret_call);
}

int qm_get_orbit_features(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetOrbitFeaturesRequest *in, struct qm_reply *ret_reply,
		Pb__GetOrbitFeaturesResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/GetOrbitFeatures", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__get_orbit_features_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_get_mesh_ca(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetMeshCaRequest *in, struct qm_reply *ret_reply,
		Pb__GetMeshCaResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/GetMeshCa", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__get_mesh_ca_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_list_nodes(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListNodesRequest *in, struct qm_reply *ret_reply,
		Pb__ListNodesResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/ListNodes", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__list_nodes_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_list_audit(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ListAuditRequest *in, struct qm_reply *ret_reply,
		Pb__ListAuditResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/ListAudit", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__list_audit_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_get_device_stats(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetDeviceStatsRequest *in, struct qm_reply *ret_reply,
		Pb__GetDeviceStatsResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/GetDeviceStats", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__get_device_stats_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_explain_device(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ExplainDeviceRequest *in, struct qm_reply *ret_reply,
		Pb__ExplainDeviceResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.MeshService/ExplainDevice", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__explain_device_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_enroll(struct qm_client *client, const struct qm_call_options *options,
		const Pb__EnrollRequest *in, struct qm_reply *ret_reply,
		Pb__EnrollResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AgentService/Enroll", SECRET, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__enroll_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_renew_token(struct qm_client *client, const struct qm_call_options *options,
		const Pb__RenewTokenRequest *in, struct qm_reply *ret_reply,
		Pb__RenewTokenResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AgentService/RenewToken", SECRET, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__renew_token_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_subscribe_start(struct qm_client *client,
		const struct qm_call_options *options,
		const Pb__SubscribeRequest *in, const struct qm_handler *handler,
		void *arg, struct qm_call **ret_call)
{
	return start(client, "/quazzar.mesh.v1.AgentService/Subscribe", SECRET, options,
		     &in->base, handler, arg, ret_call);
}

int qm_report(struct qm_client *client, const struct qm_call_options *options,
		const Pb__ReportRequest *in, struct qm_reply *ret_reply,
		Pb__ReportResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AgentService/Report", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__report_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_issue_certificate(struct qm_client *client, const struct qm_call_options *options,
		const Pb__IssueCertificateRequest *in, struct qm_reply *ret_reply,
		Pb__IssueCertificateResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AgentService/IssueCertificate", 0, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__issue_certificate_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}

int qm_get_node_peers(struct qm_client *client, const struct qm_call_options *options,
		const Pb__GetNodePeersRequest *in, struct qm_reply *ret_reply,
		Pb__GetNodePeersResponse **ret_out)
{
	int r = unary(client, "/quazzar.mesh.v1.AgentService/GetNodePeers", IDEMPOTENT, options,
		      &in->base, ret_reply);

	if (r == 0)
		unpack_reply(&pb__get_node_peers_response__descriptor, ret_reply,
			     (ProtobufCMessage **)ret_out);
	return r;
}
