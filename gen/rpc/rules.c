/* SPDX-License-Identifier: Apache-2.0 */
/* Field bounds of every message. Made from proto/ by scripts/gen; never edited. */
#include "gen/rpc/rules.h"

#include "coredns/dns.pb-c.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "grpc/reflection/v1alpha/reflection.pb-c.h"
#include "quazzar/mesh/v1/admin.pb-c.h"
#include "quazzar/mesh/v1/agent.pb-c.h"
#include "quazzar/mesh/v1/audit.pb-c.h"
#include "quazzar/mesh/v1/auth.pb-c.h"
#include "quazzar/mesh/v1/device.pb-c.h"
#include "quazzar/mesh/v1/issuer.pb-c.h"
#include "quazzar/mesh/v1/licence.pb-c.h"
#include "quazzar/mesh/v1/member.pb-c.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

#define N_SLOTS 512u

/* coredns.dns.DnsPacket */
static const struct field_rule rules_0[] = {
	{.min_len = 12, .max_len = 65535}, /* msg */
};

/* grpc.health.v1.HealthCheckRequest */
static const struct field_rule rules_1[] = {
	{.max_len = 200}, /* service */
};

/* grpc.health.v1.HealthCheckResponse */
static const struct field_rule rules_2[] = {
	{0}, /* status */
};

/* grpc.reflection.v1.ErrorResponse */
static const struct field_rule rules_3[] = {
	{0}, /* error_code */
	{.max_len = 1024}, /* error_message */
};

/* grpc.reflection.v1.ExtensionNumberResponse */
static const struct field_rule rules_4[] = {
	{.max_len = 1024}, /* base_type_name */
	{.max_items = 64}, /* extension_number */
};

/* grpc.reflection.v1.ExtensionRequest */
static const struct field_rule rules_5[] = {
	{.max_len = 1024}, /* containing_type */
	{.max = 536870911}, /* extension_number */
};

/* grpc.reflection.v1.FileDescriptorResponse */
static const struct field_rule rules_6[] = {
	{.max_len = 1048576, .max_items = 64}, /* file_descriptor_proto */
};

/* grpc.reflection.v1.ListServiceResponse */
static const struct field_rule rules_7[] = {
	{.max_items = 64}, /* service */
};

/* grpc.reflection.v1.ServerReflectionRequest */
static const struct field_rule rules_8[] = {
	{.max_len = 255}, /* host */
	{.max_len = 1024}, /* file_by_filename */
	{.max_len = 1024}, /* file_containing_symbol */
	{0}, /* file_containing_extension */
	{.max_len = 1024}, /* all_extension_numbers_of_type */
	{.max_len = 1024}, /* list_services */
};

/* grpc.reflection.v1.ServerReflectionResponse */
static const struct field_rule rules_9[] = {
	{.max_len = 255}, /* valid_host */
	{0}, /* original_request */
	{0}, /* file_descriptor_response */
	{0}, /* all_extension_numbers_response */
	{0}, /* list_services_response */
	{0}, /* error_response */
};

/* grpc.reflection.v1.ServiceResponse */
static const struct field_rule rules_10[] = {
	{.max_len = 1024}, /* name */
};

/* grpc.reflection.v1alpha.ErrorResponse */
static const struct field_rule rules_11[] = {
	{0}, /* error_code */
	{.max_len = 1024}, /* error_message */
};

/* grpc.reflection.v1alpha.ExtensionNumberResponse */
static const struct field_rule rules_12[] = {
	{.max_len = 1024}, /* base_type_name */
	{.max_items = 64}, /* extension_number */
};

/* grpc.reflection.v1alpha.ExtensionRequest */
static const struct field_rule rules_13[] = {
	{.max_len = 1024}, /* containing_type */
	{.max = 536870911}, /* extension_number */
};

/* grpc.reflection.v1alpha.FileDescriptorResponse */
static const struct field_rule rules_14[] = {
	{.max_len = 1048576, .max_items = 64}, /* file_descriptor_proto */
};

/* grpc.reflection.v1alpha.ListServiceResponse */
static const struct field_rule rules_15[] = {
	{.max_items = 64}, /* service */
};

/* grpc.reflection.v1alpha.ServerReflectionRequest */
static const struct field_rule rules_16[] = {
	{.max_len = 255}, /* host */
	{.max_len = 1024}, /* file_by_filename */
	{.max_len = 1024}, /* file_containing_symbol */
	{0}, /* file_containing_extension */
	{.max_len = 1024}, /* all_extension_numbers_of_type */
	{.max_len = 1024}, /* list_services */
};

/* grpc.reflection.v1alpha.ServerReflectionResponse */
static const struct field_rule rules_17[] = {
	{.max_len = 255}, /* valid_host */
	{0}, /* original_request */
	{0}, /* file_descriptor_response */
	{0}, /* all_extension_numbers_response */
	{0}, /* list_services_response */
	{0}, /* error_response */
};

/* grpc.reflection.v1alpha.ServiceResponse */
static const struct field_rule rules_18[] = {
	{.max_len = 1024}, /* name */
};

/* quazzar.mesh.v1.AgentEvent */
static const struct field_rule rules_19[] = {
	{.max_len = 64}, /* type */
	{0}, /* peers_updated */
	{0}, /* refresh */
	{0}, /* drain */
	{0}, /* interest */
	{0}, /* device_status */
	{0}, /* revocations */
	{0}, /* keys */
	{0}, /* certificate */
};

/* quazzar.mesh.v1.AuditEntry */
static const struct field_rule rules_20[] = {
	{0}, /* seq */
	{0}, /* time */
	{.max_len = 36}, /* actor_id */
	{.max_len = 300}, /* actor */
	{.max_len = 64}, /* action */
	{.max_len = 36}, /* object_id */
	{.max_len = 300}, /* object */
	{.max_len = 64}, /* from */
	{.max_len = 64}, /* request_id */
	{.max_len = 64}, /* result */
	{.max_len = 64}, /* hash */
};

/* quazzar.mesh.v1.AuditHead */
static const struct field_rule rules_21[] = {
	{.max_len = 36, .shape = "uuid"}, /* control_panel */
	{.max_len = 36, .shape = "uuid"}, /* tenant */
	{.max = 9223372036854775807}, /* seq */
	{0}, /* time */
	{.max_len = 64}, /* hash */
	{.max_len = 16}, /* kid */
	{.max_len = 64}, /* signature */
};

/* quazzar.mesh.v1.AuditKey */
static const struct field_rule rules_22[] = {
	{.max_len = 16}, /* kid */
	{.max_len = 32}, /* public_key */
};

/* quazzar.mesh.v1.CaCertificate */
static const struct field_rule rules_23[] = {
	{.max_len = 4096}, /* pem */
	{.max_len = 64}, /* fingerprint */
	{.max_len = 200}, /* subject */
	{0}, /* expires_at */
};

/* quazzar.mesh.v1.Certificate */
static const struct field_rule rules_24[] = {
	{.max_len = 16384}, /* chain */
	{.max_len = 16384}, /* ca */
	{.max_len = 100}, /* mark */
};

/* quazzar.mesh.v1.ChangePasswordRequest */
static const struct field_rule rules_25[] = {
	{.min_len = 1, .max_len = 1024, .secret = true}, /* old_password */
	{.min_len = 10, .max_len = 1024, .secret = true}, /* new_password */
};

/* quazzar.mesh.v1.Convergence */
static const struct field_rule rules_27[] = {
	{0}, /* generation */
	{0}, /* nodes */
	{0}, /* current */
	{0}, /* lagging */
	{.max_items = 16}, /* named */
};

/* quazzar.mesh.v1.CreateBackupRequest */
static const struct field_rule rules_28[] = {
	{.min_len = 32, .max_len = 32, .required = true}, /* public_key */
};

/* quazzar.mesh.v1.CreateBackupResponse */
static const struct field_rule rules_29[] = {
	{.max_len = 131072}, /* data */
	{0}, /* total */
};

/* quazzar.mesh.v1.CreateDeviceRequest */
static const struct field_rule rules_30[] = {
	{.max_len = 1024}, /* label */
	{0}, /* type */
	{.max_len = 44}, /* public_key */
	{0}, /* keepalive */
	{0}, /* dns */
	{.max_len = 15, .shape = "ip4"}, /* wished_ip */
	{.max_len = 36, .shape = "uuid"}, /* node_id */
	{.max = 5000}, /* wait_ms */
};

/* quazzar.mesh.v1.CreateDeviceResponse */
static const struct field_rule rules_31[] = {
	{.max_len = 1024, .secret = true}, /* config */
	{.max_len = 65536, .secret = true}, /* qr_svg */
	{0}, /* device */
};

/* quazzar.mesh.v1.CreateJoinTokenRequest */
static const struct field_rule rules_32[] = {
	{.min_len = 1, .max_len = 63}, /* tenant */
};

/* quazzar.mesh.v1.CreateJoinTokenResponse */
static const struct field_rule rules_33[] = {
	{.max_len = 256, .secret = true}, /* join_token */
	{0}, /* expires_at */
};

/* quazzar.mesh.v1.CreateServiceTokenRequest */
static const struct field_rule rules_34[] = {
	{.min_len = 1, .max_len = 64}, /* name */
	{0}, /* role */
	{.max_len = 64, .max_items = 32}, /* methods */
	{.max = 31536000}, /* life_s */
};

/* quazzar.mesh.v1.CreateServiceTokenResponse */
static const struct field_rule rules_35[] = {
	{.max_len = 128, .secret = true}, /* token */
	{0}, /* info */
};

/* quazzar.mesh.v1.CreateTenantRequest */
static const struct field_rule rules_36[] = {
	{.min_len = 1, .max_len = 63, .shape = "slug"}, /* name */
	{0}, /* plan */
	{.max_len = 18}, /* range */
};

/* quazzar.mesh.v1.CreateTenantResponse */
static const struct field_rule rules_37[] = {
	{0}, /* tenant */
};

/* quazzar.mesh.v1.CreateUserRequest */
static const struct field_rule rules_38[] = {
	{.min_len = 1, .max_len = 63}, /* tenant */
	{.min_len = 1, .max_len = 128}, /* name */
	{.min_len = 10, .max_len = 1024, .secret = true}, /* password */
	{0}, /* role */
};

/* quazzar.mesh.v1.CreateUserResponse */
static const struct field_rule rules_39[] = {
	{0}, /* user */
};

/* quazzar.mesh.v1.DeleteDeviceRequest */
static const struct field_rule rules_40[] = {
	{.min_len = 36, .max_len = 36, .shape = "uuid"}, /* id */
	{.max = 5000}, /* wait_ms */
};

/* quazzar.mesh.v1.Device */
static const struct field_rule rules_42[] = {
	{.max_len = 36}, /* id */
	{.max_len = 256}, /* label */
	{.max_len = 63}, /* slug */
	{0}, /* type */
	{.max_len = 80}, /* dns_name */
	{.max_len = 15}, /* mesh_ip */
	{.max_len = 45}, /* mesh_ip6 */
	{.max_len = 44}, /* public_key */
	{0}, /* owner */
	{.max_len = 36}, /* node_id */
	{0}, /* status */
	{0}, /* last_seen */
	{0}, /* created_at */
	{0}, /* applied */
	{0}, /* needs_new_config */
	{0}, /* key_version */
	{0}, /* pending_until */
	{0}, /* rx_bytes */
	{0}, /* tx_bytes */
};

/* quazzar.mesh.v1.DeviceRecord */
static const struct field_rule rules_43[] = {
	{0}, /* type */
	{.max_len = 16}, /* owner_id */
	{.max_len = 128}, /* owner_name */
	{.max_len = 16}, /* home */
	{0}, /* needs_new_config */
	{0}, /* active */
	{0}, /* pending */
};

/* quazzar.mesh.v1.DeviceStatusUpdate */
static const struct field_rule rules_44[] = {
	{.max_items = 4096}, /* statuses */
	{.max_len = 16, .max_items = 4094}, /* nodes_down */
	{0}, /* converged_generation */
	{0}, /* full */
	{0}, /* convergence */
};

/* quazzar.mesh.v1.Drain */
static const struct field_rule rules_45[] = {
	{0}, /* reconnect_after_ms */
	{0}, /* spread_ms */
};

/* quazzar.mesh.v1.EnrollRequest */
static const struct field_rule rules_46[] = {
	{.min_len = 1, .max_len = 256, .secret = true}, /* join_token */
	{.max_len = 1024}, /* name */
	{.min_len = 32, .max_len = 32}, /* wg_public_key */
	{.min_len = 32, .max_len = 32}, /* identity_key */
	{.max_len = 261, .shape = "hostport"}, /* endpoint */
	{.max_len = 49, .max_items = 1024}, /* host_routes */
	{.max_len = 64}, /* version */
};

/* quazzar.mesh.v1.EnrollResponse */
static const struct field_rule rules_47[] = {
	{.max_len = 36}, /* node_id */
	{.max_len = 36}, /* tenant_id */
	{.max_len = 63}, /* tenant_name */
	{.max_len = 15}, /* mesh_ip */
	{.max_len = 45}, /* mesh_ip6 */
	{.max_len = 18}, /* range */
	{.max_len = 49}, /* range6 */
	{.max_len = 1024, .secret = true}, /* agent_token */
	{0}, /* agent_token_expires_at */
	{0}, /* keys */
};

/* quazzar.mesh.v1.ExchangeTokenRequest */
static const struct field_rule rules_48[] = {
	{.min_len = 1, .max_len = 8192, .secret = true}, /* token */
};

/* quazzar.mesh.v1.ExchangeTokenResponse */
static const struct field_rule rules_49[] = {
	{.max_len = 1024, .secret = true}, /* token */
	{0}, /* expires_at */
	{0}, /* user */
};

/* quazzar.mesh.v1.ExplainDeviceRequest */
static const struct field_rule rules_50[] = {
	{.min_len = 36, .max_len = 36, .shape = "uuid"}, /* id */
};

/* quazzar.mesh.v1.ExplainDeviceResponse */
static const struct field_rule rules_51[] = {
	{.max_len = 64}, /* reason */
	{.max_len = 500}, /* evidence */
	{.max_len = 500}, /* next_step */
};

/* quazzar.mesh.v1.FailedPeer */
static const struct field_rule rules_52[] = {
	{.max_len = 16}, /* id */
	{.max = 4095}, /* errno_code */
};

/* quazzar.mesh.v1.Feature */
static const struct field_rule rules_53[] = {
	{0}, /* enabled */
	{0}, /* cap */
	{0}, /* used */
	{.max_len = 200}, /* why */
};

/* quazzar.mesh.v1.GetChangeRequest */
static const struct field_rule rules_54[] = {
	{.max = 9223372036854775807}, /* generation */
	{.max = 5000}, /* wait_ms */
};

/* quazzar.mesh.v1.GetChangeResponse */
static const struct field_rule rules_55[] = {
	{0}, /* generation */
	{0}, /* epoch */
	{0}, /* applied */
	{0}, /* live */
	{0}, /* converged */
	{0}, /* elapsed_ms */
	{.max_items = 4094}, /* nodes */
};

/* quazzar.mesh.v1.GetDeviceRequest */
static const struct field_rule rules_56[] = {
	{.min_len = 36, .max_len = 36, .shape = "uuid"}, /* id */
};

/* quazzar.mesh.v1.GetDeviceResponse */
static const struct field_rule rules_57[] = {
	{0}, /* device */
};

/* quazzar.mesh.v1.GetDeviceStatsRequest */
static const struct field_rule rules_58[] = {
	{.min_len = 36, .max_len = 36, .shape = "uuid"}, /* id */
	{.max_len = 8}, /* window */
};

/* quazzar.mesh.v1.GetDeviceStatsResponse */
static const struct field_rule rules_59[] = {
	{0}, /* rx_bytes */
	{0}, /* tx_bytes */
	{0}, /* latest_handshake */
	{.max_items = 100}, /* samples */
};

/* quazzar.mesh.v1.GetLicenceResponse */
static const struct field_rule rules_61[] = {
	{0}, /* status */
};

/* quazzar.mesh.v1.GetMeshCaResponse */
static const struct field_rule rules_63[] = {
	{.max_len = 16384}, /* pem */
	{.max_items = 4}, /* certificates */
};

/* quazzar.mesh.v1.GetNodePeersRequest */
static const struct field_rule rules_64[] = {
	{.min_len = 36, .max_len = 36, .shape = "uuid"}, /* node_id */
	{.max = 4096}, /* page_size */
	{.max_len = 200}, /* page_token */
};

/* quazzar.mesh.v1.GetNodePeersResponse */
static const struct field_rule rules_65[] = {
	{0}, /* epoch */
	{0}, /* generation */
	{.max_len = 64}, /* digest */
	{.max_items = 4096}, /* peers */
	{.max_len = 200}, /* next_page_token */
};

/* quazzar.mesh.v1.GetOrbitFeaturesResponse */
static const struct field_rule rules_67[] = {
	{0}, /* plan */
	{.max_items = 16}, /* features */
};

/* quazzar.mesh.v1.GetOrbitFeaturesResponse.FeaturesEntry */
static const struct field_rule rules_68[] = {
	{.max_len = 32}, /* key */
	{0}, /* value */
};

/* quazzar.mesh.v1.GetStateResponse */
static const struct field_rule rules_70[] = {
	{0}, /* state */
};

/* quazzar.mesh.v1.InstallLicenceRequest */
static const struct field_rule rules_71[] = {
	{.min_len = 1, .max_len = 8192}, /* licence */
};

/* quazzar.mesh.v1.InstallLicenceResponse */
static const struct field_rule rules_72[] = {
	{0}, /* status */
};

/* quazzar.mesh.v1.Interest */
static const struct field_rule rules_73[] = {
	{0}, /* for_ms */
};

/* quazzar.mesh.v1.IssueCertificateRequest */
static const struct field_rule rules_74[] = {
	{.min_len = 1, .max_len = 4096}, /* csr */
};

/* quazzar.mesh.v1.IssueCertificateResponse */
static const struct field_rule rules_75[] = {
	{0}, /* certificate */
};

/* quazzar.mesh.v1.Issuer */
static const struct field_rule rules_76[] = {
	{.min_len = 1, .max_len = 256}, /* issuer */
	{.min_len = 1, .max_len = 256}, /* audience */
	{.min_len = 5, .max_len = 5}, /* algorithm */
	{.min_len = 1, .max_len = 4095}, /* jwks_file */
	{.min_len = 1, .max_len = 63}, /* tenant */
	{.max_len = 64}, /* user_claim */
	{0}, /* create_users */
	{0}, /* role */
	{.max = 300}, /* clock_skew_s */
};

/* quazzar.mesh.v1.Issuers */
static const struct field_rule rules_77[] = {
	{.max_items = 16}, /* issuers */
};

/* quazzar.mesh.v1.KeySlot */
static const struct field_rule rules_78[] = {
	{.max_len = 32}, /* public_key */
	{0}, /* key_version */
	{0}, /* psk_version */
	{0}, /* until */
};

/* quazzar.mesh.v1.Keys */
static const struct field_rule rules_79[] = {
	{.max_items = 4}, /* session_keys */
	{.max_items = 4}, /* list_keys */
	{.max_len = 32, .max_items = 4}, /* cp_pins */
	{.max_items = 8}, /* k_n */
};

/* quazzar.mesh.v1.Laggard */
static const struct field_rule rules_80[] = {
	{.max_len = 36}, /* node_id */
	{.max_len = 256}, /* label */
	{0}, /* state */
	{0}, /* since */
	{.max_len = 300}, /* why */
	{0}, /* applied_generation */
};

/* quazzar.mesh.v1.Licence */
static const struct field_rule rules_81[] = {
	{.min = 1, .max = 9007199254740991}, /* serial */
	{.min_len = 1, .max_len = 200}, /* licensee */
	{.max_len = 36, .shape = "uuid"}, /* control_panel */
	{.max_len = 36, .max_items = 64}, /* tenants */
	{0}, /* plan */
	{.max = 61439}, /* device_cap */
	{.max_len = 32, .max_items = 8}, /* features */
	{0}, /* not_before */
	{0}, /* expires_at */
	{.max = 90}, /* grace_days */
};

/* quazzar.mesh.v1.LicenceStatus */
static const struct field_rule rules_82[] = {
	{0}, /* state */
	{0}, /* licence */
	{.max_len = 16}, /* key_id */
	{.max_len = 64}, /* vendor */
	{0}, /* own_vendor */
	{0}, /* installed_at */
	{0}, /* grace_until */
	{.max_len = 36}, /* control_panel */
	{.max_len = 300}, /* file_problem */
	{.max_items = 500}, /* tenants */
};

/* quazzar.mesh.v1.LicensedTenant */
static const struct field_rule rules_83[] = {
	{.max_len = 36}, /* id */
	{.max_len = 63}, /* name */
	{0}, /* plan */
	{0}, /* plan_source */
	{0}, /* devices */
	{0}, /* cap */
	{.max_len = 300, .max_items = 4}, /* notices */
};

/* quazzar.mesh.v1.ListAuditRequest */
static const struct field_rule rules_84[] = {
	{.max = 1000}, /* page_size */
	{.max_len = 200}, /* page_token */
};

/* quazzar.mesh.v1.ListAuditResponse */
static const struct field_rule rules_85[] = {
	{.max_items = 1000}, /* entries */
	{.max_len = 200}, /* next_page_token */
};

/* quazzar.mesh.v1.ListDevicesRequest */
static const struct field_rule rules_86[] = {
	{0}, /* all */
	{.max = 4096}, /* page_size */
	{.max_len = 200}, /* page_token */
};

/* quazzar.mesh.v1.ListDevicesResponse */
static const struct field_rule rules_87[] = {
	{.max_items = 4096}, /* devices */
	{.max_len = 200}, /* next_page_token */
};

/* quazzar.mesh.v1.ListKeysResponse */
static const struct field_rule rules_89[] = {
	{.max_items = 512}, /* keys */
};

/* quazzar.mesh.v1.ListNodesRequest */
static const struct field_rule rules_90[] = {
	{.max = 4096}, /* page_size */
	{.max_len = 200}, /* page_token */
};

/* quazzar.mesh.v1.ListNodesResponse */
static const struct field_rule rules_91[] = {
	{.max_items = 4096}, /* nodes */
	{.max_len = 200}, /* next_page_token */
};

/* quazzar.mesh.v1.ListPeersResponse */
static const struct field_rule rules_93[] = {
	{.max_items = 131072}, /* peers */
};

/* quazzar.mesh.v1.ListServiceTokensRequest */
static const struct field_rule rules_94[] = {
	{0}, /* all */
	{.max = 4096}, /* page_size */
	{.max_len = 200}, /* page_token */
};

/* quazzar.mesh.v1.ListServiceTokensResponse */
static const struct field_rule rules_95[] = {
	{.max_items = 4096}, /* tokens */
	{.max_len = 200}, /* next_page_token */
};

/* quazzar.mesh.v1.ListTenantAuditRequest */
static const struct field_rule rules_96[] = {
	{.min_len = 1, .max_len = 63}, /* tenant */
	{.max = 1000}, /* page_size */
	{.max_len = 200}, /* page_token */
};

/* quazzar.mesh.v1.ListTenantAuditResponse */
static const struct field_rule rules_97[] = {
	{.max_items = 1000}, /* entries */
	{.max_len = 200}, /* next_page_token */
};

/* quazzar.mesh.v1.ListTenantNodesRequest */
static const struct field_rule rules_98[] = {
	{.min_len = 1, .max_len = 63}, /* tenant */
	{.max = 4096}, /* page_size */
	{.max_len = 200}, /* page_token */
};

/* quazzar.mesh.v1.ListTenantNodesResponse */
static const struct field_rule rules_99[] = {
	{.max_items = 4096}, /* nodes */
	{.max_len = 200}, /* next_page_token */
};

/* quazzar.mesh.v1.ListTenantsRequest */
static const struct field_rule rules_100[] = {
	{.max = 4096}, /* page_size */
	{.max_len = 200}, /* page_token */
};

/* quazzar.mesh.v1.ListTenantsResponse */
static const struct field_rule rules_101[] = {
	{.max_items = 4096}, /* tenants */
	{.max_len = 200}, /* next_page_token */
};

/* quazzar.mesh.v1.ListUsersRequest */
static const struct field_rule rules_102[] = {
	{.min_len = 1, .max_len = 63}, /* tenant */
	{.max = 4096}, /* page_size */
	{.max_len = 200}, /* page_token */
};

/* quazzar.mesh.v1.ListUsersResponse */
static const struct field_rule rules_103[] = {
	{.max_items = 4096}, /* users */
	{.max_len = 200}, /* next_page_token */
};

/* quazzar.mesh.v1.LoginRequest */
static const struct field_rule rules_104[] = {
	{.max_len = 63}, /* tenant */
	{.min_len = 1, .max_len = 128}, /* user */
	{.min_len = 1, .max_len = 1024, .secret = true}, /* password */
};

/* quazzar.mesh.v1.LoginResponse */
static const struct field_rule rules_105[] = {
	{.max_len = 1024, .secret = true}, /* token */
	{0}, /* expires_at */
	{0}, /* user */
};

/* quazzar.mesh.v1.Member */
static const struct field_rule rules_108[] = {
	{.max_len = 16}, /* id */
	{0}, /* state */
	{.max_len = 256}, /* label */
	{.max_len = 63}, /* slug */
	{0}, /* ip4 */
	{.max_len = 16}, /* ip6 */
	{0}, /* created_at */
	{0}, /* node */
	{0}, /* device */
};

/* quazzar.mesh.v1.Node */
static const struct field_rule rules_109[] = {
	{.max_len = 36}, /* id */
	{.max_len = 256}, /* label */
	{.max_len = 63}, /* slug */
	{.max_len = 80}, /* dns_name */
	{.max_len = 15}, /* mesh_ip */
	{.max_len = 45}, /* mesh_ip6 */
	{.max_len = 261}, /* endpoint */
	{.max_len = 44}, /* public_key */
	{0}, /* online */
	{0}, /* last_seen */
	{0}, /* applied_generation */
	{0}, /* devices */
	{0}, /* failed_peers */
	{.max_len = 300}, /* forwarding */
	{0}, /* created_at */
	{0}, /* state */
	{.max_len = 300}, /* why */
	{0}, /* state_since */
	{.max_len = 200}, /* dns_status */
	{.max_len = 200}, /* https_status */
};

/* quazzar.mesh.v1.NodeLag */
static const struct field_rule rules_110[] = {
	{.max_len = 16}, /* node_id */
	{0}, /* state */
	{0}, /* since */
	{0}, /* applied_generation */
	{0}, /* silent_s */
	{0}, /* first_failed */
	{0}, /* failed */
};

/* quazzar.mesh.v1.NodeProgress */
static const struct field_rule rules_111[] = {
	{.max_len = 36}, /* node_id */
	{.max_len = 256}, /* label */
	{0}, /* online */
	{0}, /* applied */
	{0}, /* applied_generation */
	{0}, /* since */
	{0}, /* failed */
	{0}, /* state */
	{.max_len = 300}, /* why */
	{0}, /* lags_since */
};

/* quazzar.mesh.v1.NodePskKey */
static const struct field_rule rules_112[] = {
	{0}, /* psk_version */
	{.max_len = 32, .secret = true}, /* key */
};

/* quazzar.mesh.v1.NodeRecord */
static const struct field_rule rules_113[] = {
	{.max_len = 32}, /* public_key */
	{.max_len = 261}, /* endpoint */
	{.max_len = 49, .max_items = 64}, /* advertised_routes */
};

/* quazzar.mesh.v1.Owner */
static const struct field_rule rules_114[] = {
	{.max_len = 36}, /* id */
	{.max_len = 128}, /* name */
};

/* quazzar.mesh.v1.Peer */
static const struct field_rule rules_115[] = {
	{.max_len = 44}, /* public_key */
	{.max_len = 36}, /* device_id */
	{.max_len = 64}, /* endpoint */
	{.max_len = 49, .max_items = 131072}, /* allowed_ips */
	{0}, /* latest_handshake */
	{0}, /* rx_bytes */
	{0}, /* tx_bytes */
	{0}, /* keepalive */
	{.max_len = 16}, /* kind */
};

/* quazzar.mesh.v1.PeerList */
static const struct field_rule rules_116[] = {
	{.max_len = 2048, .max_items = 4096}, /* upserts */
	{.max_len = 16, .max_items = 4096}, /* removed_ids */
	{.max_len = 4096}, /* tenant */
};

/* quazzar.mesh.v1.PeerStatus */
static const struct field_rule rules_117[] = {
	{.max_len = 16}, /* device_id */
	{0}, /* latest_handshake */
	{.max = 9223372036854775807}, /* rx_bytes */
	{.max = 9223372036854775807}, /* tx_bytes */
	{.max = 2147483647}, /* key_version */
	{0}, /* last_rx */
};

/* quazzar.mesh.v1.PeersHead */
static const struct field_rule rules_118[] = {
	{.max_len = 16}, /* tenant_id */
	{0}, /* epoch */
	{0}, /* from_generation */
	{0}, /* to_generation */
	{0}, /* snapshot */
	{0}, /* chunk */
	{0}, /* last */
	{.max_len = 32}, /* list_digest */
	{.max_len = 32}, /* list_hash */
};

/* quazzar.mesh.v1.PeersUpdated */
static const struct field_rule rules_119[] = {
	{.max_len = 512}, /* head */
	{.max_len = 4194304}, /* list */
	{.max_len = 64}, /* signature */
	{.max_len = 32}, /* kid */
};

/* quazzar.mesh.v1.Promoted */
static const struct field_rule rules_120[] = {
	{.min_len = 16, .max_len = 16}, /* device_id */
	{.max = 2147483647}, /* key_version */
};

/* quazzar.mesh.v1.RefreshResponse */
static const struct field_rule rules_123[] = {
	{0}, /* generation */
};

/* quazzar.mesh.v1.RemoveNodeRequest */
static const struct field_rule rules_124[] = {
	{.min_len = 1, .max_len = 63}, /* tenant */
	{.min_len = 1, .max_len = 63}, /* node */
	{.max_len = 63}, /* rehome_to */
	{0}, /* force */
};

/* quazzar.mesh.v1.RemoveNodeResponse */
static const struct field_rule rules_125[] = {
	{0}, /* devices */
};

/* quazzar.mesh.v1.RenewTokenRequest */
static const struct field_rule rules_126[] = {
	{.min_len = 36, .max_len = 36, .shape = "uuid"}, /* node_id */
	{0}, /* time */
	{.min_len = 16, .max_len = 16}, /* nonce */
	{.min_len = 64, .max_len = 64}, /* signature */
};

/* quazzar.mesh.v1.RenewTokenResponse */
static const struct field_rule rules_127[] = {
	{.max_len = 1024, .secret = true}, /* agent_token */
	{0}, /* expires_at */
};

/* quazzar.mesh.v1.ReportRequest */
static const struct field_rule rules_128[] = {
	{.max = 9223372036854775807}, /* epoch */
	{.max = 9223372036854775807}, /* applied_generation */
	{.max_len = 32}, /* list_digest */
	{.max_len = 32}, /* device_digest */
	{.max_items = 4096}, /* failed */
	{.max_items = 4096}, /* statuses */
	{.max_items = 4096}, /* promoted */
	{.max_len = 32}, /* backend */
	{.max_len = 300}, /* forwarding */
	{.max = 65535}, /* listen_port */
	{.max_len = 64}, /* version */
	{.max_len = 200}, /* dns_status */
	{0}, /* interest */
	{0}, /* time */
	{.max_len = 16, .max_items = 16}, /* unreached */
	{.max_len = 200}, /* overlap */
	{0}, /* lease_over */
	{.max_len = 200}, /* https_status */
};

/* quazzar.mesh.v1.ReportResponse */
static const struct field_rule rules_129[] = {
	{0}, /* generation */
	{0}, /* epoch */
	{0}, /* time */
	{0}, /* reconnect_spread_ms */
};

/* quazzar.mesh.v1.Revocations */
static const struct field_rule rules_130[] = {
	{0}, /* full */
	{.max_len = 16, .max_items = 65536}, /* session_ids */
};

/* quazzar.mesh.v1.RevokeServiceTokenRequest */
static const struct field_rule rules_131[] = {
	{.min_len = 36, .max_len = 36, .shape = "uuid"}, /* id */
};

/* quazzar.mesh.v1.RootKey */
static const struct field_rule rules_133[] = {
	{0}, /* purpose */
	{0}, /* version */
	{0}, /* state */
	{.max_len = 16}, /* kid */
	{.max_len = 32}, /* public_key */
	{0}, /* made_at */
	{0}, /* active_at */
	{0}, /* until */
	{0}, /* retired_at */
	{0}, /* cut */
	{0}, /* devices */
};

/* quazzar.mesh.v1.RotateDeviceKeyRequest */
static const struct field_rule rules_134[] = {
	{.min_len = 36, .max_len = 36, .shape = "uuid"}, /* id */
	{0}, /* immediate */
	{.max_len = 44}, /* public_key */
	{0}, /* keepalive */
	{0}, /* dns */
	{.max = 5000}, /* wait_ms */
};

/* quazzar.mesh.v1.RotateDeviceKeyResponse */
static const struct field_rule rules_135[] = {
	{.max_len = 1024, .secret = true}, /* config */
	{.max_len = 65536, .secret = true}, /* qr_svg */
	{0}, /* device */
};

/* quazzar.mesh.v1.RotateKeyRequest */
static const struct field_rule rules_136[] = {
	{0}, /* purpose */
	{0}, /* immediate */
	{0}, /* switch_over */
};

/* quazzar.mesh.v1.RotateKeyResponse */
static const struct field_rule rules_137[] = {
	{.max_items = 16}, /* keys */
	{0}, /* sessions_ended */
	{0}, /* nodes_untold */
};

/* quazzar.mesh.v1.ServiceToken */
static const struct field_rule rules_138[] = {
	{.max_len = 36}, /* id */
	{.max_len = 64}, /* name */
	{.max_len = 128}, /* user */
	{0}, /* role */
	{.max_len = 64, .max_items = 32}, /* methods */
	{0}, /* created_at */
	{0}, /* expires_at */
	{0}, /* last_used_at */
};

/* quazzar.mesh.v1.SignAuditHeadsRequest */
static const struct field_rule rules_139[] = {
	{.max_len = 63}, /* tenant */
	{.max_len = 64}, /* page_token */
};

/* quazzar.mesh.v1.SignAuditHeadsResponse */
static const struct field_rule rules_140[] = {
	{.max_items = 500}, /* heads */
	{.max_items = 64}, /* keys */
	{.max_len = 64}, /* next_page_token */
};

/* quazzar.mesh.v1.StatSample */
static const struct field_rule rules_141[] = {
	{0}, /* time */
	{0}, /* rx_bytes */
	{0}, /* tx_bytes */
};

/* quazzar.mesh.v1.State */
static const struct field_rule rules_142[] = {
	{0}, /* active */
	{0}, /* listen_port */
	{0}, /* peer_count */
	{.max_len = 15}, /* mesh_ip */
	{.max_len = 200}, /* dns_status */
	{.max_len = 32}, /* backend */
	{0}, /* generation */
	{0}, /* converged */
	{.max_len = 45}, /* mesh_ip6 */
	{.max_len = 18}, /* range */
	{.max_len = 49}, /* range6 */
	{.max_len = 36}, /* node_id */
	{.max_len = 256}, /* node_label */
	{0}, /* cp_connected */
	{0}, /* cp_lost_at */
	{0}, /* plan */
	{0}, /* devices_used */
	{0}, /* devices_cap */
	{.max_len = 300}, /* forwarding */
	{.max_len = 261}, /* endpoint */
	{.max_len = 100}, /* backend_why */
	{.max_len = 300, .max_items = 4}, /* notices */
	{0}, /* plan_source */
	{0}, /* licence_state */
	{0}, /* licence_expires_at */
	{0}, /* licence_grace_until */
	{0}, /* nodes */
	{0}, /* nodes_current */
	{0}, /* nodes_lagging */
	{.max_items = 16}, /* laggards */
	{0}, /* lease_s */
	{0}, /* lease_left_s */
	{0}, /* lease_over */
	{.max_len = 200}, /* https_status */
	{.max_len = 100}, /* https_url */
	{.max_len = 64}, /* https_pin */
};

/* quazzar.mesh.v1.SubscribeRequest */
static const struct field_rule rules_143[] = {
	{.max = 9223372036854775807}, /* epoch */
	{.max = 9223372036854775807}, /* generation */
	{.max_len = 512}, /* head */
	{.max_len = 64}, /* head_signature */
	{.max_len = 32}, /* kid */
	{.max_len = 64}, /* version */
};

/* quazzar.mesh.v1.SubscribeResponse */
static const struct field_rule rules_144[] = {
	{0}, /* event */
};

/* quazzar.mesh.v1.Tenant */
static const struct field_rule rules_145[] = {
	{.max_len = 36}, /* id */
	{.max_len = 63}, /* name */
	{0}, /* plan */
	{.max_len = 18}, /* range */
	{.max_len = 49}, /* range6 */
	{0}, /* devices */
	{0}, /* nodes */
	{0}, /* generation */
	{0}, /* created_at */
	{0}, /* plan_source */
	{0}, /* cap */
	{.max_len = 300, .max_items = 4}, /* notices */
	{0}, /* sso_required */
	{0}, /* lease_s */
};

/* quazzar.mesh.v1.TenantRecord */
static const struct field_rule rules_146[] = {
	{.max_len = 16}, /* id */
	{.max_len = 63}, /* name */
	{0}, /* range4 */
	{0}, /* prefix4 */
	{.max_len = 16}, /* range6 */
	{0}, /* prefix6 */
	{0}, /* plan */
	{0}, /* cap */
	{.max_len = 32, .max_items = 16}, /* features */
	{0}, /* lease_s */
	{0}, /* plan_source */
	{0}, /* licence_state */
	{0}, /* licence_expires_at */
	{0}, /* licence_grace_until */
	{0}, /* licensed_plan */
};

/* quazzar.mesh.v1.UpdateDeviceRequest */
static const struct field_rule rules_147[] = {
	{.min_len = 36, .max_len = 36, .shape = "uuid"}, /* id */
	{.max_len = 1024}, /* label */
	{0}, /* type */
	{.max = 5000}, /* wait_ms */
};

/* quazzar.mesh.v1.UpdateDeviceResponse */
static const struct field_rule rules_148[] = {
	{0}, /* device */
};

/* quazzar.mesh.v1.UpdateTenantRequest */
static const struct field_rule rules_149[] = {
	{.min_len = 1, .max_len = 63}, /* tenant */
	{0}, /* plan */
	{0}, /* end_trial */
	{0}, /* sso_required */
	{.max = 7776000}, /* lease_s */
};

/* quazzar.mesh.v1.UpdateTenantResponse */
static const struct field_rule rules_150[] = {
	{0}, /* tenant */
};

/* quazzar.mesh.v1.UpdateUserRequest */
static const struct field_rule rules_151[] = {
	{.min_len = 1, .max_len = 63}, /* tenant */
	{.min_len = 1, .max_len = 128}, /* user */
	{0}, /* role */
	{.max_len = 1024, .secret = true}, /* password */
	{0}, /* disabled */
};

/* quazzar.mesh.v1.UpdateUserResponse */
static const struct field_rule rules_152[] = {
	{0}, /* user */
};

/* quazzar.mesh.v1.User */
static const struct field_rule rules_153[] = {
	{.max_len = 36}, /* id */
	{.max_len = 128}, /* name */
	{0}, /* role */
	{0}, /* disabled */
	{0}, /* created_at */
};

/* quazzar.mesh.v1.VerifyAuditRequest */
static const struct field_rule rules_154[] = {
	{.min_len = 1, .max_len = 63}, /* tenant */
	{.max = 9223372036854775807}, /* known_seq */
	{.max_len = 64}, /* known_hash */
	{.max_items = 2000}, /* heads */
};

/* quazzar.mesh.v1.VerifyAuditResponse */
static const struct field_rule rules_155[] = {
	{0}, /* rows */
	{0}, /* fault */
	{0}, /* bad_seq */
	{.max_len = 64}, /* head */
	{0}, /* from_seq */
	{0}, /* heads */
	{.max_len = 63}, /* tenant */
};

/* quazzar.mesh.v1.VerifyKey */
static const struct field_rule rules_156[] = {
	{.max_len = 32}, /* kid */
	{.max_len = 32}, /* public_key */
};

/* quazzar.mesh.v1.VerifyLicenceRequest */
static const struct field_rule rules_157[] = {
	{.min_len = 1, .max_len = 8192}, /* licence */
};

/* quazzar.mesh.v1.VerifyLicenceResponse */
static const struct field_rule rules_158[] = {
	{0}, /* licence */
	{.max_len = 16}, /* key_id */
	{.max_len = 64}, /* vendor */
	{0}, /* in_force */
};

/* quazzar.mesh.v1.WatchStateRequest */
static const struct field_rule rules_159[] = {
	{.max = 9223372036854775807}, /* version */
};

/* quazzar.mesh.v1.WatchStateResponse */
static const struct field_rule rules_160[] = {
	{0}, /* version */
	{.max_len = 16, .max_items = 8}, /* topics */
	{0}, /* state */
};

/* quazzar.mesh.v1.WhoAmIResponse */
static const struct field_rule rules_162[] = {
	{.max_len = 128}, /* user */
	{.max_len = 63}, /* tenant */
	{0}, /* role */
	{0}, /* plan */
	{.max_len = 36}, /* user_id */
	{.max_len = 36}, /* tenant_id */
	{0}, /* expires_at */
};

static const struct message_rules slots[N_SLOTS] = {
	[5] = {&pb__stat_sample__descriptor, rules_141, false},
	[8] = {&pb__licensed_tenant__descriptor, rules_83, false},
	[12] = {&pb__verify_licence_response__descriptor, rules_158, false},
	[18] = {&pb__enroll_request__descriptor, rules_46, true},
	[19] = {&pb__device__descriptor, rules_42, false},
	[20] = {&pb__user__descriptor, rules_153, false},
	[21] = {&pb__list_tenant_audit_request__descriptor, rules_96, false},
	[36] = {&pb__renew_token_request__descriptor, rules_126, false},
	[41] = {&pb__peers_updated__descriptor, rules_119, false},
	[48] = {&pb__verify_audit_response__descriptor, rules_155, false},
	[51] = {&pb__refresh_response__descriptor, rules_123, false},
	[53] = {&pb__list_service_tokens_response__descriptor, rules_95, false},
	[59] = {&pb__delete_device_response__descriptor, NULL, false},
	[64] = {&pb__install_licence_response__descriptor, rules_72, false},
	[72] = {&pb__create_device_response__descriptor, rules_31, true},
	[83] = {&pb__list_audit_response__descriptor, rules_85, false},
	[84] = {&pb__logout_request__descriptor, NULL, false},
	[85] = {&pb__report_request__descriptor, rules_128, false},
	[86] = {&pb__rotate_device_key_request__descriptor, rules_134, false},
	[92] = {&pb__node_psk_key__descriptor, rules_112, true},
	[95] = {&pb__change_password_response__descriptor, NULL, false},
	[97] = {&pb__change_password_request__descriptor, rules_25, true},
	[99] = {&pb__node_lag__descriptor, rules_110, false},
	[100] = {&pb__update_user_response__descriptor, rules_152, false},
	[105] = {&pb__peer__descriptor, rules_115, false},
	[109] = {&pb__get_device_stats_request__descriptor, rules_58, false},
	[110] = {&pb__promoted__descriptor, rules_120, false},
	[116] = {&pb__owner__descriptor, rules_114, false},
	[122] = {&pb__audit_head__descriptor, rules_21, false},
	[123] = {&pb__get_orbit_features_request__descriptor, NULL, false},
	[124] = {&pb__revoke_service_token_request__descriptor, rules_131, false},
	[125] = {&pb__subscribe_request__descriptor, rules_143, false},
	[130] = {&pb__device_record__descriptor, rules_43, false},
	[131] = {&pb__list_nodes_request__descriptor, rules_90, false},
	[139] = {&pb__create_join_token_request__descriptor, rules_32, false},
	[143] = {&pb__list_peers_request__descriptor, NULL, false},
	[150] = {&pb__get_device_response__descriptor, rules_57, false},
	[151] = {&pb__get_state_response__descriptor, rules_70, false},
	[152] = {&pb__state__descriptor, rules_142, false},
	[156] = {&pb__verify_audit_request__descriptor, rules_154, false},
	[158] = {&pb__licence_status__descriptor, rules_82, false},
	[161] = {&pb__service_token__descriptor, rules_138, false},
	[163] = {&grpc__reflection__v1__service_response__descriptor, rules_10, false},
	[164] = {&grpc__reflection__v1alpha__service_response__descriptor, rules_18, false},
	[165] = {&pb__node_record__descriptor, rules_113, false},
	[167] = {&pb__create_user_request__descriptor, rules_38, true},
	[169] = {&pb__get_state_request__descriptor, NULL, false},
	[173] = {&pb__list_devices_request__descriptor, rules_86, false},
	[177] = {&pb__list_nodes_response__descriptor, rules_91, false},
	[178] = {&pb__agent_event__descriptor, rules_19, true},
	[185] = {&pb__list_tenant_nodes_response__descriptor, rules_99, false},
	[190] = {&pb__node_progress__descriptor, rules_111, false},
	[191] = {&pb__remove_node_response__descriptor, rules_125, false},
	[195] = {&pb__get_licence_request__descriptor, NULL, false},
	[197] = {&pb__tenant__descriptor, rules_145, false},
	[202] = {&pb__list_keys_response__descriptor, rules_89, false},
	[204] = {&pb__get_change_request__descriptor, rules_54, false},
	[205] = {&pb__refresh_request__descriptor, NULL, false},
	[213] = {&grpc__reflection__v1__file_descriptor_response__descriptor, rules_6, false},
	[214] = {&grpc__reflection__v1alpha__file_descriptor_response__descriptor, rules_14, false},
	[215] = {&pb__issuer__descriptor, rules_76, false},
	[221] = {&pb__feature__descriptor, rules_53, false},
	[223] = {&pb__login_request__descriptor, rules_104, true},
	[227] = {&pb__member__descriptor, rules_108, false},
	[228] = {&coredns__dns__dns_packet__descriptor, rules_0, false},
	[229] = {&pb__create_device_request__descriptor, rules_30, false},
	[230] = {&pb__delete_device_request__descriptor, rules_40, false},
	[231] = {&pb__issue_certificate_response__descriptor, rules_75, false},
	[236] = {&pb__tenant_record__descriptor, rules_146, false},
	[237] = {&pb__keys__descriptor, rules_79, true},
	[243] = {&pb__interest__descriptor, rules_73, false},
	[244] = {&pb__list_tenants_request__descriptor, rules_100, false},
	[249] = {&pb__get_orbit_features_response__descriptor, rules_67, false},
	[250] = {&pb__get_device_request__descriptor, rules_56, false},
	[256] = {&pb__verify_licence_request__descriptor, rules_157, false},
	[272] = {&pb__certificate__descriptor, rules_24, false},
	[274] = {&pb__remove_node_request__descriptor, rules_124, false},
	[277] = {&pb__peer_list__descriptor, rules_116, false},
	[281] = {&pb__laggard__descriptor, rules_80, false},
	[285] = {&pb__who_am_irequest__descriptor, NULL, false},
	[289] = {&pb__list_tenants_response__descriptor, rules_101, false},
	[298] = {&grpc__health__v1__health_check_response__descriptor, rules_2, false},
	[299] = {&pb__get_node_peers_response__descriptor, rules_65, false},
	[300] = {&pb__peer_status__descriptor, rules_117, false},
	[301] = {&pb__node__descriptor, rules_109, false},
	[302] = {&pb__exchange_token_response__descriptor, rules_49, true},
	[303] = {&pb__rotate_key_response__descriptor, rules_137, false},
	[307] = {&pb__sign_audit_heads_request__descriptor, rules_139, false},
	[312] = {&pb__logout_response__descriptor, NULL, false},
	[313] = {&pb__report_response__descriptor, rules_129, false},
	[314] = {&pb__rotate_device_key_response__descriptor, rules_135, true},
	[315] = {&pb__list_tenant_nodes_request__descriptor, rules_98, false},
	[317] = {&pb__create_user_response__descriptor, rules_39, false},
	[323] = {&pb__update_tenant_response__descriptor, rules_150, false},
	[328] = {&pb__issue_certificate_request__descriptor, rules_74, false},
	[332] = {&pb__refresh_event__descriptor, NULL, false},
	[339] = {&pb__get_device_stats_response__descriptor, rules_59, false},
	[341] = {&pb__get_node_peers_request__descriptor, rules_64, false},
	[342] = {&pb__create_tenant_response__descriptor, rules_37, false},
	[346] = {&grpc__reflection__v1__error_response__descriptor, rules_3, false},
	[347] = {&grpc__reflection__v1alpha__error_response__descriptor, rules_11, false},
	[348] = {&grpc__reflection__v1__server_reflection_request__descriptor, rules_8, false},
	[349] = {&grpc__reflection__v1alpha__server_reflection_request__descriptor, rules_16, false},
	[353] = {&pb__sign_audit_heads_response__descriptor, rules_140, false},
	[364] = {&pb__audit_entry__descriptor, rules_20, false},
	[365] = {&pb__list_audit_request__descriptor, rules_84, false},
	[367] = {&pb__list_service_tokens_request__descriptor, rules_94, false},
	[379] = {&pb__explain_device_request__descriptor, rules_50, false},
	[382] = {&pb__revocations__descriptor, rules_130, false},
	[385] = {&pb__get_mesh_ca_response__descriptor, rules_63, false},
	[386] = {&pb__get_orbit_features_response__features_entry__descriptor, rules_68, false},
	[387] = {&pb__update_device_response__descriptor, rules_148, false},
	[392] = {&pb__failed_peer__descriptor, rules_52, false},
	[393] = {&pb__create_join_token_response__descriptor, rules_33, true},
	[394] = {&pb__renew_token_response__descriptor, rules_127, true},
	[395] = {&pb__watch_state_request__descriptor, rules_159, false},
	[398] = {&pb__convergence__descriptor, rules_27, false},
	[400] = {&pb__revoke_service_token_response__descriptor, NULL, false},
	[401] = {&pb__subscribe_response__descriptor, rules_144, true},
	[403] = {&pb__list_devices_response__descriptor, rules_87, false},
	[404] = {&pb__create_backup_response__descriptor, rules_29, false},
	[405] = {&pb__device_status_update__descriptor, rules_44, false},
	[413] = {&pb__update_tenant_request__descriptor, rules_149, false},
	[428] = {&pb__install_licence_request__descriptor, rules_71, false},
	[436] = {&grpc__reflection__v1__extension_number_response__descriptor, rules_4, false},
	[437] = {&grpc__reflection__v1alpha__extension_number_response__descriptor, rules_12, false},
	[440] = {&pb__create_backup_request__descriptor, rules_28, false},
	[441] = {&pb__drain__descriptor, rules_45, false},
	[442] = {&pb__create_tenant_request__descriptor, rules_36, false},
	[446] = {&pb__enroll_response__descriptor, rules_47, true},
	[447] = {&pb__issuers__descriptor, rules_77, false},
	[450] = {&pb__create_service_token_response__descriptor, rules_35, true},
	[451] = {&pb__exchange_token_request__descriptor, rules_48, true},
	[452] = {&pb__ca_certificate__descriptor, rules_23, false},
	[453] = {&pb__verify_key__descriptor, rules_156, false},
	[454] = {&pb__who_am_iresponse__descriptor, rules_162, false},
	[456] = {&pb__update_user_request__descriptor, rules_151, true},
	[463] = {&grpc__reflection__v1__list_service_response__descriptor, rules_7, false},
	[464] = {&grpc__reflection__v1alpha__list_service_response__descriptor, rules_15, false},
	[467] = {&pb__get_mesh_ca_request__descriptor, NULL, false},
	[468] = {&pb__licence__descriptor, rules_81, false},
	[469] = {&pb__list_peers_response__descriptor, rules_93, false},
	[470] = {&grpc__health__v1__health_check_request__descriptor, rules_1, false},
	[471] = {&pb__audit_key__descriptor, rules_22, false},
	[472] = {&pb__list_users_response__descriptor, rules_103, false},
	[473] = {&pb__rotate_key_request__descriptor, rules_136, false},
	[474] = {&pb__update_device_request__descriptor, rules_147, false},
	[480] = {&pb__get_change_response__descriptor, rules_55, false},
	[481] = {&pb__key_slot__descriptor, rules_78, false},
	[485] = {&pb__login_response__descriptor, rules_105, true},
	[486] = {&pb__watch_state_response__descriptor, rules_160, false},
	[488] = {&pb__peers_head__descriptor, rules_118, false},
	[491] = {&pb__list_tenant_audit_response__descriptor, rules_97, false},
	[492] = {&pb__root_key__descriptor, rules_133, false},
	[496] = {&grpc__reflection__v1__server_reflection_response__descriptor, rules_9, false},
	[497] = {&grpc__reflection__v1alpha__server_reflection_response__descriptor, rules_17, false},
	[498] = {&pb__get_licence_response__descriptor, rules_61, false},
	[502] = {&pb__list_keys_request__descriptor, NULL, false},
	[503] = {&grpc__reflection__v1__extension_request__descriptor, rules_5, false},
	[504] = {&grpc__reflection__v1alpha__extension_request__descriptor, rules_13, false},
	[505] = {&pb__explain_device_response__descriptor, rules_51, false},
	[506] = {&pb__list_users_request__descriptor, rules_102, false},
	[510] = {&pb__create_service_token_request__descriptor, rules_34, false},
};

const struct message_rules *rules_find(const ProtobufCMessageDescriptor *desc)
{
	uint32_t at = 2166136261u;

	for (const char *p = desc->short_name; *p; p++)
		at = (at ^ (unsigned char)*p) * 16777619u;
	for (at %= N_SLOTS; slots[at].desc; at = (at + 1) % N_SLOTS)
		if (slots[at].desc == desc)
			return &slots[at];
	return NULL;
}
