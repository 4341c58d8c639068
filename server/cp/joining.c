/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/joining.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/label.h"
#include "server/cp/audit.h"
#include "server/cp/change.h"
#include "server/cp/fields.h"
#include "server/cp/hub.h"
#include "server/cp/ipam.h"
#include "server/cp/keyring.h"
#include "server/cp/pins.h"
#include "server/cp/progress.h"
#include "server/cp/publish.h"
#include "server/cp/tenants.h"
#include "server/store/join_row.h"

#define TOKEN_PREFIX "qmj1."
#define SECRET_LEN 32
#define SKEW_MS 60000
#define TOKEN_MAX_PINS 2

static void hash_secret(const uint8_t secret[SECRET_LEN], uint8_t ret[32])
{
	const struct hash_part parts[] = {{"qmesh-join/1", 12}, {secret, SECRET_LEN}};

	hash_parts(NULL, 0, parts, ARRAY_LEN(parts), ret);
}

/* --- join tokens --- */

struct invitation {
	const char *tenant_name;
	struct join_row row;
	struct audit_row audit;
};

static int invite(struct txn *txn, void *ctx)
{
	struct invitation *i = ctx;
	struct tenant_row tenant;
	int r;

	r = tenants_find(txn, i->tenant_name, &tenant);
	if (r)
		return r;
	i->row.tenant = i->audit.tenant = tenant.id;
	r = join_row_insert(txn, &i->row);
	return r ? err_trace(r) : audit_end(txn, &i->audit, 0);
}

/* While a TLS key is rotated, by that which the listener shows or the one to come. */
static int pins_text_of(struct cp *cp, char ret[PINS_MAX * (TEXT_BASE64_LEN(32) + 1) + 1])
{
	uint8_t pins[PINS_MAX][32];
	size_t n = pins_get(cp, pins);

	if (!n)
		return err_origin(-EIO);
	*ret = '\0';
	for (size_t i = 0; i < n && i < TOKEN_MAX_PINS; i++) {
		if (i)
			strcat(ret, ".");
		text_base64url(pins[i], sizeof(pins[i]), ret + strlen(ret));
	}
	return 0;
}

int joining_create_token(struct call *call, const Pb__CreateJoinTokenRequest *in,
			 Pb__CreateJoinTokenResponse *out)
{
	struct invitation i = {.tenant_name = in->tenant, .row = {.id = uuid_make()}};
	char id[UUID_TEXT_LEN + 1], secret_text[TEXT_BASE64_LEN(SECRET_LEN) + 1];
	char pins_text[PINS_MAX * (TEXT_BASE64_LEN(32) + 1) + 1];
	struct cp *cp = call->owner;
	uint8_t secret[SECRET_LEN];
	int r;

	r = pins_text_of(cp, pins_text);
	if (r)
		return err_trace(r);
	sign_random(secret, sizeof(secret));
	hash_secret(secret, i.row.secret_hash);
	i.row.expires_ms = clock_wall_ms() + (int64_t)cp->conf.join_token_ms;
	audit_begin(call, "join_token.create", &i.audit);
	audit_object(&i.audit, &i.row.id, "");
	r = audit_write(call, invite, NULL, &i);
	if (r == ERR_NOT_FOUND)
		return tenants_missing(call, in->tenant);
	if (r)
		return err_trace(r);
	text_base64url(secret, sizeof(secret), secret_text);
	out->join_token = arena_printf(&call->arena, TOKEN_PREFIX "%s.%s.%s",
				       uuid_text(&i.row.id, id), secret_text, pins_text);
	out->expires_at = fields_time(call, i.row.expires_ms);
	key_wipe_bytes(secret, sizeof(secret));
	key_wipe_bytes(secret_text, sizeof(secret_text));
	return out->join_token && out->expires_at ? 0 : -ENOMEM;
}

/* --- Enroll --- */

struct entry {
	struct uuid token_id;
	uint8_t secret_hash[32];
	int64_t now_ms;
	bool again; /* it joined by this token already */
	const struct cidr *routes;
	size_t n_routes;
	struct change change;
	struct node_row node;
	struct audit_row audit;
	struct cidr overlap;
	char suggestion[64];
	struct ipam_full full;
};

/* "qmj1.<id>.<secret>.<pin>": the pin is the node's business. */
static int parse_token(const char *token, struct entry *e)
{
	char id[UUID_TEXT_LEN + 1] = "";
	uint8_t secret[SECRET_LEN + 2];
	const char *p, *end;
	size_t len;

	if (strncmp(token, TOKEN_PREFIX, strlen(TOKEN_PREFIX)))
		return ERR_JOIN_TOKEN_INVALID;
	p = token + strlen(TOKEN_PREFIX);
	end = strchr(p, '.');
	if (!end || end - p != UUID_TEXT_LEN)
		return ERR_JOIN_TOKEN_INVALID;
	memcpy(id, p, UUID_TEXT_LEN);
	p = end + 1;
	end = strchr(p, '.');
	if (uuid_parse(id, &e->token_id) || !end ||
	    text_unbase64(p, (size_t)(end - p), secret, sizeof(secret), &len) || len != SECRET_LEN)
		return ERR_JOIN_TOKEN_INVALID;
	hash_secret(secret, e->secret_hash);
	key_wipe_bytes(secret, sizeof(secret));
	return 0;
}

/*
 * An answer that was lost: the same node, by both its keys, with the token that it
 * joined by is told again who it is. For everybody else the token is used.
 */
static int find_earlier(struct txn *txn, struct entry *e, const struct join_row *token)
{
	struct uuid tenant;
	uint8_t identity[32];
	struct node_row node;
	int r;

	if (uuid_is_nil(&token->node))
		return ERR_JOIN_TOKEN_INVALID;
	r = node_row_find(txn, &token->node, &tenant, identity);
	if (!r)
		r = node_row_get(txn, &token->tenant, &token->node, &node);
	if (r)
		return r == ERR_NOT_FOUND ? ERR_JOIN_TOKEN_INVALID : err_trace(r);
	if (!uuid_equal(&tenant, &token->tenant) ||
	    memcmp(identity, e->node.identity, sizeof(identity)) ||
	    !key_equal(&node.public_key, &e->node.public_key))
		return ERR_JOIN_TOKEN_INVALID;
	e->again = true;
	e->node = node;
	e->audit.tenant = token->tenant;
	audit_object(&e->audit, &node.id, node.label);
	return tenant_row_get(txn, &token->tenant, &e->change.tenant);
}

static int check_token(struct txn *txn, struct entry *e)
{
	struct join_row row;
	int r;

	r = join_row_get(txn, &e->token_id, &row);
	if (r)
		return r == ERR_NOT_FOUND ? ERR_JOIN_TOKEN_INVALID : err_trace(r);
	/* Equal hashes tell nothing of the secret by their time. */
	if (memcmp(row.secret_hash, e->secret_hash, sizeof(row.secret_hash)) ||
	    row.expires_ms <= e->now_ms)
		return ERR_JOIN_TOKEN_INVALID;
	if (row.used)
		return find_earlier(txn, e, &row);
	e->audit.tenant = row.tenant;
	r = join_row_use(txn, &e->token_id, &e->node.id, e->now_ms);
	return r ? err_trace(r) : change_begin(txn, &row.tenant, e->now_ms, &e->change);
}

static int check_routes(struct entry *e)
{
	struct cidr range4 = cidr_v4(e->change.tenant.range4, 16);
	struct cidr range6 = cidr_v6(e->change.tenant.range6, 48);

	for (size_t i = 0; i < e->n_routes; i++) {
		/* A default route overlaps everything and says nothing. */
		if (!e->routes[i].bits)
			continue;
		if (cidr_overlaps(&e->routes[i], &range4) ||
		    cidr_overlaps(&e->routes[i], &range6)) {
			e->overlap = e->routes[i];
			return ERR_ADDRESS_OVERLAP;
		}
	}
	return 0;
}

static int claim_name(struct txn *txn, struct entry *e)
{
	struct uuid holder;
	unsigned n = 2;
	int r;

	r = member_row_by_slug(txn, &e->change.tenant.id, e->node.slug, &holder);
	if (r)
		return r == ERR_NOT_FOUND ? 0 : err_trace(r);
	do {
		label_numbered(e->node.slug, n++, e->suggestion);
		r = member_row_by_slug(txn, &e->change.tenant.id, e->suggestion, &holder);
	} while (!r && n < 1000);
	return r < 0 ? err_trace(r) : ERR_LABEL_TAKEN;
}

static int enter(struct txn *txn, void *ctx)
{
	struct entry *e = ctx;
	struct ipam_ask ask = {.kind = IPAM_NODE, .now_ms = e->now_ms};
	struct uuid member;
	uint32_t host;
	int r;

	r = check_token(txn, e);
	if (!r && e->again)
		return audit_end(txn, &e->audit, 0);
	if (!r)
		r = check_routes(e);
	if (!r)
		r = claim_name(txn, e);
	if (r)
		return r;
	r = key_row_owner(txn, &e->change.tenant.id, &e->node.public_key, &member);
	if (r != ERR_NOT_FOUND)
		return r ? err_trace(r) : ERR_KEY_IN_USE;
	r = ipam_take(txn, &e->change.tenant, &ask, &host, &e->full);
	if (r)
		return r;
	e->node.ip4 = e->change.tenant.range4 | host;
	r = change_add_node(txn, &e->change, &e->node);
	if (!r)
		r = change_end(txn, &e->change);
	if (!r)
		r = audit_end(txn, &e->audit, 0);
	return err_trace(r);
}

static int deny_entry(struct txn *txn, void *ctx, int refusal)
{
	struct entry *e = ctx;

	return audit_end(txn, &e->audit, refusal);
}

static int explain_entry(struct call *call, const struct entry *e, int refusal)
{
	char route[CIDR_TEXT_LEN + 1];

	switch (refusal) {
	case ERR_JOIN_TOKEN_INVALID:
		return call_fail(call, refusal,
				 "The join token is unknown, used or expired. Ask for a new one.");
	case ERR_ADDRESS_OVERLAP:
		cidr_text(&e->overlap, route);
		call_fail(call, refusal, "The tenant's range overlaps the route %s of this host.",
			  route);
		status_meta(&call->status, "route", "%s", route);
		return refusal;
	case ERR_LABEL_TAKEN:
		call_fail(call, refusal, "The name %s is taken; %s is free.", e->node.slug,
			  e->suggestion);
		status_meta(&call->status, "suggestion", "%s", e->suggestion);
		return refusal;
	case ERR_KEY_IN_USE:
		return call_fail(call, refusal, "Another device or node has this key.");
	case ERR_POOL_EXHAUSTED:
		return call_fail(call, refusal, "All %u addresses of nodes are taken.",
				 e->full.total);
	default:
		return err_trace(refusal);
	}
}

static int take_request(struct call *call, const Pb__EnrollRequest *in, struct entry *e)
{
	static const uint8_t no_key[sizeof(e->node.identity)];
	struct cidr *routes = call_alloc(call, (in->n_host_routes + 1) * sizeof(*routes));
	const char *rule = "";
	struct label label;
	int r;

	if (!routes)
		return -ENOMEM;
	r = parse_token(in->join_token, e);
	if (r)
		return explain_entry(call, e, r);
	r = label_parse(in->name, &label, &rule);
	if (r > 0) {
		call_fail(call, r, "The name is refused: %s.", rule);
		status_field(&call->status, "name", "%s", rule);
		return r;
	}
	if (r)
		return err_trace(r);
	memcpy(e->node.label, label.text, sizeof(e->node.label));
	memcpy(e->node.slug, label.slug, sizeof(e->node.slug));
	memcpy(e->node.public_key.b, in->wg_public_key.data, KEY_LEN);
	memcpy(e->node.identity, in->identity_key.data, sizeof(e->node.identity));
	if (!key_usable(&e->node.public_key))
		return call_field(call, "wg_public_key", "is no key that can shake hands");
	/* Left out by mistake: with it the node could never renew its token. */
	if (!memcmp(e->node.identity, no_key, sizeof(no_key)))
		return call_field(call, "identity_key",
				  "is all zeros: send the node's Ed25519 key");
	snprintf(e->node.endpoint, sizeof(e->node.endpoint), "%s", in->endpoint);
	snprintf(e->node.version, sizeof(e->node.version), "%s", in->version);
	for (size_t i = 0; i < in->n_host_routes; i++) {
		if (cidr_parse(in->host_routes[i], &routes[i]))
			return call_field(call, "host_routes", "must be networks in CIDR form");
	}
	e->routes = routes;
	e->n_routes = in->n_host_routes;
	return 0;
}

static char *agent_token(struct call *call, const struct uuid *tenant, const struct uuid *node,
			 const char *label, int64_t now_ms, int64_t *ret_expires_ms)
{
	struct cp *cp = call->owner;
	struct claims c = {.aud = CLAIMS_AUD_AGENT,
			   .tenant_id = *tenant,
			   .node_id = *node,
			   .issued_at_s = now_ms / 1000};
	char *token, *copy;

	snprintf(c.name, sizeof(c.name), "%.128s", label);
	c.expires_at_s = c.issued_at_s + (int64_t)(cp->conf.agent_token_ms / 1000);
	*ret_expires_ms = c.expires_at_s * 1000;
	token = keyring_agent_token(cp->keyring, &c);
	copy = token ? arena_strdup(&call->arena, token) : NULL;
	if (token)
		key_wipe_bytes(token, strlen(token));
	free(token);
	return copy;
}

int joining_enroll(struct call *call, const Pb__EnrollRequest *in, Pb__EnrollResponse *out)
{
	struct entry e = {.now_ms = clock_wall_ms(), .node = {.id = uuid_make()}};
	const struct tenant_row *tenant = &e.change.tenant;
	struct cp *cp = call->owner;
	int64_t expires_ms;
	uint8_t ip6[16];
	int r;

	r = take_request(call, in, &e);
	if (r)
		return r;
	e.node.created_ms = e.now_ms;
	audit_begin(call, "node.enroll", &e.audit);
	audit_object(&e.audit, &e.node.id, e.node.label);
	snprintf(e.audit.actor, sizeof(e.audit.actor), "node:%.256s", e.node.label);
	r = audit_write(call, enter, deny_entry, &e);
	if (r)
		return explain_entry(call, &e, r);
	ipam_address6(tenant, e.node.ip4, ip6);
	progress_know(cp->progress, &tenant->id, &e.node.id);
	progress_header(call, &tenant->id, tenant->generation);
	out->node_id = fields_uuid(call, &e.node.id);
	out->tenant_id = fields_uuid(call, &tenant->id);
	out->tenant_name = arena_strdup(&call->arena, tenant->name);
	out->mesh_ip = fields_ip4(call, e.node.ip4);
	out->mesh_ip6 = fields_ip6(call, ip6);
	out->range = fields_range4(call, tenant->range4);
	out->range6 = fields_range6(call, tenant->range6);
	out->agent_token =
		agent_token(call, &tenant->id, &e.node.id, e.node.label, e.now_ms, &expires_ms);
	out->agent_token_expires_at = fields_time(call, expires_ms);
	out->keys = publish_keys(cp, &call->arena, &e.node.id);
	return out->node_id && out->tenant_id && out->tenant_name && out->mesh_ip &&
			       out->mesh_ip6 && out->range && out->range6 && out->agent_token &&
			       out->agent_token_expires_at && out->keys
		       ? 0
		       : -ENOMEM;
}

/* --- renewal --- */

struct renewal {
	struct uuid node_id, tenant_id;
	uint8_t identity[32], nonce[16];
	int64_t now_ms;
	struct node_row node;
};

static int find_identity(struct txn *txn, void *ctx)
{
	struct renewal *n = ctx;
	int r;

	r = node_row_find(txn, &n->node_id, &n->tenant_id, n->identity);
	return r ? r : node_row_get(txn, &n->tenant_id, &n->node_id, &n->node);
}

/* Each signature once; a node that is gone meanwhile gets nothing. */
static int use_nonce(struct txn *txn, void *ctx)
{
	struct renewal *n = ctx;
	int r;

	r = find_identity(txn, n);
	if (!r)
		r = join_row_nonce(txn, &n->node_id, n->nonce, n->now_ms);
	return r == -EEXIST || r == ERR_NOT_FOUND ? ERR_TOKEN_INVALID : r;
}

static bool signature_good(const struct renewal *n, const Pb__RenewTokenRequest *in)
{
	uint8_t text[7 + 16 + 8 + 16];
	int64_t time_ms = fields_ms(in->time);

	if (time_ms < n->now_ms - SKEW_MS || time_ms > n->now_ms + SKEW_MS)
		return false;
	memcpy(text, "renew/1", 7);
	memcpy(text + 7, n->node_id.b, 16);
	for (int i = 0; i < 8; i++)
		text[23 + i] = (uint8_t)((uint64_t)time_ms >> (56 - 8 * i));
	memcpy(text + 31, in->nonce.data, 16);
	return sign_verify(n->identity, text, sizeof(text), in->signature.data);
}

static int refuse_unknown(struct call *call)
{
	return call_fail(call, ERR_TOKEN_INVALID,
			 "This Control Panel knows no such node: it was removed, or joined another "
			 "one");
}

static int refuse_renewal(struct call *call, const struct renewal *n)
{
	char now[32];

	call_fail(call, ERR_TOKEN_INVALID, "The renewal is not accepted.");
	status_meta(&call->status, "time", "%s", clock_rfc3339(n->now_ms, now));
	return ERR_TOKEN_INVALID;
}

int joining_renew(struct call *call, const Pb__RenewTokenRequest *in, Pb__RenewTokenResponse *out)
{
	struct renewal n = {.now_ms = clock_wall_ms()};
	struct cp *cp = call->owner;
	int64_t expires_ms;
	int r;

	if (uuid_parse(in->node_id, &n.node_id))
		return call_field(call, "node_id", "must be a UUID");
	memcpy(n.nonce, in->nonce.data, sizeof(n.nonce));
	r = store_read(cp->store, find_identity, &n);
	if (r < 0)
		return err_trace(r);
	if (r)
		return refuse_unknown(call);
	if (!signature_good(&n, in))
		return refuse_renewal(call, &n);
	r = store_write(cp->store, use_nonce, NULL, &n);
	if (r == ERR_TOKEN_INVALID)
		return refuse_renewal(call, &n);
	if (r)
		return err_trace(r);
	out->agent_token =
		agent_token(call, &n.tenant_id, &n.node_id, n.node.label, n.now_ms, &expires_ms);
	out->expires_at = fields_time(call, expires_ms);
	hub_extend(cp->hub, &n.tenant_id, &n.node_id, expires_ms);
	return out->agent_token && out->expires_at ? 0 : -ENOMEM;
}
