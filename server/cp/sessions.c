/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session is a row and a signed token. The token says for whom and, when it
 * was made through a node, that only this node may pass it on. The row is the
 * truth: what ends it ends the session at the next call, and nodes are told.
 */
#include "server/cp/sessions.h"

#include <string.h>

#include "base/clock.h"
#include "server/cp/audit.h"
#include "server/cp/fields.h"
#include "server/cp/hub.h"
#include "server/cp/keyring.h"
#include "server/cp/passwords.h"
#include "server/cp/users.h"
#include "server/store/session_row.h"
#include "server/store/tenant_row.h"
#include "server/store/token_row.h"
#include "server/store/user_row.h"

void sessions_ended_done(struct sessions_ended *e)
{
	free(e->ids);
}

int sessions_ended_add(void *arg, const struct uuid *id)
{
	struct sessions_ended *e = arg;

	if (e->n == e->cap) {
		size_t cap = e->cap ? e->cap * 2 : 16;
		void *more = realloc(e->ids, cap * sizeof(*e->ids));

		if (!more)
			return -ENOMEM;
		e->ids = more;
		e->cap = cap;
	}
	memcpy(e->ids[e->n++], id->b, 16);
	return 0;
}

struct login {
	const char *tenant_name, *user_name;
	struct uuid node_tenant;
	struct tenant_row tenant;
	struct user_row user;
	struct session_row session;
	struct audit_row audit;
	int result;
};

/* The tenant named, the node's, or the only one; then the user in it. */
static int find_account(struct txn *txn, void *ctx)
{
	struct login *l = ctx;
	int r;

	if (!uuid_is_nil(&l->node_tenant))
		r = tenant_row_get(txn, &l->node_tenant, &l->tenant);
	else if (*l->tenant_name)
		r = tenant_row_find(txn, l->tenant_name, &l->tenant);
	else
		r = tenant_row_only(txn, &l->tenant);
	if (!r && *l->tenant_name && strcmp(l->tenant_name, l->tenant.name))
		r = ERR_NOT_FOUND;
	return r ? r : user_row_find(txn, &l->tenant.id, l->user_name, &l->user);
}

static int open_session(struct txn *txn, void *ctx)
{
	struct login *l = ctx;
	struct user_row now;
	int r;

	/* Between the check and this write an account may have been closed. */
	r = user_row_get(txn, &l->user.tenant, &l->user.id, &now);
	if (r)
		return r == ERR_NOT_FOUND ? ERR_LOGIN_FAILED : err_trace(r);
	if (now.disabled || strcmp(now.password, l->user.password))
		return ERR_LOGIN_FAILED;
	r = session_row_insert(txn, &l->session);
	if (r)
		return err_trace(r);
	return audit_end(txn, &l->audit, 0);
}

/*
 * The row is written later, and only where the user is known: the time of the
 * answer tells nothing, and strangers' guesses do not fill the chain.
 */
static int fail_login(struct call *call, const struct login *l)
{
	audit_post(call, &l->audit, ERR_LOGIN_FAILED);
	return call_fail(call, ERR_LOGIN_FAILED, "Name or password is wrong.");
}

static int fill_opened(struct call *call, const struct login *l, struct sessions_opened *ret)
{
	struct claims c = {.tenant_id = l->user.tenant,
			   .user_id = l->user.id,
			   .session_id = l->session.id,
			   .role = (enum role)l->user.role,
			   .issued_at_s = l->session.created_ms / 1000,
			   .expires_at_s = l->session.expires_ms / 1000};
	_cleanup_(freep) char *token = NULL;
	struct cp *cp = call->owner;

	if (uuid_is_nil(&l->session.node))
		strcpy(c.aud, CLAIMS_AUD_CP);
	else
		claims_aud_node(&l->session.node, c.aud);
	strcpy(c.name, l->user.name);
	token = keyring_session_token(cp->keyring, &c);
	if (!token)
		return -ENOMEM;
	ret->token = arena_strdup(&call->arena, token);
	key_wipe_bytes(token, strlen(token));
	ret->expires_at = fields_time(call, l->session.expires_ms);
	ret->user = users_fill(call, &l->user);
	return ret->token && ret->expires_at && ret->user ? 0 : -ENOMEM;
}

static void begin_audit(struct call *call, const char *action, struct login *l)
{
	audit_begin(call, action, &l->audit);
	l->audit.tenant = l->user.tenant;
	l->audit.actor_id = l->user.id;
	snprintf(l->audit.actor, sizeof(l->audit.actor), "%s", l->user.name);
}

/* l->user has shown who they are. */
static int open_for(struct call *call, struct login *l, struct sessions_opened *ret)
{
	struct cp *cp = call->owner;
	int r;

	l->session = (struct session_row){.tenant = l->user.tenant,
					  .id = uuid_make(),
					  .user = l->user.id,
					  .created_ms = clock_wall_ms()};
	l->session.expires_ms = l->session.created_ms + (int64_t)cp->conf.session_ms;
	if (call->caller.audience == AUDIENCE_AGENT)
		l->session.node = call->caller.node_id;
	r = audit_write(call, open_session, NULL, l);
	return r ? r : fill_opened(call, l, ret);
}

int sessions_open(struct call *call, const struct user_row *user, const char *action,
		  struct sessions_opened *ret)
{
	struct login l = {.user = *user};
	int r;

	begin_audit(call, action, &l);
	r = open_for(call, &l, ret);
	if (r == ERR_LOGIN_FAILED)
		audit_post(call, &l.audit, r);
	return err_trace(r);
}

int sessions_login(struct call *call, const Pb__LoginRequest *in, Pb__LoginResponse *out)
{
	struct cp *cp = call->owner;
	struct login l = {.tenant_name = in->tenant, .user_name = in->user};
	struct sessions_opened opened = {.token = NULL};
	bool has_password;
	int r;

	if (call->caller.audience == AUDIENCE_AGENT)
		l.node_tenant = call->caller.tenant_id;
	r = store_read(cp->store, find_account, &l);
	if (r < 0)
		return err_trace(r);
	/* Said of the tenant, whoever asks: it tells nothing of its people. */
	if (l.tenant.sso_required)
		return call_fail(call, ERR_SSO_REQUIRED,
				 "People of this tenant sign in through its own sign-in service.");
	begin_audit(call, "session.login", &l);
	/* An account without a password costs a guess what any other does. */
	has_password = !r && strcmp(l.user.password, USERS_NO_PASSWORD) != 0;
	l.result = passwords_check(cp->passwords, call, has_password ? l.user.password : NULL,
				   in->password);
	if (l.result < 0 || l.result == ERR_RATE_LIMITED)
		return l.result;
	if (r || l.result || l.user.disabled)
		return fail_login(call, &l);
	r = open_for(call, &l, &opened);
	if (r == ERR_LOGIN_FAILED)
		return fail_login(call, &l);
	out->token = opened.token;
	out->expires_at = opened.expires_at;
	out->user = opened.user;
	return err_trace(r);
}

struct checked {
	struct caller caller;
	struct session_row session;
};

static int read_session(struct txn *txn, void *ctx)
{
	struct checked *c = ctx;
	struct token_row token;

	/* A service token has no session; one that was revoked has no row. */
	if (*c->caller.token)
		return token_row_get(txn, &c->caller.session_id, &token);
	return session_row_get(txn, &c->caller.tenant_id, &c->caller.session_id, &c->session);
}

int sessions_check(struct call *call)
{
	struct checked c = {.caller = call->caller};
	struct cp *cp = call->owner;
	int r;

	if (uuid_is_nil(&c.caller.session_id))
		return 0;
	r = store_read(cp->store, read_session, &c);
	if (r < 0)
		return err_trace(r);
	if (r || c.session.ended)
		return call_fail(call, ERR_TOKEN_INVALID, "The session has ended. Sign in again.");
	return 0;
}

struct ending {
	struct caller caller;
	int64_t now_ms;
	struct audit_row audit;
	struct user_row user;
	char hash[PASSWORD_HASH_LEN];
	struct sessions_ended ended;
};

static int end_session(struct txn *txn, void *ctx)
{
	struct ending *e = ctx;
	int r;

	r = session_row_end(txn, &e->caller.tenant_id, &e->caller.session_id, e->now_ms);
	return r ? err_trace(r) : audit_end(txn, &e->audit, 0);
}

int sessions_logout(struct call *call, const Pb__LogoutRequest *in, Pb__LogoutResponse *out)
{
	struct ending e = {.caller = call->caller, .now_ms = clock_wall_ms()};
	struct cp *cp = call->owner;
	int r;

	(void)in;
	(void)out;
	audit_begin(call, "session.logout", &e.audit);
	r = audit_write(call, end_session, NULL, &e);
	if (r)
		return err_trace(r);
	hub_revoke(cp->hub, &call->caller.tenant_id, &call->caller.session_id.b, 1);
	return 0;
}

static int find_self(struct txn *txn, void *ctx)
{
	struct login *l = ctx;
	int r;

	r = tenant_row_get(txn, &l->user.tenant, &l->tenant);
	return r ? r : user_row_get(txn, &l->user.tenant, &l->user.id, &l->user);
}

int sessions_who_am_i(struct call *call, const Pb__WhoAmIRequest *in, Pb__WhoAmIResponse *out)
{
	struct login l = {.user.tenant = call->caller.tenant_id, .user.id = call->caller.user_id};
	struct cp *cp = call->owner;
	int r;

	(void)in;
	r = store_read(cp->store, find_self, &l);
	if (r)
		return err_trace(r);
	out->user = arena_strdup(&call->arena, l.user.name);
	out->tenant = arena_strdup(&call->arena, l.tenant.name);
	out->role = (Pb__Role)l.user.role;
	out->plan = (Pb__Plan)l.tenant.plan;
	out->user_id = fields_uuid(call, &l.user.id);
	out->tenant_id = fields_uuid(call, &l.tenant.id);
	out->expires_at = fields_time(call, call->caller.expires_at_ms);
	return out->user && out->tenant && out->user_id && out->tenant_id ? 0 : -ENOMEM;
}

static int save_password(struct txn *txn, void *ctx)
{
	struct ending *e = ctx;
	struct session_row keep = {.tenant = e->caller.tenant_id,
				   .id = e->caller.session_id,
				   .user = e->caller.user_id};
	struct user_row user;
	int r;

	e->ended.n = 0;
	r = user_row_get(txn, &e->caller.tenant_id, &e->caller.user_id, &user);
	if (r)
		return r;
	if (strcmp(user.password, e->user.password))
		return ERR_LOGIN_FAILED;
	memcpy(user.password, e->hash, sizeof(user.password));
	r = user_row_save(txn, &user);
	if (!r)
		r = session_row_end_user(txn, &keep, e->now_ms, sessions_ended_add, &e->ended);
	return r ? err_trace(r) : audit_end(txn, &e->audit, 0);
}

static int deny_password(struct txn *txn, void *ctx, int refusal)
{
	struct ending *e = ctx;

	return audit_end(txn, &e->audit, refusal);
}

static int refuse_password(struct txn *txn, void *ctx)
{
	(void)txn;
	(void)ctx;
	return ERR_LOGIN_FAILED;
}

static int change_password(struct cp *cp, struct call *call, const Pb__ChangePasswordRequest *in,
			   struct ending *e)
{
	struct login l = {.user.tenant = call->caller.tenant_id, .user.id = call->caller.user_id};
	int r;

	r = store_read(cp->store, find_self, &l);
	if (r)
		return err_trace(r);
	e->user = l.user;
	r = passwords_check(cp->passwords, call, l.user.password, in->old_password);
	if (r == ERR_LOGIN_FAILED)
		r = audit_write(call, refuse_password, deny_password, e);
	else if (!r)
		r = passwords_hash(cp->passwords, call, in->new_password, e->hash);
	if (!r)
		r = audit_write(call, save_password, deny_password, e);
	if (r == ERR_LOGIN_FAILED)
		return call_fail(call, r, "The old password is wrong.");
	return r;
}

int sessions_change_password(struct call *call, const Pb__ChangePasswordRequest *in,
			     Pb__ChangePasswordResponse *out)
{
	struct ending e = {.caller = call->caller, .now_ms = clock_wall_ms()};
	struct cp *cp = call->owner;
	int r;

	(void)out;
	audit_begin(call, "user.password", &e.audit);
	r = change_password(cp, call, in, &e);
	if (!r)
		hub_revoke(cp->hub, &e.caller.tenant_id, e.ended.ids, e.ended.n);
	sessions_ended_done(&e.ended);
	return r;
}
