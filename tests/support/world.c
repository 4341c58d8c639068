/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/world.h"

#include <sqlite3.h>
#include <string.h>
#include <unistd.h>

#include "gen/rpc/admin_service.h"
#include "gen/rpc/agent_service.h"
#include "gen/rpc/auth_service.h"
#include "gen/rpc/mesh_service.h"

static void die(const char *what, const char *why)
{
	fprintf(stderr, "world: %s: %s\n", what, why);
	exit(1);
}

/* --- calls --- */

int world_try(struct world *w, const struct panel_who *who, const struct method *method,
	      const void *in)
{
	return panel_call(&w->panel, who, method, in, w->answer);
}

void world_must(struct world *w, const struct panel_who *who, const struct method *method,
		const void *in)
{
	int r;

	do {
		r = world_try(w, who, method, in);
		if (!r && w->answer->err == ERR_RATE_LIMITED)
			usleep(50000);
	} while (!r && w->answer->err == ERR_RATE_LIMITED);
	if (r || w->answer->code != GRPC_OK)
		die(method->name, r ? strerror(-r) : w->answer->words);
}

ProtobufCMessage *world_out(struct world *w, const ProtobufCMessageDescriptor *descriptor)
{
	ProtobufCMessage *out =
		protobuf_c_message_unpack(descriptor, NULL, w->answer->len, w->answer->bytes);

	if (!out)
		die(descriptor->name, "does not unpack");
	return out;
}

void world_login(struct world *w, const char *user, char *ret_token, size_t cap)
{
	Pb__LoginRequest in = PB__LOGIN_REQUEST__INIT;
	Pb__LoginResponse *out;

	in.user = (char *)user;
	in.tenant = (char *)"acme";
	in.password = (char *)WORLD_PASSWORD;
	world_must(w, &w->nobody, &auth_service_methods[METHOD_AUTH_LOGIN], &in);
	out = (void *)world_out(w, &pb__login_response__descriptor);
	snprintf(ret_token, cap, "%s", out->token);
	protobuf_c_message_free_unpacked(&out->base, NULL);
}

void world_create(struct world *w, const char *label, char ret_id[UUID_TEXT_LEN + 1])
{
	Pb__CreateDeviceRequest in = PB__CREATE_DEVICE_REQUEST__INIT;
	Pb__CreateDeviceResponse *out;

	in.label = (char *)label;
	in.node_id = w->node_id;
	world_must(w, &w->admin, &mesh_service_methods[METHOD_MESH_CREATE_DEVICE], &in);
	out = (void *)world_out(w, &pb__create_device_response__descriptor);
	strcpy(ret_id, out->device->id);
	protobuf_c_message_free_unpacked(&out->base, NULL);
}

void world_invite(struct world *w)
{
	Pb__CreateJoinTokenRequest in = PB__CREATE_JOIN_TOKEN_REQUEST__INIT;
	Pb__CreateJoinTokenResponse *out;

	in.tenant = (char *)"acme";
	world_must(w, &w->operator_, &admin_service_methods[METHOD_ADMIN_CREATE_JOIN_TOKEN], &in);
	out = (void *)world_out(w, &pb__create_join_token_response__descriptor);
	snprintf(w->join_token, sizeof(w->join_token), "%s", out->join_token);
	protobuf_c_message_free_unpacked(&out->base, NULL);
}

void world_enroll(struct world *w, const char *name, char ret_id[UUID_TEXT_LEN + 1])
{
	Pb__EnrollRequest in = PB__ENROLL_REQUEST__INIT;
	struct key private_key, public_key;
	Pb__EnrollResponse *out;

	world_invite(w);
	key_make(&private_key, &public_key);
	in.join_token = w->join_token;
	in.name = (char *)name;
	in.wg_public_key = (ProtobufCBinaryData){.data = public_key.b, .len = KEY_LEN};
	in.identity_key = (ProtobufCBinaryData){.data = w->identity_public, .len = SIGN_PUBLIC_LEN};
	in.endpoint = (char *)"198.51.100.1:51820";
	world_must(w, &w->nobody, &agent_service_methods[METHOD_AGENT_ENROLL], &in);
	out = (void *)world_out(w, &pb__enroll_response__descriptor);
	strcpy(ret_id, out->node_id);
	snprintf(w->agent_token, sizeof(w->agent_token), "%s", out->agent_token);
	protobuf_c_message_free_unpacked(&out->base, NULL);
}

/* --- life --- */

static void make_people(struct world *w)
{
	static const char *const names[] = {"ann", "bob"};
	Pb__CreateTenantRequest tenant = PB__CREATE_TENANT_REQUEST__INIT;

	tenant.name = (char *)"acme";
	tenant.plan = PB__PLAN__PLAN_ENTERPRISE;
	world_must(w, &w->operator_, &admin_service_methods[METHOD_ADMIN_CREATE_TENANT], &tenant);
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		Pb__CreateUserRequest in = PB__CREATE_USER_REQUEST__INIT;

		in.tenant = (char *)"acme";
		in.name = (char *)names[i];
		in.password = (char *)WORLD_PASSWORD;
		in.role = i ? PB__ROLE__ROLE_MEMBER : PB__ROLE__ROLE_ADMIN;
		world_must(w, &w->operator_, &admin_service_methods[METHOD_ADMIN_CREATE_USER], &in);
	}
	world_login(w, "ann", w->admin_token, sizeof(w->admin_token));
	world_login(w, "bob", w->bob_token, sizeof(w->bob_token));
}

void world_listen(struct world *w)
{
	struct uuid node, tenant;
	char hex[WORLD_VALUE_LEN];

	world_value(w, "SELECT hex(id) FROM tenants WHERE name = 'acme'", hex);
	for (int i = 0; i < 16; i++)
		sscanf(hex + 2 * i, "%2hhx", &tenant.b[i]);
	if (uuid_parse(w->node_id, &node) ||
	    follower_init(&w->node, &w->panel, &w->agent, &node, &tenant))
		die("follower", "does not start");
}

void world_init(struct world *w)
{
	char kept[sizeof(w->agent_token)];

	memset(w, 0, sizeof(*w));
	w->admin.token = w->admin_token;
	w->bob.token = w->bob_token;
	w->agent.token = w->agent_token;
	w->operator_.is_operator = true;
	w->answer = malloc(sizeof(*w->answer));
	if (!w->answer || sign_init() || panel_init(&w->panel) || panel_open(&w->panel))
		die("panel", "does not start");
	panel_answer_init(w->answer);
	sign_make(w->identity_public, w->identity_secret);
	make_people(w);
	world_enroll(w, "gate", w->node_id);
	strcpy(kept, w->agent_token);
	world_enroll(w, "other", w->other_id);
	strcpy(w->agent_token, kept);
	world_create(w, "steady", w->device_id);
	world_listen(w);
}

void world_stop(struct world *w)
{
	follower_done(&w->node);
	panel_close(&w->panel);
}

void world_restart(struct world *w)
{
	world_stop(w);
	if (panel_open(&w->panel))
		die("panel", "does not start again");
	world_listen(w);
}

void world_done(struct world *w)
{
	follower_done(&w->node);
	panel_done(&w->panel);
	free(w->answer);
}

/* --- the second look --- */

static sqlite3 *look(struct world *w)
{
	sqlite3 *db = NULL;
	char path[128];

	snprintf(path, sizeof(path), "%s/state/store.db", w->panel.dir);
	if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK)
		die(path, sqlite3_errmsg(db));
	sqlite3_busy_timeout(db, 10000);
	return db;
}

static void first_value(sqlite3 *db, const char *sql, char ret[WORLD_VALUE_LEN])
{
	sqlite3_stmt *stmt = NULL;
	const unsigned char *text = NULL;

	if (sqlite3_prepare_v2(db, sql, -1, &stmt, NULL) != SQLITE_OK)
		die(sql, sqlite3_errmsg(db));
	if (sqlite3_step(stmt) == SQLITE_ROW)
		text = sqlite3_column_text(stmt, 0);
	snprintf(ret, WORLD_VALUE_LEN, "%s", text ? (const char *)text : "");
	sqlite3_finalize(stmt);
}

void world_value(struct world *w, const char *sql, char ret[WORLD_VALUE_LEN])
{
	sqlite3 *db = look(w);

	first_value(db, sql, ret);
	sqlite3_close(db);
}

/* Each answers nothing when all is well. */
static const char *const laws[] = {
	"SELECT 'devices miscounted' FROM tenants t WHERE devices <>"
	" (SELECT count(*) FROM devices d WHERE d.tenant = t.id)",
	"SELECT 'nodes miscounted' FROM tenants t WHERE nodes <>"
	" (SELECT count(*) FROM nodes n WHERE n.tenant = t.id)",
	"SELECT 'an address twice' FROM members GROUP BY tenant, ip4 HAVING count(*) > 1",
	"SELECT 'a name twice' FROM members GROUP BY tenant, slug HAVING count(*) > 1",
	"SELECT 'an address not taken' FROM members m WHERE NOT EXISTS (SELECT 1 FROM addresses a"
	" WHERE a.tenant = m.tenant AND a.host = m.ip4 & 65535 AND a.freed_ms IS NULL)",
	"SELECT 'an address nobody has' FROM addresses a WHERE freed_ms IS NULL AND NOT EXISTS"
	" (SELECT 1 FROM members m WHERE m.tenant = a.tenant AND m.ip4 & 65535 = a.host)",
	"SELECT 'a member without key' FROM members m WHERE NOT EXISTS (SELECT 1 FROM keys k"
	" WHERE k.tenant = m.tenant AND k.member = m.id)",
	"SELECT 'audit: a row is missing' FROM tenants t WHERE audit_seq <>"
	" (SELECT count(*) FROM audit a WHERE a.tenant = t.id)",
	"SELECT 'audit: head does not fit' FROM tenants t JOIN audit a ON a.tenant = t.id"
	" AND a.seq = t.audit_seq WHERE a.hash <> t.audit_hash",
	"SELECT 'a foreign key hangs' FROM pragma_foreign_key_check",
	"SELECT 'corrupt: ' || integrity_check FROM pragma_integrity_check"
	" WHERE integrity_check <> 'ok'",
};

static const char *store_fault(sqlite3 *db)
{
	static char found[WORLD_VALUE_LEN];

	for (size_t i = 0; i < ARRAY_LEN(laws); i++) {
		first_value(db, laws[i], found);
		if (*found)
			return found;
	}
	return NULL;
}

/* Revocations come a moment after the answer. */
static const char *node_fault(struct world *w, sqlite3 *db)
{
	char generation[WORLD_VALUE_LEN], digest[WORLD_VALUE_LEN], hex[2 * DIGEST_LEN + 1];
	struct digest held;
	sqlite3_stmt *stmt = NULL;
	struct uuid id;
	bool told = false;

	first_value(db, "SELECT generation FROM tenants WHERE name = 'acme'", generation);
	first_value(db, "SELECT lower(hex(digest)) FROM tenants WHERE name = 'acme'", digest);
	if (!follower_settles(&w->node, strtoull(generation, NULL, 10)))
		return "the node never got what the store has";
	held = follower_digest(&w->node);
	text_hex(held.b, DIGEST_LEN, hex);
	if (strcmp(hex, digest))
		return "the node's list is another than the store's";
	for (unsigned i = 0; !told && i < 2000; i++) {
		told = true;
		sqlite3_prepare_v2(db,
				   "SELECT s.id FROM sessions s JOIN tenants t ON t.id = s.tenant"
				   " WHERE t.name = 'acme' AND ended_ms IS NOT NULL",
				   -1, &stmt, NULL);
		while (told && sqlite3_step(stmt) == SQLITE_ROW) {
			memcpy(id.b, sqlite3_column_blob(stmt, 0), sizeof(id.b));
			told = follower_knows_revoked(&w->node, &id);
		}
		sqlite3_finalize(stmt);
		if (!told)
			usleep(2000);
	}
	return told ? NULL : "the node takes an ended session for good";
}

const char *world_fault(struct world *w)
{
	Pb__VerifyAuditRequest in = PB__VERIFY_AUDIT_REQUEST__INIT;
	Pb__VerifyAuditResponse *out;
	sqlite3 *db = look(w);
	const char *fault = store_fault(db);

	if (!fault)
		fault = node_fault(w, db);
	sqlite3_close(db);
	in.tenant = (char *)"acme";
	if (fault)
		return fault;
	world_must(w, &w->operator_, &admin_service_methods[METHOD_ADMIN_VERIFY_AUDIT], &in);
	out = (void *)world_out(w, &pb__verify_audit_response__descriptor);
	if (out->fault)
		fault = "the audit chain is broken";
	protobuf_c_message_free_unpacked(&out->base, NULL);
	return fault;
}
