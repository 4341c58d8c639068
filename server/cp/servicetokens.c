/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/servicetokens.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/key.h"
#include "base/limits.h"
#include "base/sign.h"
#include "gen/rpc/mesh_service.h"
#include "server/cp/audit.h"
#include "server/cp/fields.h"
#include "server/cp/hub.h"
#include "server/peers/claims.h"
#include "server/store/user_row.h"

enum {
	SECRET_LEN = 32,
	ID_TEXT_LEN = 32,
	PAGE_DEFAULT = 500,
	PAGE_MAX = 1000,
	DAY_S = 86400,
	LIFE_DAYS = 90,
	LIFE_MIN_S = 60,
	USED_EVERY_MS = 60000,
	PER_USER = LIMIT_SERVICE_TOKENS,
};

/* --- by a token --- */

struct use {
	struct token_row row;
	struct user_row user;
	int64_t now_ms;
};

static int look_up(struct txn *txn, void *ctx)
{
	struct use *u = ctx;
	int r;

	r = token_row_get(txn, &u->row.id, &u->row);
	return r ? r : user_row_get(txn, &u->row.tenant, &u->row.user, &u->user);
}

static int refuse(struct call *call)
{
	return call_fail(call, ERR_TOKEN_INVALID, "The credentials are not valid. Sign in again.");
}

static int read_token(const char *token, struct uuid *ret_id, uint8_t ret_hash[HASH_LEN])
{
	const char *text = token + strlen(CLAIMS_SERVICE_PREFIX);
	uint8_t secret[SECRET_LEN];
	char id[ID_TEXT_LEN + 1];

	if (strlen(text) != ID_TEXT_LEN + 1 + TEXT_HEX_LEN(SECRET_LEN) || text[ID_TEXT_LEN] != '.')
		return -EINVAL;
	memcpy(id, text, ID_TEXT_LEN);
	id[ID_TEXT_LEN] = '\0';
	if (text_unhex(id, ret_id->b, sizeof(ret_id->b)) ||
	    text_unhex(text + ID_TEXT_LEN + 1, secret, sizeof(secret)))
		return -EINVAL;
	hash_bytes(NULL, 0, secret, sizeof(secret), ret_hash);
	key_wipe_bytes(secret, sizeof(secret));
	return 0;
}

/* An account that lost the role takes it from its tokens too. */
static bool is_live(const struct use *u)
{
	return !u->user.disabled && u->row.expires_ms > u->now_ms &&
	       (u->user.role == ROLE_ADMIN || u->user.role == u->row.role);
}

/* "MeshService.ListDevices" */
static const char *scope_name(const struct method *method, char ret[64 + 1])
{
	const char *dot = strrchr(method->service->name, '.');

	snprintf(ret, 65, "%.32s.%.31s", dot ? dot + 1 : method->service->name, method->name);
	return ret;
}

static bool has_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	while (*words) {
		size_t n = strcspn(words, " ");

		if (n == len && !memcmp(words, word, len))
			return true;
		words += n + (words[n] == ' ');
	}
	return false;
}

/* Tokens are for the mesh: none signs in, changes passwords or makes tokens. */
static bool is_for(const struct token_row *row, const struct method *method)
{
	char name[64 + 1];

	scope_name(method, name);
	if (!strcmp(name, "AuthService.WhoAmI"))
		return true;
	if (method->service != &mesh_service_desc)
		return false;
	return !*row->methods || has_word(row->methods, name);
}

static int mark_used(struct txn *txn, void *ctx)
{
	const struct use *u = ctx;

	return token_row_used(txn, &u->row.id, u->now_ms);
}

static void note_use(struct cp *cp, const struct use *u)
{
	struct use *copy;

	if (u->row.used_ms && u->now_ms - u->row.used_ms < USED_EVERY_MS)
		return;
	copy = malloc(sizeof(*copy));
	if (!copy)
		return;
	*copy = *u;
	if (store_post(cp->store, mark_used, copy, free))
		free(copy);
}

int servicetokens_take(struct cp *cp, struct call *call, const char *token)
{
	struct use u = {.now_ms = clock_wall_ms()};
	uint8_t hash[HASH_LEN];
	int r;

	if (read_token(token, &u.row.id, hash))
		return refuse(call);
	r = store_read(cp->store, look_up, &u);
	if (r)
		return r < 0 ? err_trace(r) : refuse(call);
	if (!key_equal((const struct key *)hash, (const struct key *)u.row.hash) || !is_live(&u))
		return refuse(call);
	call->caller.audience = AUDIENCE_USER;
	call->caller.tenant_id = u.row.tenant;
	call->caller.user_id = u.row.user;
	call->caller.session_id = u.row.id;
	call->caller.role = (enum role)u.row.role;
	call->caller.expires_at_ms = u.row.expires_ms;
	snprintf(call->caller.name, sizeof(call->caller.name), "%s", u.user.name);
	snprintf(call->caller.token, sizeof(call->caller.token), "%s", u.row.name);
	if (!is_for(&u.row, call->method))
		return call_fail(call, ERR_ROLE_REQUIRED,
				 "This service token is not for this method.");
	note_use(cp, &u);
	return 0;
}

/* --- about tokens --- */

static int fill_methods(struct call *call, const char *words, Pb__ServiceToken *out)
{
	out->methods = call_alloc(call, 33 * sizeof(*out->methods));
	if (!out->methods)
		return -ENOMEM;
	while (*words && out->n_methods < 32) {
		size_t n = strcspn(words, " ");
		char *word = arena_strndup(&call->arena, words, n);

		if (!word)
			return -ENOMEM;
		out->methods[out->n_methods++] = word;
		words += n + (words[n] == ' ');
	}
	return 0;
}

static Pb__ServiceToken *fill(struct call *call, const struct token_row *row)
{
	Pb__ServiceToken *t = FIELDS_NEW(call, Pb__ServiceToken, pb__service_token__init);

	if (!t || fill_methods(call, row->methods, t))
		return NULL;
	t->id = fields_uuid(call, &row->id);
	t->name = arena_strdup(&call->arena, row->name);
	t->user = arena_strdup(&call->arena, row->user_name);
	t->role = (Pb__Role)row->role;
	t->created_at = fields_time(call, row->created_ms);
	t->expires_at = fields_time(call, row->expires_ms);
	t->last_used_at = fields_time(call, row->used_ms);
	return t->id && t->name && t->user && t->created_at && t->expires_at ? t : NULL;
}

struct creation {
	struct token_row row;
	struct audit_row audit;
};

static int insert(struct txn *txn, void *ctx)
{
	struct creation *c = ctx;
	uint32_t n;
	int r;

	r = token_row_count(txn, &c->row.tenant, &c->row.user, &n);
	if (r)
		return err_trace(r);
	if (n >= PER_USER)
		return ERR_FIELD_INVALID;
	r = token_row_insert(txn, &c->row);
	if (r == -EEXIST)
		return ERR_LABEL_TAKEN;
	return r ? err_trace(r) : audit_end(txn, &c->audit, 0);
}

static int deny(struct txn *txn, void *ctx, int refusal)
{
	struct creation *c = ctx;

	return audit_end(txn, &c->audit, refusal);
}

static int take_name(struct call *call, const char *name, struct token_row *row)
{
	for (const unsigned char *p = (const unsigned char *)name; *p; p++) {
		if (*p < ' ' || *p == 0x7f)
			return call_field(call, "name", "must have no control characters");
	}
	snprintf(row->name, sizeof(row->name), "%s", name);
	return 0;
}

static bool is_method(const char *name)
{
	char known[64 + 1];

	for (size_t i = 0; i < mesh_service_desc.n_methods; i++) {
		if (!strcmp(name, scope_name(&mesh_service_desc.methods[i], known)))
			return true;
	}
	return false;
}

static int take_methods(struct call *call, const Pb__CreateServiceTokenRequest *in,
			struct token_row *row)
{
	for (size_t i = 0; i < in->n_methods; i++) {
		char field[40];

		snprintf(field, sizeof(field), "methods[%zu]", i);
		if (!is_method(in->methods[i]))
			return call_field(call, field,
					  "must be a method of MeshService, as "
					  "MeshService.ListDevices");
		if (has_word(row->methods, in->methods[i]))
			continue;
		if (*row->methods)
			strcat(row->methods, " ");
		strcat(row->methods, in->methods[i]);
	}
	return 0;
}

static int take_role(struct call *call, int wished, struct token_row *row)
{
	row->role = wished ? wished : (int)call->caller.role;
	if (row->role < ROLE_MEMBER || row->role > ROLE_ADMIN)
		return call_field(call, "role", "must be MEMBER, AUDITOR or ADMIN");
	if (call->caller.role != ROLE_ADMIN && row->role != (int)call->caller.role)
		return call_fail(call, ERR_ROLE_REQUIRED,
				 "A token cannot have a role that you do not have.");
	return 0;
}

/* "qms1.<id>.<secret>" into the arena, which is wiped; the hash into the row. */
static char *make_secret(struct call *call, struct token_row *row)
{
	char *token = call_alloc(call, strlen(CLAIMS_SERVICE_PREFIX) + ID_TEXT_LEN + 1 +
					       TEXT_HEX_LEN(SECRET_LEN) + 1);
	uint8_t secret[SECRET_LEN];
	char *p = token;

	if (!token)
		return NULL;
	sign_random(secret, sizeof(secret));
	hash_bytes(NULL, 0, secret, sizeof(secret), row->hash);
	p = stpcpy(p, CLAIMS_SERVICE_PREFIX);
	text_hex(row->id.b, sizeof(row->id.b), p);
	p = stpcpy(p + ID_TEXT_LEN, ".");
	text_hex(secret, sizeof(secret), p);
	key_wipe_bytes(secret, sizeof(secret));
	return token;
}

int servicetokens_create(struct call *call, const Pb__CreateServiceTokenRequest *in,
			 Pb__CreateServiceTokenResponse *out)
{
	struct creation c = {.row = {.id = uuid_make(),
				     .tenant = call->caller.tenant_id,
				     .user = call->caller.user_id,
				     .created_ms = clock_wall_ms()}};
	uint32_t life_s = in->life_s ? in->life_s : LIFE_DAYS * DAY_S;
	int r;

	if (life_s < LIFE_MIN_S)
		return call_field(call, "life_s", "must be 60 or more");
	r = take_name(call, in->name, &c.row);
	if (!r)
		r = take_methods(call, in, &c.row);
	if (!r)
		r = take_role(call, (int)in->role, &c.row);
	if (r)
		return r;
	c.row.expires_ms = c.row.created_ms + (int64_t)life_s * 1000;
	memcpy(c.row.user_name, call->caller.name, sizeof(c.row.user_name));
	out->token = make_secret(call, &c.row);
	if (!out->token)
		return -ENOMEM;
	audit_begin(call, "token.create", &c.audit);
	audit_object(&c.audit, &c.row.id, c.row.name);
	r = audit_write(call, insert, deny, &c);
	if (r == ERR_LABEL_TAKEN)
		return call_fail(call, r, "You have a token %s already.", c.row.name);
	if (r == ERR_FIELD_INVALID)
		return call_field(call, "name",
				  "would be one more than the %d tokens that a user may have: "
				  "revoke one first",
				  PER_USER);
	if (r)
		return err_trace(r);
	out->info = fill(call, &c.row);
	return out->info ? 0 : -ENOMEM;
}

struct listing {
	struct call *call;
	struct token_filter filter;
	struct uuid last;
	Pb__ListServiceTokensResponse *out;
};

static int add(void *arg, const struct token_row *row)
{
	struct listing *l = arg;
	Pb__ServiceToken *t = fill(l->call, row);

	if (!t)
		return -ENOMEM;
	l->last = row->id;
	l->out->tokens[l->out->n_tokens++] = t;
	return 0;
}

static int read_page(struct txn *txn, void *ctx)
{
	struct listing *l = ctx;

	l->out->n_tokens = 0;
	return token_row_list(txn, &l->call->caller.tenant_id, &l->filter, add, l);
}

int servicetokens_list(struct call *call, const Pb__ListServiceTokensRequest *in,
		       Pb__ListServiceTokensResponse *out)
{
	struct listing l = {.call = call, .out = out};
	struct cp *cp = call->owner;
	int r;

	if (in->all && call->caller.role != ROLE_ADMIN)
		return call_fail(call, ERR_ROLE_REQUIRED, "Only admins see all tokens.");
	if (!in->all)
		l.filter.user = call->caller.user_id;
	l.filter.limit = in->page_size ? in->page_size : PAGE_DEFAULT;
	if (l.filter.limit > PAGE_MAX)
		l.filter.limit = PAGE_MAX;
	r = fields_page(call, in->page_token, &l.filter.after);
	if (r)
		return r;
	out->tokens = call_alloc(call, l.filter.limit * sizeof(*out->tokens));
	if (!out->tokens)
		return -ENOMEM;
	r = store_read(cp->store, read_page, &l);
	if (!r && out->n_tokens == l.filter.limit)
		out->next_page_token = fields_page_token(call, &l.last);
	return err_trace(r);
}

struct revocation {
	struct caller caller;
	struct uuid id;
	struct audit_row audit;
};

static int drop(struct txn *txn, void *ctx)
{
	struct revocation *v = ctx;
	struct token_row row;
	int r;

	r = token_row_get(txn, &v->id, &row);
	if (r)
		return r;
	if (!uuid_equal(&row.tenant, &v->caller.tenant_id))
		return ERR_NOT_FOUND;
	audit_object(&v->audit, &row.id, row.name);
	if (v->caller.role != ROLE_ADMIN && !uuid_equal(&row.user, &v->caller.user_id))
		return ERR_NOT_OWNER;
	r = token_row_delete(txn, &row.tenant, &row.id);
	return r ? err_trace(r) : audit_end(txn, &v->audit, 0);
}

static int deny_revocation(struct txn *txn, void *ctx, int refusal)
{
	struct revocation *v = ctx;

	return audit_end(txn, &v->audit, refusal);
}

int servicetokens_revoke(struct call *call, const Pb__RevokeServiceTokenRequest *in,
			 Pb__RevokeServiceTokenResponse *out)
{
	struct revocation v = {.caller = call->caller};
	struct cp *cp = call->owner;
	int r;

	(void)out;
	if (uuid_parse(in->id, &v.id))
		return call_field(call, "id", "must be a UUID");
	audit_begin(call, "token.revoke", &v.audit);
	r = audit_write(call, drop, deny_revocation, &v);
	if (r == ERR_NOT_FOUND)
		return call_fail(call, r, "There is no such token.");
	if (r == ERR_NOT_OWNER)
		return call_fail(call, r, "This token belongs to somebody else.");
	if (r)
		return err_trace(r);
	/* Streams that it opened end too. */
	hub_revoke(cp->hub, &v.caller.tenant_id, &v.id.b, 1);
	return 0;
}
