/* SPDX-License-Identifier: Apache-2.0 */
/* quazzar.mesh.v1.AgentService: typed handlers. Made from proto/ by scripts/gen; never edited. */
#ifndef QM_GEN_AGENT_SERVICE_H
#define QM_GEN_AGENT_SERVICE_H

#include "base/method.h"
#include "quazzar/mesh/v1/agent.pb-c.h"

struct call;

/* Who answers each method; NULL: nobody. */
struct agent_service {
	int (*enroll)(struct call *call, const Pb__EnrollRequest *in,
		Pb__EnrollResponse *out);
	int (*renew_token)(struct call *call, const Pb__RenewTokenRequest *in,
		Pb__RenewTokenResponse *out);
	int (*subscribe)(struct call *call, const Pb__SubscribeRequest *in);
	int (*report)(struct call *call, const Pb__ReportRequest *in,
		Pb__ReportResponse *out);
	int (*issue_certificate)(struct call *call, const Pb__IssueCertificateRequest *in,
		Pb__IssueCertificateResponse *out);
	int (*get_node_peers)(struct call *call, const Pb__GetNodePeersRequest *in,
		Pb__GetNodePeersResponse *out);
};

/* Indices in agent_service_methods. */
enum agent_service_method {
	METHOD_AGENT_ENROLL = 0,
	METHOD_AGENT_RENEW_TOKEN = 1,
	METHOD_AGENT_SUBSCRIBE = 2,
	METHOD_AGENT_REPORT = 3,
	METHOD_AGENT_ISSUE_CERTIFICATE = 4,
	METHOD_AGENT_GET_NODE_PEERS = 5,
};

extern const struct method agent_service_methods[6];
extern const struct service agent_service_desc;

_Static_assert(sizeof(struct agent_service) == 6 * sizeof(int (*)(void)),
	       "handlers are an array of function pointers");

static inline const void *agent_service_handlers(const struct agent_service *h)
{
	return h;
}

#endif
