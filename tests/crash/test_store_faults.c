/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A fault at the n-th write, sync, read, truncation or lock of each scenario,
 * for every n until it falls no more: through the real handlers and the real
 * store on a faulty file system. After each: the call was answered, what was
 * answered is what the store has, nothing is half there, the audit chain is
 * whole, the store works again, and the node that listens holds what the store
 * does. OUTCOME_UNKNOWN may be either, but never both.
 *
 * As many n as the time allows, spread over all; every one with QMESH_LONG.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "gen/rpc/admin_service.h"
#include "gen/rpc/agent_service.h"
#include "gen/rpc/auth_service.h"
#include "gen/rpc/mesh_service.h"
#include "tests/support/faultvfs.h"
#include "tests/support/world.h"

enum { N_MAX = 400, BUDGET_MS = 40000 };

struct scenario {
	const char *name;
	void (*prepare)(struct world *w);
	int (*act)(struct world *w); /* one call: 0, the answer is in w->answer; -ENOMEM */
	/* What it changes; # is w->i. NULL: it only reads. */
	const char *effect;
	enum err wanted; /* ERR_NONE but for refusals */
};

static char text[UUID_TEXT_LEN + 64];

static const char *numbered(const struct world *w, const char *what)
{
	snprintf(text, sizeof(text), "%s%u", what, w->i);
	return text;
}

#define ADMIN(method) (&admin_service_methods[METHOD_ADMIN_##method])
#define AUTH(method) (&auth_service_methods[METHOD_AUTH_##method])
#define AGENT(method) (&agent_service_methods[METHOD_AGENT_##method])
#define MESH(method) (&mesh_service_methods[METHOD_MESH_##method])

/* --- the operator's --- */

static int create_tenant(struct world *w)
{
	Pb__CreateTenantRequest in = PB__CREATE_TENANT_REQUEST__INIT;

	in.name = (char *)numbered(w, "t");
	return world_try(w, &w->operator_, ADMIN(CREATE_TENANT), &in);
}

static Pb__Plan next_plan;

static void choose_plan(struct world *w)
{
	char plan[WORLD_VALUE_LEN];

	world_value(w, "SELECT plan FROM tenants WHERE name = 'acme'", plan);
	next_plan = atoi(plan) == PLAN_ENTERPRISE ? PB__PLAN__PLAN_TEAM : PB__PLAN__PLAN_ENTERPRISE;
}

static int update_tenant(struct world *w)
{
	Pb__UpdateTenantRequest in = PB__UPDATE_TENANT_REQUEST__INIT;

	in.tenant = (char *)"acme";
	in.plan = next_plan;
	return world_try(w, &w->operator_, ADMIN(UPDATE_TENANT), &in);
}

static int create_user(struct world *w)
{
	Pb__CreateUserRequest in = PB__CREATE_USER_REQUEST__INIT;

	in.tenant = (char *)"acme";
	in.name = (char *)numbered(w, "u");
	in.role = PB__ROLE__ROLE_MEMBER;
	in.password = (char *)WORLD_PASSWORD;
	return world_try(w, &w->operator_, ADMIN(CREATE_USER), &in);
}

static int set_bob(struct world *w, bool disabled, bool must)
{
	Pb__UpdateUserRequest in = PB__UPDATE_USER_REQUEST__INIT;

	in.tenant = (char *)"acme";
	in.user = (char *)"bob";
	in.disabled_choice_case = PB__UPDATE_USER_REQUEST__DISABLED_CHOICE_DISABLED;
	in.disabled = disabled;
	if (!must)
		return world_try(w, &w->operator_, ADMIN(UPDATE_USER), &in);
	world_must(w, &w->operator_, ADMIN(UPDATE_USER), &in);
	return 0;
}

/* With a session that must end and a device that must rest. */
static void bob_signs_in(struct world *w)
{
	set_bob(w, false, true);
	world_login(w, "bob", w->bob_token, sizeof(w->bob_token));
}

static int disable_bob(struct world *w)
{
	return set_bob(w, true, false);
}

static int invite(struct world *w)
{
	Pb__CreateJoinTokenRequest in = PB__CREATE_JOIN_TOKEN_REQUEST__INIT;

	in.tenant = (char *)"acme";
	return world_try(w, &w->operator_, ADMIN(CREATE_JOIN_TOKEN), &in);
}

static char joined_id[UUID_TEXT_LEN + 1];

static void join_one(struct world *w)
{
	char kept[sizeof(w->agent_token)];

	strcpy(kept, w->agent_token);
	world_enroll(w, numbered(w, "gone"), joined_id);
	strcpy(w->agent_token, kept);
}

static int remove_node(struct world *w)
{
	Pb__RemoveNodeRequest in = PB__REMOVE_NODE_REQUEST__INIT;

	in.tenant = (char *)"acme";
	in.node = joined_id;
	return world_try(w, &w->operator_, ADMIN(REMOVE_NODE), &in);
}

static int verify_audit(struct world *w)
{
	Pb__VerifyAuditRequest in = PB__VERIFY_AUDIT_REQUEST__INIT;

	in.tenant = (char *)"acme";
	return world_try(w, &w->operator_, ADMIN(VERIFY_AUDIT), &in);
}

/* --- people's --- */

static char session[4096];

static int login(struct world *w)
{
	Pb__LoginRequest in = PB__LOGIN_REQUEST__INIT;

	in.tenant = (char *)"acme";
	in.user = (char *)"ann";
	in.password = (char *)WORLD_PASSWORD;
	return world_try(w, &w->nobody, AUTH(LOGIN), &in);
}

static void sign_in(struct world *w)
{
	world_login(w, "ann", session, sizeof(session));
}

static int logout(struct world *w)
{
	static const Pb__LogoutRequest in = PB__LOGOUT_REQUEST__INIT;
	const struct panel_who who = {.token = session};

	return world_try(w, &who, AUTH(LOGOUT), &in);
}

static int change_password(struct world *w)
{
	Pb__ChangePasswordRequest in = PB__CHANGE_PASSWORD_REQUEST__INIT;

	/* The same again has another salt. */
	in.old_password = in.new_password = (char *)WORLD_PASSWORD;
	return world_try(w, &w->admin, AUTH(CHANGE_PASSWORD), &in);
}

static int make_token(struct world *w)
{
	Pb__CreateServiceTokenRequest in = PB__CREATE_SERVICE_TOKEN_REQUEST__INIT;

	in.name = (char *)numbered(w, "s");
	return world_try(w, &w->admin, AUTH(CREATE_SERVICE_TOKEN), &in);
}

static char token_id[UUID_TEXT_LEN + 1];

static void have_token(struct world *w)
{
	Pb__CreateServiceTokenRequest in = PB__CREATE_SERVICE_TOKEN_REQUEST__INIT;
	Pb__CreateServiceTokenResponse *out;

	in.name = (char *)numbered(w, "v");
	world_must(w, &w->admin, AUTH(CREATE_SERVICE_TOKEN), &in);
	out = (void *)world_out(w, &pb__create_service_token_response__descriptor);
	strcpy(token_id, out->info->id);
	protobuf_c_message_free_unpacked(&out->base, NULL);
}

static int revoke_token(struct world *w)
{
	Pb__RevokeServiceTokenRequest in = PB__REVOKE_SERVICE_TOKEN_REQUEST__INIT;

	in.id = token_id;
	return world_try(w, &w->admin, AUTH(REVOKE_SERVICE_TOKEN), &in);
}

/* --- devices --- */

static int create(struct world *w)
{
	Pb__CreateDeviceRequest in = PB__CREATE_DEVICE_REQUEST__INIT;

	in.label = (char *)numbered(w, "d");
	in.node_id = w->node_id;
	return world_try(w, &w->admin, MESH(CREATE_DEVICE), &in);
}

static int create_by_key(struct world *w)
{
	Pb__CreateDeviceRequest in = PB__CREATE_DEVICE_REQUEST__INIT;
	struct panel_who who = w->admin;
	char key[32];

	snprintf(key, sizeof(key), "key %u", w->i);
	who.idempotency_key = key;
	in.label = (char *)numbered(w, "k");
	in.node_id = w->node_id;
	return world_try(w, &who, MESH(CREATE_DEVICE), &in);
}

static int create_taken(struct world *w)
{
	Pb__CreateDeviceRequest in = PB__CREATE_DEVICE_REQUEST__INIT;

	in.label = (char *)"steady";
	in.node_id = w->node_id;
	return world_try(w, &w->admin, MESH(CREATE_DEVICE), &in);
}

static int rotate(struct world *w)
{
	Pb__RotateDeviceKeyRequest in = PB__ROTATE_DEVICE_KEY_REQUEST__INIT;

	in.id = w->device_id;
	return world_try(w, &w->admin, MESH(ROTATE_DEVICE_KEY), &in);
}

static int rename_(struct world *w)
{
	Pb__UpdateDeviceRequest in = PB__UPDATE_DEVICE_REQUEST__INIT;
	char label[32];

	snprintf(label, sizeof(label), "Steady %u", w->i);
	in.id = w->device_id;
	in.label_choice_case = PB__UPDATE_DEVICE_REQUEST__LABEL_CHOICE_LABEL;
	in.label = label;
	return world_try(w, &w->admin, MESH(UPDATE_DEVICE), &in);
}

static char doomed_id[UUID_TEXT_LEN + 1];

static void have_doomed(struct world *w)
{
	world_create(w, numbered(w, "x"), doomed_id);
}

static int delete_(struct world *w)
{
	Pb__DeleteDeviceRequest in = PB__DELETE_DEVICE_REQUEST__INIT;

	in.id = doomed_id;
	return world_try(w, &w->admin, MESH(DELETE_DEVICE), &in);
}

static int list_devices(struct world *w)
{
	Pb__ListDevicesRequest in = PB__LIST_DEVICES_REQUEST__INIT;

	in.all = true;
	return world_try(w, &w->admin, MESH(LIST_DEVICES), &in);
}

static int get_state(struct world *w)
{
	static const Pb__GetStateRequest in = PB__GET_STATE_REQUEST__INIT;

	return world_try(w, &w->admin, MESH(GET_STATE), &in);
}

static int list_audit(struct world *w)
{
	static const Pb__ListAuditRequest in = PB__LIST_AUDIT_REQUEST__INIT;

	return world_try(w, &w->admin, MESH(LIST_AUDIT), &in);
}

/* --- nodes --- */

static int enroll(struct world *w)
{
	Pb__EnrollRequest in = PB__ENROLL_REQUEST__INIT;
	struct key private_key, public_key;

	key_make(&private_key, &public_key);
	in.join_token = w->join_token;
	in.name = (char *)numbered(w, "n");
	in.wg_public_key = (ProtobufCBinaryData){.data = public_key.b, .len = KEY_LEN};
	in.identity_key = (ProtobufCBinaryData){.data = w->identity_public, .len = SIGN_PUBLIC_LEN};
	in.endpoint = (char *)"198.51.100.1:51820";
	return world_try(w, &w->nobody, AGENT(ENROLL), &in);
}

static uint32_t pending_version;

static void have_pending(struct world *w)
{
	Pb__RotateDeviceKeyRequest in = PB__ROTATE_DEVICE_KEY_REQUEST__INIT;
	Pb__RotateDeviceKeyResponse *out;

	in.id = w->device_id;
	world_must(w, &w->admin, MESH(ROTATE_DEVICE_KEY), &in);
	out = (void *)world_out(w, &pb__rotate_device_key_response__descriptor);
	pending_version = (uint32_t)out->device->key_version;
	protobuf_c_message_free_unpacked(&out->base, NULL);
}

static int promote(struct world *w)
{
	Pb__ReportRequest in = PB__REPORT_REQUEST__INIT;
	Pb__Promoted promoted = PB__PROMOTED__INIT, *list = &promoted;
	struct uuid id;

	if (uuid_parse(w->device_id, &id))
		return -EINVAL;
	promoted.device_id = (ProtobufCBinaryData){.data = id.b, .len = sizeof(id.b)};
	promoted.key_version = pending_version;
	in.promoted = &list;
	in.n_promoted = 1;
	return world_try(w, &w->agent, AGENT(REPORT), &in);
}

static int renew(struct world *w)
{
	Pb__RenewTokenRequest in = PB__RENEW_TOKEN_REQUEST__INIT;
	Google__Protobuf__Timestamp time = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
	int64_t now = clock_wall_ms();
	uint8_t words[7 + 16 + 8 + 16], nonce[16], signature[SIGN_LEN];
	struct uuid id;

	if (uuid_parse(w->node_id, &id))
		return -EINVAL;
	sign_random(nonce, sizeof(nonce));
	memcpy(words, "renew/1", 7);
	memcpy(words + 7, id.b, 16);
	for (int i = 0; i < 8; i++)
		words[23 + i] = (uint8_t)((uint64_t)now >> (56 - 8 * i));
	memcpy(words + 31, nonce, 16);
	sign_message(w->identity_secret, words, sizeof(words), signature);
	time.seconds = now / 1000;
	time.nanos = (int32_t)(now % 1000) * 1000000;
	in.node_id = w->node_id;
	in.time = &time;
	in.nonce = (ProtobufCBinaryData){.data = nonce, .len = sizeof(nonce)};
	in.signature = (ProtobufCBinaryData){.data = signature, .len = sizeof(signature)};
	return world_try(w, &w->nobody, AGENT(RENEW_TOKEN), &in);
}

static int list_peers(struct world *w)
{
	Pb__GetNodePeersRequest in = PB__GET_NODE_PEERS_REQUEST__INIT;

	in.node_id = w->node_id;
	return world_try(w, &w->agent, AGENT(GET_NODE_PEERS), &in);
}

#define MEMBER_COUNT(name) "SELECT count(*) FROM members WHERE label = '" name "#'"

static const struct scenario scenarios[] = {
	{"create", NULL, create, MEMBER_COUNT("d"), 0},
	{"create by key", NULL, create_by_key, MEMBER_COUNT("k"), 0},
	{"create, name taken", NULL, create_taken, "SELECT count(*) FROM devices", ERR_LABEL_TAKEN},
	{"rotate", NULL, rotate, "SELECT sum(key_version) FROM devices", 0},
	{"rename", NULL, rename_,
	 "SELECT group_concat(label) FROM members WHERE slug LIKE 'steady%'", 0},
	{"delete", have_doomed, delete_, MEMBER_COUNT("x"), 0},
	{"login", NULL, login, "SELECT count(*) FROM sessions", 0},
	{"logout", sign_in, logout, "SELECT count(ended_ms) FROM sessions", 0},
	{"change password", NULL, change_password, "SELECT password FROM users WHERE name = 'ann'",
	 0},
	{"service token", NULL, make_token, "SELECT count(*) FROM tokens WHERE name = 's#'", 0},
	{"revoke token", have_token, revoke_token, "SELECT count(*) FROM tokens WHERE name = 'v#'",
	 0},
	{"disable user", bob_signs_in, disable_bob, "SELECT disabled FROM users WHERE name = 'bob'",
	 0},
	{"create user", NULL, create_user, "SELECT count(*) FROM users WHERE name = 'u#'", 0},
	{"create tenant", NULL, create_tenant, "SELECT count(*) FROM tenants WHERE name = 't#'", 0},
	{"change plan", choose_plan, update_tenant, "SELECT plan FROM tenants WHERE name = 'acme'",
	 0},
	{"join token", NULL, invite, "SELECT count(*) FROM join_tokens", 0},
	{"enroll", world_invite, enroll, MEMBER_COUNT("n"), 0},
	{"remove node", join_one, remove_node, MEMBER_COUNT("gone"), 0},
	{"promote", have_pending, promote, "SELECT count(*) FROM keys WHERE slot = 2", 0},
	{"renew", NULL, renew, "SELECT count(*) FROM nonces", 0},
	{"list devices", NULL, list_devices, NULL, 0},
	{"state", NULL, get_state, NULL, 0},
	{"list audit", NULL, list_audit, NULL, 0},
	{"list peers", NULL, list_peers, NULL, 0},
	{"verify audit", NULL, verify_audit, NULL, 0},
};

static unsigned n_passed, n_failed, n_fell, n_unknown, n_landed;

static void spell(const struct world *w, const char *effect, char *ret, size_t cap)
{
	int len = (int)strcspn(effect, "#");

	if (effect[len])
		snprintf(ret, cap, "%.*s%u%s", len, effect, w->i, effect + len + 1);
	else
		snprintf(ret, cap, "%s", effect);
}

static void complain(const struct scenario *s, enum fault_kind kind, unsigned n, const char *why)
{
	if (n_failed++ < 40)
		printf("FAIL %s, %s at %u: %s\n", s->name, faultvfs_name(kind), n, why);
}

/* What the answer says against what the store has. */
static const char *judge(struct world *w, const struct scenario *s, const char *before,
			 const char *after)
{
	const struct panel_answer *a = w->answer;
	bool changed = strcmp(before, after) != 0;

	if (a->n_done != 1)
		return "not answered once";
	if (a->err == ERR_OUTCOME_UNKNOWN) {
		n_unknown++;
		n_landed += changed;
		return s->effect ? NULL : "a read's outcome cannot be unknown";
	}
	if (a->err == s->wanted)
		return !s->effect || changed == !s->wanted ? NULL : "acknowledged and not there";
	if (changed)
		return "refused and there";
	return a->err == ERR_INTERNAL ? NULL : a->words;
}

/* True: it fell, so there may be a next one. */
static bool one(struct world *w, const struct scenario *s, enum fault_kind kind, unsigned n,
		bool lasts)
{
	char sql[256], before[WORLD_VALUE_LEN] = "", after[WORLD_VALUE_LEN] = "";
	const char *why;
	bool fell;

	w->i++;
	if (s->prepare)
		s->prepare(w);
	if (s->effect) {
		spell(w, s->effect, sql, sizeof(sql));
		world_value(w, sql, before);
	}
	do {
		faultvfs_arm(kind, n, lasts);
		if (s->act(w))
			w->answer->n_done = 0;
		fell = faultvfs_disarm();
		if (w->answer->err == ERR_RATE_LIMITED)
			usleep(50000);
	} while (w->answer->err == ERR_RATE_LIMITED);
	if (s->effect)
		world_value(w, sql, after);
	why = judge(w, s, before, after);
	if (!why)
		why = world_fault(w);
	if (why)
		complain(s, kind, n, why);
	else
		n_passed++;
	n_fell += fell;
	return fell;
}

/* Steps so that the whole fits; the first few always. */
static void all_of(struct world *w, const struct scenario *s, enum fault_kind kind, unsigned step)
{
	bool lasts = kind == FAULT_FULL;
	unsigned n = 1;

	while (n < N_MAX && one(w, s, kind, n, lasts))
		n += n < 3 ? 1 : step;
}

int main(int argc, char **argv)
{
	static const enum fault_kind kinds[] = {
		FAULT_SYNC,     FAULT_WRITE,    FAULT_FULL,    FAULT_TORN, FAULT_READ,
		FAULT_SHM_LOCK, FAULT_TRUNCATE, FAULT_SHM_MAP, FAULT_OPEN, FAULT_LANDS};
	const char *only = argc > 1 ? argv[1] : NULL;
	unsigned step = getenv("QMESH_LONG") ? 1 : 7;
	static struct world w;
	uint64_t from = clock_boot_ms();

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (faultvfs_register())
		return 1;
	world_init(&w);
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++) {
		const struct scenario *s = &scenarios[i];

		if (only && strcmp(only, s->name) != 0)
			continue;
		/* Late ones must have their turn. */
		if (step > 1 && clock_boot_ms() - from > BUDGET_MS * (i + 1) / ARRAY_LEN(scenarios))
			step = 40;
		for (size_t k = 0; k < ARRAY_LEN(kinds); k++)
			all_of(&w, s, kinds[k], step);
		printf("%-20s %u so far, %u fell, %u s\n", s->name, n_passed + n_failed, n_fell,
		       (unsigned)((clock_boot_ms() - from) / 1000));
	}
	world_done(&w);
	printf("%u faults in %zu scenarios, %u outcomes unknown, of which %u landed\n", n_fell,
	       ARRAY_LEN(scenarios), n_unknown, n_landed);
	printf("passed %u failed %u skipped 0\n", n_passed, n_failed);
	return n_failed != 0;
}
