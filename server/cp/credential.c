/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/credential.h"

#include <stdio.h>
#include <string.h>

#include "base/cidr.h"
#include "base/clock.h"
#include "server/cp/keyring.h"
#include "server/cp/plan.h"
#include "server/cp/servicetokens.h"
#include "server/store/node_row.h"
#include "server/store/session_row.h"
#include "server/store/tenant_row.h"
#include "server/store/user_row.h"

struct lookup {
	struct claims claims;
	int64_t now_ms;
	struct session_row session;
	struct user_row user;
	struct node_row node;
};

static int refuse(struct call *call)
{
	return call_fail(call, ERR_TOKEN_INVALID, "The credentials are not valid. Sign in again.");
}

/* The node that passes a call on must know whose credential it was: not the person's. */
static int refuse_agent(struct call *call)
{
	int r = refuse(call);

	status_meta(&call->status, "credential", "agent");
	return r;
}

static int find_node(struct txn *txn, void *ctx)
{
	struct lookup *l = ctx;

	return node_row_get(txn, &l->claims.tenant_id, &l->claims.node_id, &l->node);
}

/* The session lives, its user may sign in; the role is the one of now. */
static int find_session(struct txn *txn, void *ctx)
{
	struct lookup *l = ctx;
	int r;

	r = session_row_get(txn, &l->claims.tenant_id, &l->claims.session_id, &l->session);
	if (!r)
		r = user_row_get(txn, &l->claims.tenant_id, &l->session.user, &l->user);
	if (r)
		return r;
	return l->session.ended || l->user.disabled || l->session.expires_ms <= l->now_ms
		       ? ERR_NOT_FOUND
		       : 0;
}

static int take_agent(struct cp *cp, struct call *call, const char *token)
{
	struct lookup l = {.now_ms = clock_wall_ms()};
	int r;

	r = keyring_open_agent(cp->keyring, token, l.now_ms, &l.claims);
	if (r)
		return r == -ENOMEM ? r : refuse_agent(call);
	r = store_read(cp->store, find_node, &l);
	if (r)
		return r < 0 ? err_trace(r) : refuse_agent(call);
	call->caller.audience = AUDIENCE_AGENT;
	call->caller.tenant_id = l.node.tenant;
	call->caller.node_id = l.node.id;
	call->caller.expires_at_ms = l.claims.expires_at_s * 1000;
	snprintf(call->caller.name, sizeof(call->caller.name), "%.128s", l.node.label);
	return 0;
}

/* A service token, or a session: aud is what that must have been made for. */
static int take_session(struct cp *cp, struct call *call, const char *token, const char *aud)
{
	struct lookup l = {.now_ms = clock_wall_ms()};
	int r;

	if (claims_is_service(token))
		return servicetokens_take(cp, call, token);
	r = keyring_open_session(cp->keyring, token, l.now_ms, &l.claims);
	if (r || strcmp(l.claims.aud, aud))
		return r == -ENOMEM ? r : refuse(call);
	r = store_read(cp->store, find_session, &l);
	if (r)
		return r < 0 ? err_trace(r) : refuse(call);
	call->caller.audience = AUDIENCE_USER;
	call->caller.tenant_id = l.user.tenant;
	call->caller.user_id = l.user.id;
	call->caller.session_id = l.session.id;
	call->caller.role = (enum role)l.user.role;
	call->caller.expires_at_ms = l.session.expires_ms;
	snprintf(call->caller.name, sizeof(call->caller.name), "%s", l.user.name);
	return 0;
}

/* A node names the person it speaks for; what is no address is not believed. */
static void take_client_address(struct call *call)
{
	const char *said = call_metadata(call, "x-qmesh-client-addr");
	char text[CIDR_TEXT_LEN + 1];
	struct cidr address;

	if (!said || strchr(said, '/') || cidr_parse(said, &address))
		return;
	snprintf(call->caller.address, sizeof(call->caller.address), "%s",
		 cidr_addr_text(&address, text));
	call->caller.names_client = true;
}

/* A person whose call a node passes on: the session must be of that node and tenant. */
static int take_passed_on(struct cp *cp, struct call *call, const char *token)
{
	struct uuid tenant = call->caller.tenant_id, node = call->caller.node_id;
	char aud[64];
	int r;

	r = take_session(cp, call, token, claims_aud_node(&node, aud));
	if (r)
		return r;
	if (!uuid_equal(&tenant, &call->caller.tenant_id))
		return refuse(call);
	call->caller.node_id = node;
	call->caller.via_agent = true;
	take_client_address(call);
	return 0;
}

int credential_authenticate(struct call *call, void *owner)
{
	const char *authorization = call_metadata(call, "authorization");
	const char *user = call_metadata(call, "x-qmesh-user");
	struct cp *cp = owner;
	const char *token;
	int r;

	if (!authorization) {
		if (!call->session_cookie)
			return 0;
		/* A program's token is shown by the program, not sent along by a browser. */
		if (claims_is_service(call->session_cookie))
			return refuse(call);
		return take_session(cp, call, call->session_cookie, CLAIMS_AUD_CP);
	}
	if (strncasecmp(authorization, "bearer ", 7))
		return refuse(call);
	token = authorization + 7;
	if (!keyring_is_agent(token))
		return take_session(cp, call, token, CLAIMS_AUD_CP);
	r = take_agent(cp, call, token);
	if (r)
		return r;
	if (user)
		return take_passed_on(cp, call, user);
	/* Sign-in through a node: the person has no session yet, but an address. */
	if (call->method->policy.audience == AUDIENCE_PUBLIC)
		take_client_address(call);
	return 0;
}

struct licence {
	struct uuid tenant_id;
	struct tenant_row tenant;
};

static int find_tenant(struct txn *txn, void *ctx)
{
	struct licence *l = ctx;

	return tenant_row_get(txn, &l->tenant_id, &l->tenant);
}

int credential_licence(struct call *call, void *owner)
{
	const struct method_policy *policy = &call->method->policy;
	struct licence l = {.tenant_id = call->caller.tenant_id};
	enum plan needed = policy->feature ? plans_from(policy->feature) : policy->min_plan;
	struct cp *cp = owner;
	int r;

	if (needed <= PLAN_FREE)
		return 0;
	r = store_read(cp->store, find_tenant, &l);
	if (r)
		return r < 0 ? err_trace(r) : refuse(call);
	/* A licence may grant a feature of a larger plan. */
	if (policy->feature ? plan_has(&l.tenant, policy->feature) : l.tenant.plan >= (int)needed)
		return 0;
	call_fail(call, ERR_PLAN_LACKS_FEATURE, "This needs the %s plan.", plans_name((int)needed));
	status_meta(&call->status, "feature", "%s", policy->feature ? policy->feature : "");
	status_meta(&call->status, "needs", "%s", plans_name((int)needed));
	status_meta(&call->status, "plan", "%s", plans_name(l.tenant.plan));
	return ERR_PLAN_LACKS_FEATURE;
}
