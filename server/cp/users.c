/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/users.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/label.h"
#include "server/cp/audit.h"
#include "server/cp/change.h"
#include "server/cp/fields.h"
#include "server/cp/hub.h"
#include "server/cp/passwords.h"
#include "server/cp/progress.h"
#include "server/cp/sessions.h"
#include "server/cp/tenants.h"
#include "server/store/session_row.h"
#include "server/store/token_row.h"

enum { PAGE_DEFAULT = 500, PAGE_MAX = 1000 };

Pb__User *users_fill(struct call *call, const struct user_row *row)
{
	Pb__User *u = FIELDS_NEW(call, Pb__User, pb__user__init);

	if (!u)
		return NULL;
	u->id = fields_uuid(call, &row->id);
	u->name = arena_strdup(&call->arena, row->name);
	u->role = (Pb__Role)row->role;
	u->disabled = row->disabled;
	u->created_at = fields_time(call, row->created_ms);
	return u->id && u->name && u->created_at ? u : NULL;
}

/* White space and what cannot be seen would make two names look alike. */
static int check_name(struct call *call, const char *name)
{
	if (label_is_account(name))
		return 0;
	return call_field(call, "name",
			  "must be UTF-8 in NFC without white space, control, invisible or "
			  "direction characters");
}

struct creation {
	const char *tenant_name;
	struct user_row user;
	struct audit_row audit;
};

static int insert(struct txn *txn, void *ctx)
{
	struct creation *c = ctx;
	struct tenant_row tenant;
	int r;

	r = tenants_find(txn, c->tenant_name, &tenant);
	if (r)
		return r;
	c->user.tenant = c->audit.tenant = tenant.id;
	r = user_row_insert(txn, &c->user);
	if (r == -EEXIST)
		return ERR_LABEL_TAKEN;
	audit_object(&c->audit, &c->user.id, c->user.name);
	return r ? err_trace(r) : audit_end(txn, &c->audit, 0);
}

static int deny(struct txn *txn, void *ctx, int refusal)
{
	struct creation *c = ctx;

	return audit_end(txn, &c->audit, refusal);
}

int users_create(struct call *call, const Pb__CreateUserRequest *in, Pb__CreateUserResponse *out)
{
	struct creation c = {.tenant_name = in->tenant,
			     .user = {.id = uuid_make(),
				      .role = in->role ? (int)in->role : ROLE_MEMBER,
				      .created_ms = clock_wall_ms()}};
	struct cp *cp = call->owner;
	int r;

	r = check_name(call, in->name);
	if (r)
		return r;
	if (c.user.role < ROLE_MEMBER || c.user.role > ROLE_ADMIN)
		return call_field(call, "role", "must be MEMBER, AUDITOR or ADMIN");
	snprintf(c.user.name, sizeof(c.user.name), "%s", in->name);
	r = passwords_hash(cp->passwords, call, in->password, c.user.password);
	if (r)
		return r;
	audit_begin(call, "user.create", &c.audit);
	r = audit_write(call, insert, deny, &c);
	if (r == ERR_NOT_FOUND)
		return tenants_missing(call, in->tenant);
	if (r == ERR_LABEL_TAKEN)
		return call_fail(call, r, "There is a user %s already.", c.user.name);
	if (r)
		return err_trace(r);
	out->user = users_fill(call, &c.user);
	return out->user ? 0 : -ENOMEM;
}

struct listing {
	struct call *call;
	const char *tenant_name;
	struct uuid after, last;
	uint32_t limit;
	Pb__ListUsersResponse *out;
};

static int add(void *arg, const struct user_row *row)
{
	struct listing *l = arg;
	Pb__User *u = users_fill(l->call, row);

	if (!u)
		return -ENOMEM;
	l->last = row->id;
	l->out->users[l->out->n_users++] = u;
	return 0;
}

static int read_page(struct txn *txn, void *ctx)
{
	struct listing *l = ctx;
	struct tenant_row tenant;
	int r;

	r = tenants_find(txn, l->tenant_name, &tenant);
	if (r)
		return r;
	return user_row_list(txn, &tenant.id, &l->after, l->limit, add, l);
}

int users_list(struct call *call, const Pb__ListUsersRequest *in, Pb__ListUsersResponse *out)
{
	struct listing l = {.call = call, .tenant_name = in->tenant, .out = out};
	struct cp *cp = call->owner;
	int r;

	l.limit = in->page_size ? in->page_size : PAGE_DEFAULT;
	if (l.limit > PAGE_MAX)
		l.limit = PAGE_MAX;
	r = fields_page(call, in->page_token, &l.after);
	if (r)
		return r;
	out->users = call_alloc(call, l.limit * sizeof(*out->users));
	if (!out->users)
		return -ENOMEM;
	r = store_read(cp->store, read_page, &l);
	if (r == ERR_NOT_FOUND)
		return tenants_missing(call, in->tenant);
	if (!r && out->n_users == l.limit)
		out->next_page_token = fields_page_token(call, &l.last);
	return err_trace(r);
}

struct update {
	const char *tenant_name, *user_name;
	int role;         /* 0: unchanged */
	const char *hash; /* NULL: unchanged */
	int disabled;     /* -1: unchanged */
	int64_t now_ms;
	struct user_row user;
	struct audit_row audit;
	struct sessions_ended ended;
	struct change change;
	struct device_row *rows;
	size_t n_rows, cap_rows;
};

static int keep_row(void *arg, const struct device_row *row)
{
	struct update *u = arg;

	if (u->n_rows == u->cap_rows) {
		size_t cap = u->cap_rows ? u->cap_rows * 2 : 16;
		void *more = realloc(u->rows, cap * sizeof(*u->rows));

		if (!more)
			return -ENOMEM;
		u->rows = more;
		u->cap_rows = cap;
	}
	u->rows[u->n_rows++] = *row;
	return 0;
}

/* A disabled owner's devices have no peer and no name until they are enabled again. */
static int set_devices_state(struct txn *txn, struct update *u)
{
	struct device_filter all = {.owner = u->user.id, .limit = UINT32_MAX};
	int r;

	u->n_rows = 0;
	r = device_row_list(txn, &u->user.tenant, &all, keep_row, u);
	if (r || !u->n_rows)
		return err_trace(r);
	r = change_begin(txn, &u->user.tenant, u->now_ms, &u->change);
	for (size_t i = 0; !r && i < u->n_rows; i++) {
		u->rows[i].state = u->user.disabled ? MEMBER_ROW_SUSPENDED : MEMBER_ROW_ACTIVE;
		r = change_save_device(txn, &u->change, &u->rows[i]);
	}
	return r ? err_trace(r) : change_end(txn, &u->change);
}

static int find_user(struct txn *txn, struct update *u)
{
	struct tenant_row tenant;
	struct uuid id;
	int r;

	r = tenants_find(txn, u->tenant_name, &tenant);
	if (r)
		return r;
	u->audit.tenant = tenant.id;
	if (!uuid_parse(u->user_name, &id)) {
		r = user_row_get(txn, &tenant.id, &id, &u->user);
		if (r != ERR_NOT_FOUND)
			return r;
	}
	return user_row_find(txn, &tenant.id, u->user_name, &u->user);
}

static int end_token(void *arg, const struct token_row *row)
{
	return sessions_ended_add(arg, &row->id);
}

/* "ann (role admin, disabled)": who reads the audit asks what was done to the account. */
static void name_change(struct update *u)
{
	static const char *const roles[] = {"", "role member", "role auditor", "role admin"};
	const char *const parts[] = {roles[u->role], u->hash ? "password" : "",
				     u->disabled > 0    ? "disabled"
				     : u->disabled == 0 ? "enabled"
							: ""};

	audit_changed(&u->audit, &u->user.id, u->user.name, parts, ARRAY_LEN(parts));
}

static int save(struct txn *txn, void *ctx)
{
	struct token_filter of_user = {.limit = UINT32_MAX};
	struct update *u = ctx;
	struct session_row all = {0};
	bool was_disabled;
	int r;

	u->ended.n = 0;
	r = find_user(txn, u);
	if (r)
		return r;
	was_disabled = u->user.disabled;
	all.tenant = u->user.tenant;
	all.user = u->user.id;
	if (u->role)
		u->user.role = u->role;
	if (u->hash)
		memcpy(u->user.password, u->hash, sizeof(u->user.password));
	if (u->disabled >= 0)
		u->user.disabled = u->disabled != 0;
	r = user_row_save(txn, &u->user);
	/* A role or password that changed must not live on in old tokens. */
	if (!r && (u->role || u->hash || u->user.disabled))
		r = session_row_end_user(txn, &all, u->now_ms, sessions_ended_add, &u->ended);
	/* Tokens rest with their user; what they opened ends. */
	of_user.user = u->user.id;
	if (!r && (u->role || u->user.disabled))
		r = token_row_list(txn, &u->user.tenant, &of_user, end_token, &u->ended);
	/* A role that is lost does not come back with the next one. */
	if (!r && u->role && u->role != ROLE_ADMIN)
		r = token_row_keep_role(txn, &u->user.tenant, &u->user.id, u->role);
	if (!r && was_disabled != u->user.disabled)
		r = set_devices_state(txn, u);
	if (r)
		return err_trace(r);
	name_change(u);
	return audit_end(txn, &u->audit, 0);
}

static int deny_update(struct txn *txn, void *ctx, int refusal)
{
	struct update *u = ctx;

	return audit_end(txn, &u->audit, refusal);
}

int users_update(struct call *call, const Pb__UpdateUserRequest *in, Pb__UpdateUserResponse *out)
{
	struct update u = {.tenant_name = in->tenant,
			   .user_name = in->user,
			   .role = (int)in->role,
			   .disabled = -1,
			   .now_ms = clock_wall_ms()};
	char hash[PASSWORD_HASH_LEN];
	struct cp *cp = call->owner;
	int r;

	if (u.role > ROLE_ADMIN)
		return call_field(call, "role", "must be MEMBER, AUDITOR or ADMIN");
	if (*in->password && strlen(in->password) < 10)
		return call_field(call, "password", "must have at least 10 bytes");
	if (in->disabled_choice_case == PB__UPDATE_USER_REQUEST__DISABLED_CHOICE_DISABLED)
		u.disabled = in->disabled != 0;
	if (*in->password) {
		r = passwords_hash(cp->passwords, call, in->password, hash);
		if (r)
			return r;
		u.hash = hash;
	}
	audit_begin(call, "user.update", &u.audit);
	r = audit_write(call, save, deny_update, &u);
	if (!r)
		hub_revoke(cp->hub, &u.user.tenant, u.ended.ids, u.ended.n);
	sessions_ended_done(&u.ended);
	free(u.rows);
	if (r == ERR_NOT_FOUND)
		return call_fail(call, r, "There is no user %s in tenant %s.", in->user,
				 in->tenant);
	if (r)
		return err_trace(r);
	/* Devices went or came back with their owner. */
	if (u.change.tenant.generation)
		progress_header(call, &u.user.tenant, u.change.tenant.generation);
	out->user = users_fill(call, &u.user);
	return out->user ? 0 : -ENOMEM;
}
