/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables. Every key starts with the tenant, so that no query can reach
 * across. Steps go forward only: user_version says how many were taken, and a
 * file with more of them than this program knows is left alone.
 */
#include "base/err.h"
#include "base/log.h"
#include "server/store/sql.h"

static const char step_1[] =
	"CREATE TABLE tenants ("
	" id BLOB PRIMARY KEY CHECK (length(id) = 16),"
	" name TEXT NOT NULL UNIQUE,"
	" plan INTEGER NOT NULL CHECK (plan BETWEEN 1 AND 4),"
	" cap INTEGER NOT NULL CHECK (cap >= 0),"
	" range4 INTEGER NOT NULL,"
	" range6 BLOB NOT NULL UNIQUE CHECK (length(range6) = 16),"
	" epoch INTEGER NOT NULL,"
	" generation INTEGER NOT NULL,"
	" record_generation INTEGER NOT NULL,"
	" digest BLOB NOT NULL CHECK (length(digest) = 32),"
	" devices INTEGER NOT NULL DEFAULT 0 CHECK (devices >= 0),"
	" nodes INTEGER NOT NULL DEFAULT 0 CHECK (nodes >= 0),"
	" next_node INTEGER NOT NULL,"
	" next_device INTEGER NOT NULL,"
	" lease_s INTEGER NOT NULL,"
	" audit_seq INTEGER NOT NULL DEFAULT 0,"
	" audit_hash BLOB NOT NULL CHECK (length(audit_hash) = 32),"
	" created_ms INTEGER NOT NULL) STRICT;"
	"CREATE INDEX tenants_range4 ON tenants (range4);"

	"CREATE TABLE users ("
	" tenant BLOB NOT NULL REFERENCES tenants (id),"
	" id BLOB NOT NULL CHECK (length(id) = 16),"
	" name TEXT NOT NULL,"
	" role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3),"
	" password TEXT NOT NULL,"
	" disabled INTEGER NOT NULL CHECK (disabled IN (0, 1)),"
	" created_ms INTEGER NOT NULL,"
	" PRIMARY KEY (tenant, id), UNIQUE (tenant, name)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE sessions ("
	" tenant BLOB NOT NULL,"
	" id BLOB NOT NULL CHECK (length(id) = 16),"
	" user BLOB NOT NULL,"
	" node BLOB,"
	" created_ms INTEGER NOT NULL,"
	" expires_ms INTEGER NOT NULL,"
	" ended_ms INTEGER,"
	" PRIMARY KEY (tenant, id),"
	" FOREIGN KEY (tenant, user) REFERENCES users (tenant, id)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX sessions_user ON sessions (tenant, user);"
	"CREATE INDEX sessions_expires ON sessions (expires_ms);"

	"CREATE TABLE join_tokens ("
	" id BLOB PRIMARY KEY CHECK (length(id) = 16),"
	" tenant BLOB NOT NULL REFERENCES tenants (id),"
	" secret_hash BLOB NOT NULL CHECK (length(secret_hash) = 32),"
	" expires_ms INTEGER NOT NULL,"
	" used_ms INTEGER) STRICT, WITHOUT ROWID;"

	"CREATE TABLE members ("
	" tenant BLOB NOT NULL REFERENCES tenants (id),"
	" id BLOB NOT NULL CHECK (length(id) = 16),"
	" kind INTEGER NOT NULL CHECK (kind IN (1, 2)),"
	" state INTEGER NOT NULL CHECK (state IN (1, 2)),"
	" label TEXT NOT NULL,"
	" slug TEXT NOT NULL,"
	" ip4 INTEGER NOT NULL,"
	" record BLOB NOT NULL,"
	" generation INTEGER NOT NULL,"
	" created_ms INTEGER NOT NULL,"
	" PRIMARY KEY (tenant, id), UNIQUE (tenant, slug), UNIQUE (tenant, ip4)) STRICT;"
	"CREATE INDEX members_generation ON members (tenant, generation);"

	"CREATE TABLE removed ("
	" tenant BLOB NOT NULL REFERENCES tenants (id),"
	" generation INTEGER NOT NULL,"
	" id BLOB NOT NULL,"
	" PRIMARY KEY (tenant, generation, id)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE generations ("
	" tenant BLOB NOT NULL REFERENCES tenants (id),"
	" generation INTEGER NOT NULL,"
	" digest BLOB NOT NULL,"
	" at_ms INTEGER NOT NULL,"
	" PRIMARY KEY (tenant, generation)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE nodes ("
	" tenant BLOB NOT NULL,"
	" id BLOB NOT NULL,"
	" identity BLOB NOT NULL CHECK (length(identity) = 32),"
	" endpoint TEXT NOT NULL,"
	" version TEXT NOT NULL,"
	" PRIMARY KEY (tenant, id),"
	" FOREIGN KEY (tenant, id) REFERENCES members (tenant, id) ON DELETE CASCADE)"
	" STRICT, WITHOUT ROWID;"

	"CREATE UNIQUE INDEX nodes_id ON nodes (id);"

	"CREATE TABLE devices ("
	" tenant BLOB NOT NULL,"
	" id BLOB NOT NULL,"
	" type INTEGER NOT NULL CHECK (type BETWEEN 1 AND 4),"
	" owner BLOB NOT NULL,"
	" home BLOB NOT NULL,"
	" key_version INTEGER NOT NULL,"
	" needs_new_config INTEGER NOT NULL CHECK (needs_new_config IN (0, 1)),"
	" PRIMARY KEY (tenant, id),"
	" FOREIGN KEY (tenant, id) REFERENCES members (tenant, id) ON DELETE CASCADE,"
	" FOREIGN KEY (tenant, owner) REFERENCES users (tenant, id),"
	" FOREIGN KEY (tenant, home) REFERENCES nodes (tenant, id)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX devices_owner ON devices (tenant, owner, id);"
	"CREATE INDEX devices_home ON devices (tenant, home, id);"

	"CREATE TABLE keys ("
	" tenant BLOB NOT NULL,"
	" public_key BLOB NOT NULL CHECK (length(public_key) = 32),"
	" member BLOB NOT NULL,"
	" slot INTEGER NOT NULL CHECK (slot IN (1, 2)),"
	" key_version INTEGER NOT NULL,"
	" psk_version INTEGER NOT NULL,"
	" until_ms INTEGER,"
	" PRIMARY KEY (tenant, public_key), UNIQUE (tenant, member, slot),"
	" FOREIGN KEY (tenant, member) REFERENCES members (tenant, id) ON DELETE CASCADE)"
	" STRICT, WITHOUT ROWID;"
	"CREATE INDEX keys_until ON keys (until_ms) WHERE until_ms IS NOT NULL;"

	/* The plan's cap once more, where nothing can go round it. */
	"CREATE TRIGGER devices_in AFTER INSERT ON devices BEGIN"
	" UPDATE tenants SET devices = devices + 1 WHERE id = NEW.tenant;"
	" SELECT RAISE(ABORT, 'device cap') FROM tenants"
	"  WHERE id = NEW.tenant AND cap > 0 AND devices > cap;"
	" END;"
	"CREATE TRIGGER devices_out AFTER DELETE ON devices BEGIN"
	" UPDATE tenants SET devices = devices - 1 WHERE id = OLD.tenant;"
	" END;"
	"CREATE TRIGGER nodes_in AFTER INSERT ON nodes BEGIN"
	" UPDATE tenants SET nodes = nodes + 1 WHERE id = NEW.tenant;"
	" END;"
	"CREATE TRIGGER nodes_out AFTER DELETE ON nodes BEGIN"
	" UPDATE tenants SET nodes = nodes - 1 WHERE id = OLD.tenant;"
	" END;"

	"CREATE TABLE addresses ("
	" tenant BLOB NOT NULL REFERENCES tenants (id),"
	" host INTEGER NOT NULL CHECK (host BETWEEN 1 AND 65534),"
	" freed_ms INTEGER,"
	" PRIMARY KEY (tenant, host)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX addresses_freed ON addresses (tenant, freed_ms)"
	" WHERE freed_ms IS NOT NULL;"

	"CREATE TABLE windows ("
	" tenant BLOB NOT NULL,"
	" user BLOB NOT NULL,"
	" stamps BLOB NOT NULL,"
	" PRIMARY KEY (tenant, user),"
	" FOREIGN KEY (tenant, user) REFERENCES users (tenant, id)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE audit ("
	" tenant BLOB NOT NULL REFERENCES tenants (id),"
	" seq INTEGER NOT NULL,"
	" time_ms INTEGER NOT NULL,"
	" actor_id BLOB,"
	" actor TEXT NOT NULL,"
	" action TEXT NOT NULL,"
	" object_id BLOB,"
	" object TEXT NOT NULL,"
	" origin TEXT NOT NULL,"
	" request_id TEXT NOT NULL,"
	" result TEXT NOT NULL,"
	" hash BLOB NOT NULL CHECK (length(hash) = 32),"
	" PRIMARY KEY (tenant, seq)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE nonces ("
	" node BLOB NOT NULL,"
	" nonce BLOB NOT NULL,"
	" at_ms INTEGER NOT NULL,"
	" PRIMARY KEY (node, nonce)) STRICT, WITHOUT ROWID;"

	"CREATE TABLE presence ("
	" tenant BLOB NOT NULL,"
	" device BLOB NOT NULL,"
	" handshake_ms INTEGER NOT NULL,"
	" seen_ms INTEGER NOT NULL,"
	" rx INTEGER NOT NULL,"
	" tx INTEGER NOT NULL,"
	" PRIMARY KEY (tenant, device),"
	" FOREIGN KEY (tenant, device) REFERENCES members (tenant, id) ON DELETE CASCADE)"
	" STRICT, WITHOUT ROWID;"
	"PRAGMA user_version = 1;";

static const char step_2[] =
	"CREATE TABLE replays ("
	" tenant BLOB NOT NULL,"
	" user BLOB NOT NULL,"
	" key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 128),"
	" hash BLOB NOT NULL CHECK (length(hash) = 32),"
	" device BLOB NOT NULL,"
	" key_version INTEGER NOT NULL,"
	" made_ms INTEGER NOT NULL,"
	" shown_ms INTEGER NOT NULL,"
	" PRIMARY KEY (tenant, user, key),"
	" FOREIGN KEY (tenant, user) REFERENCES users (tenant, id)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX replays_made ON replays (made_ms);"
	"PRAGMA user_version = 2;";

/* Plans that were set before there were licences were set by the operator. */
static const char step_3[] =
	"ALTER TABLE tenants ADD COLUMN trial_plan INTEGER NOT NULL DEFAULT 0"
	" CHECK (trial_plan BETWEEN 0 AND 4);"
	"UPDATE tenants SET trial_plan = plan WHERE plan > 1;"
	"ALTER TABLE tenants ADD COLUMN plan_source INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tenants ADD COLUMN features TEXT NOT NULL DEFAULT '';"
	"ALTER TABLE tenants ADD COLUMN licence_serial INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tenants ADD COLUMN licence_state INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tenants ADD COLUMN licence_expires_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tenants ADD COLUMN licence_grace_ms INTEGER NOT NULL DEFAULT 0;"
	"ALTER TABLE tenants ADD COLUMN licensed_plan INTEGER NOT NULL DEFAULT 0;"

	"CREATE TABLE licence ("
	" one INTEGER PRIMARY KEY CHECK (one = 1),"
	" panel BLOB NOT NULL CHECK (length(panel) = 16),"
	" text TEXT NOT NULL,"
	" serial INTEGER NOT NULL,"
	" installed_ms INTEGER NOT NULL) STRICT;"
	"INSERT INTO licence VALUES (1, randomblob(16), '', 0, 0);"
	"PRAGMA user_version = 3;";

static const char step_4[] =
	"ALTER TABLE tenants ADD COLUMN sso_required INTEGER NOT NULL DEFAULT 0"
	" CHECK (sso_required IN (0, 1));"
	"CREATE TABLE tokens ("
	" tenant BLOB NOT NULL,"
	" id BLOB PRIMARY KEY CHECK (length(id) = 16),"
	" user BLOB NOT NULL,"
	" name TEXT NOT NULL,"
	" role INTEGER NOT NULL CHECK (role BETWEEN 1 AND 3),"
	" methods TEXT NOT NULL,"
	" hash BLOB NOT NULL CHECK (length(hash) = 32),"
	" created_ms INTEGER NOT NULL,"
	" expires_ms INTEGER NOT NULL,"
	" used_ms INTEGER NOT NULL DEFAULT 0,"
	" UNIQUE (tenant, user, name),"
	" FOREIGN KEY (tenant, user) REFERENCES users (tenant, id)) STRICT, WITHOUT ROWID;"
	"CREATE INDEX tokens_tenant ON tokens (tenant, id);"
	"CREATE INDEX tokens_expires ON tokens (expires_ms);"
	"PRAGMA user_version = 4;";

static const char step_5[] = "ALTER TABLE join_tokens ADD COLUMN node BLOB;"
			     "PRAGMA user_version = 5;";

static const char step_6[] = "CREATE TABLE audit_heads ("
			     " tenant BLOB NOT NULL REFERENCES tenants (id),"
			     " seq INTEGER NOT NULL CHECK (seq >= 0),"
			     " signed_ms INTEGER NOT NULL,"
			     " hash BLOB NOT NULL CHECK (length(hash) = 32),"
			     " kid TEXT NOT NULL CHECK (length(kid) = 16),"
			     " signature BLOB NOT NULL CHECK (length(signature) = 64),"
			     " PRIMARY KEY (tenant, seq)) STRICT, WITHOUT ROWID;"
			     "ALTER TABLE licence ADD COLUMN latest_ms INTEGER NOT NULL DEFAULT 0;"
			     "PRAGMA user_version = 6;";

/* By the root key that it derives from: a certificate holds no secret. */
static const char step_7[] = "CREATE TABLE tenant_cas ("
			     " tenant BLOB NOT NULL REFERENCES tenants (id),"
			     " kid TEXT NOT NULL CHECK (length(kid) = 16),"
			     " certificate BLOB NOT NULL CHECK (length(certificate) <= 2048),"
			     " PRIMARY KEY (tenant, kid)) STRICT, WITHOUT ROWID;"
			     "PRAGMA user_version = 7;";

static const char *const steps[] = {step_1, step_2, step_3, step_4, step_5, step_6, step_7};

int64_t schema_version(void)
{
	return (int64_t)ARRAY_LEN(steps);
}

int schema_apply(struct sql_db *db)
{
	int64_t version = 0;
	int r;

	r = sql_script(db, "BEGIN IMMEDIATE");
	if (r)
		return err_trace(r);
	r = sql_user_version(db, &version);
	if (!r && version > (int64_t)ARRAY_LEN(steps)) {
		log_error("store",
			  "the store has schema %lld, this program knows up to %zu: install the "
			  "newer qmesh-cpd again, or restore a backup that is older",
			  (long long)version, ARRAY_LEN(steps));
		r = -ENOTSUP;
	}
	for (int64_t i = version; !r && i < (int64_t)ARRAY_LEN(steps); i++)
		r = sql_script(db, steps[i]);
	if (!r)
		return err_trace(sql_script(db, "COMMIT"));
	if (sql_script(db, "ROLLBACK"))
		log_error("store", "roll-back of a schema step failed");
	return r;
}
