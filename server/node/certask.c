/* SPDX-License-Identifier: Apache-2.0 */
#include "server/node/certask.h"

#include <string.h>

#include "base/clock.h"
#include "client/qmesh.h"
#include "quazzar/mesh/v1/agent.pb-c.h"
#include "server/node/keeper.h"
#include "server/node/link.h"
#include "server/node/node.h"

#define CERTIFICATE_PATH "/quazzar.mesh.v1.AgentService/IssueCertificate"
#define CALL_TIMEOUT_MS 10000
#define REQUEST_MAX 2048

static void tell(struct node *n, const char *why)
{
	keeper_certificate(n->keeper, true, why, strlen(why));
}

void certask_run(struct node *n, const uint8_t *csr, size_t len)
{
	Pb__IssueCertificateRequest req = PB__ISSUE_CERTIFICATE_REQUEST__INIT;
	char bearer[LINK_TOKEN_MAX + 16] = "Bearer ";
	struct qm_md md = {.name = "authorization", .value = bearer};
	const struct qm_call_options options = {
		.timeout_ms = CALL_TIMEOUT_MS, .metadata = &md, .n_metadata = 1};
	uint64_t used_at_ms = clock_boot_ms();
	uint8_t bytes[REQUEST_MAX];
	struct qm_reply reply;
	int r;

	req.csr = (ProtobufCBinaryData){.len = len, .data = (uint8_t *)csr};
	if (!link_token(n->link, bearer + 7) ||
	    protobuf_c_message_get_packed_size(&req.base) > sizeof(bytes)) {
		tell(n, "the Control Panel cannot be asked");
		return;
	}
	md.value_len = strlen(bearer);
	r = qm_unary(link_client(n->link), CERTIFICATE_PATH, bytes,
		     protobuf_c_message_pack(&req.base, bytes), &options, &reply);
	explicit_bzero(bearer, sizeof(bearer));
	if (r) {
		tell(n, strerror(-r));
		return;
	}
	if (reply.status.code == GRPC_OK)
		keeper_certificate(n->keeper, false, reply.message, reply.len);
	else
		tell(n, reply.status.message ? reply.status.message : "refused");
	if (reply.status.err == ERR_TOKEN_INVALID)
		link_refused(n->link, used_at_ms);
	qm_reply_done(&reply);
}
