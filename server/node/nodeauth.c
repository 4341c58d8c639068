/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials of a call against the replica's keys and revocations. */
#include "server/node/nodeauth.h"

#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/key.h"
#include "base/sign.h"
#include "server/node/link.h"
#include "server/node/node.h"
#include "server/peers/claims.h"
#include "server/peers/plans.h"

const char *nodeauth_session(const struct call *call)
{
	const char *authorization = call_metadata(call, "authorization");

	if (!authorization)
		return call->session_cookie;
	if (strncasecmp(authorization, "bearer ", 7) != 0)
		return NULL;
	return authorization + 7;
}

static int refuse(struct call *call)
{
	return call_fail(call, ERR_TOKEN_INVALID,
			 "The session is not valid here. Sign in again at this node.");
}

/*
 * Signed by a key that we have not heard of: the Control Panel tells of it before it
 * signs, but a sign-in may overtake the stream, or the stream be away for a while. So
 * the Control Panel says whose it is.
 */
static bool is_news(const struct replica *r, const char *token)
{
	char kid[JWT_KID_ROOM];

	if (jwt_kid(token, CLAIMS_SESSION_TYP, kid))
		return false;
	for (size_t i = 0; i < r->trust.n_session_keys; i++) {
		if (!strcmp(r->trust.session_keys[i].kid, kid))
			return false;
	}
	return true;
}

/* With the replica's lock held. */
static bool open_session(const struct replica *r, const char *token, struct claims *ret)
{
	for (size_t i = 0; i < r->trust.n_session_keys; i++) {
		const struct trust_key *key = &r->trust.session_keys[i];
		char *json;
		int e;

		if (!jwt_header_is(token, CLAIMS_SESSION_TYP, key->kid))
			continue;
		if (jwt_open(token, key->public_key, &json))
			return false;
		e = claims_parse(json, ret);
		key_wipe_bytes(json, strlen(json));
		free(json);
		return e == 0;
	}
	return false;
}

static bool is_good(const struct replica *r, const struct claims *c)
{
	char aud[64];

	return strcmp(c->aud, claims_aud_node(&r->self, aud)) == 0 &&
	       uuid_equal(&c->tenant_id, &r->tenant_id) && !uuid_is_nil(&c->user_id) &&
	       c->role >= ROLE_MEMBER && c->role <= ROLE_ADMIN &&
	       c->expires_at_s > clock_wall_ms() / 1000 && !replica_is_revoked(r, &c->session_id);
}

/* Only what the Control Panel can answer in our place. */
static bool can_ask(struct node *n, const struct call *call)
{
	enum runs_on at = call->method->policy.runs_on;

	return link_can_call(n->link) && (at == RUNS_ON_FORWARD || at == RUNS_ON_BOTH) &&
	       call->method->kind == METHOD_UNARY;
}

static void be_operator(struct node *n, struct call *call)
{
	call->caller.audience = AUDIENCE_USER;
	call->caller.role = ROLE_ADMIN;
	call->caller.tenant_id = n->identity.tenant_id;
	call->caller.node_id = n->identity.node_id;
	strcpy(call->caller.name, "operator");
}

/* No token of ours has other characters, and none of them can be passed on. */
static bool is_token(const char *s)
{
	for (; *s; s++)
		if ((uint8_t)*s <= 0x20 || (uint8_t)*s > 0x7e)
			return false;
	return true;
}

int nodeauth_authenticate(struct call *call, void *owner)
{
	const char *token = nodeauth_session(call);
	struct node *n = owner;
	struct claims c;
	bool good, news;

	if (token ? !is_token(token) : call_metadata(call, "authorization") != NULL)
		return refuse(call);
	/* Whose it is, and for what, the Control Panel says. */
	if (token && claims_is_service(token)) {
		/* A program's token is shown by the program, not sent along by a browser. */
		if (!call_metadata(call, "authorization"))
			return refuse(call);
		call->caller.audience = AUDIENCE_USER;
		call->caller.pass_on = true;
		return 0;
	}
	if (!token) {
		if (call->peer_is_operator)
			be_operator(n, call);
		return 0;
	}
	pthread_rwlock_rdlock(&n->replica.lock);
	good = open_session(&n->replica, token, &c) && is_good(&n->replica, &c);
	news = !good && is_news(&n->replica, token);
	pthread_rwlock_unlock(&n->replica.lock);
	if (news && can_ask(n, call)) {
		call->caller.audience = AUDIENCE_USER;
		call->caller.pass_on = true;
		return 0;
	}
	if (!good)
		return refuse(call);
	call->caller.audience = AUDIENCE_USER;
	call->caller.tenant_id = c.tenant_id;
	call->caller.user_id = c.user_id;
	call->caller.session_id = c.session_id;
	call->caller.node_id = n->identity.node_id;
	call->caller.role = c.role;
	call->caller.expires_at_ms = c.expires_at_s * 1000;
	strcpy(call->caller.name, c.name);
	return 0;
}

int nodeauth_licence(struct call *call, void *owner)
{
	const struct method_policy *policy = &call->method->policy;
	struct node *n = owner;
	const struct tenantrec *t;
	enum plan needed, plan;
	bool lacks;

	/* The Control Panel checks what it answers itself, by its newer knowledge. */
	if (policy->runs_on == RUNS_ON_FORWARD || call->caller.pass_on)
		return 0;
	pthread_rwlock_rdlock(&n->replica.lock);
	t = members_tenant(n->replica.list);
	plan = t->plan;
	/* A licence may grant a feature of a larger plan. */
	lacks = policy->feature ? !tenantrec_has(t, policy->feature) : plan < policy->min_plan;
	pthread_rwlock_unlock(&n->replica.lock);
	if (!lacks)
		return 0;
	needed = policy->feature ? plans_from(policy->feature) : policy->min_plan;
	call_fail(call, ERR_PLAN_LACKS_FEATURE, "This needs the %s plan.", plans_name((int)needed));
	status_meta(&call->status, "feature", "%s", policy->feature ? policy->feature : "");
	status_meta(&call->status, "needs", "%s", plans_name((int)needed));
	status_meta(&call->status, "plan", "%s", plans_name((int)plan));
	return ERR_PLAN_LACKS_FEATURE;
}
