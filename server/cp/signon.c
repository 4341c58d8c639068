/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/signon.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/cp/audit.h"
#include "server/cp/issuers.h"
#include "server/cp/sessions.h"
#include "server/cp/users.h"
#include "server/store/tenant_row.h"

struct arrival {
	struct issuers_person person;
	struct uuid node_tenant; /* nil: not through a node */
	struct user_row user;
	struct audit_row audit;
};

static int make_account(struct txn *txn, struct arrival *a)
{
	int r = user_row_insert(txn, &a->user);

	if (r)
		return err_trace(r);
	snprintf(a->audit.actor, sizeof(a->audit.actor), "issuer %s", a->person.issuer);
	strcpy(a->audit.action, "user.create");
	audit_object(&a->audit, &a->user.id, a->user.name);
	return audit_end(txn, &a->audit, 0);
}

/* The account of that name, made at the first arrival where the issuer may. */
static int find_or_make(struct txn *txn, void *ctx)
{
	struct arrival *a = ctx;
	struct tenant_row tenant;
	struct user_row found;
	int r;

	r = tenant_row_find(txn, a->person.tenant, &tenant);
	if (!r && !uuid_is_nil(&a->node_tenant) && !uuid_equal(&a->node_tenant, &tenant.id))
		r = ERR_NOT_FOUND;
	if (r)
		return r;
	a->audit.tenant = a->user.tenant = tenant.id;
	r = user_row_find(txn, &tenant.id, a->person.name, &found);
	if (!r)
		a->user = found;
	return r == ERR_NOT_FOUND && a->person.create ? make_account(txn, a) : r;
}

static int refuse(struct call *call, const char *why)
{
	log_line(LOG_LEVEL_INFO, "signon", &call->log, "a token was refused: %s", why);
	return call_fail(call, ERR_LOGIN_FAILED, "The token is not accepted.");
}

int signon_exchange(struct call *call, const Pb__ExchangeTokenRequest *in,
		    Pb__ExchangeTokenResponse *out)
{
	struct arrival a = {.user = {.id = uuid_make(), .created_ms = clock_wall_ms()}};
	struct sessions_opened opened = {.token = NULL};
	char why[ISSUERS_WHY_MAX] = "";
	struct cp *cp = call->owner;
	int r;

	r = issuers_open(cp->issuers, in->token, a.user.created_ms, &a.person, why);
	if (r)
		return r < 0 ? err_trace(r) : refuse(call, why);
	if (call->caller.audience == AUDIENCE_AGENT)
		a.node_tenant = call->caller.tenant_id;
	strcpy(a.user.name, a.person.name);
	strcpy(a.user.password, USERS_NO_PASSWORD);
	a.user.role = (int)a.person.role;
	audit_begin(call, "session.exchange", &a.audit);
	r = store_write(cp->store, find_or_make, NULL, &a);
	if (r == ERR_NOT_FOUND)
		return refuse(call, "there is no such account or tenant here");
	if (r)
		return err_trace(r);
	r = sessions_open(call, &a.user, "session.exchange", &opened);
	if (r == ERR_LOGIN_FAILED)
		return refuse(call, "the account is disabled");
	out->token = opened.token;
	out->expires_at = opened.expires_at;
	out->user = opened.user;
	return r;
}
