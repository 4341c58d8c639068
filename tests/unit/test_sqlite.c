/* SPDX-License-Identifier: Apache-2.0 */
/* The store on a real file: group commit, refusals, broken transactions, schema. */
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/sign.h"
#include "server/store/audit_row.h"
#include "server/store/replay_row.h"
#include "server/store/sql.h"
#include "server/store/tenant_row.h"
#include "server/store/user_row.h"

static char dir[] = "/tmp/qmesh-test-sqlite-XXXXXX";
static char path[128];
static atomic_uint told, reopened;

static void on_committed(void *arg, const struct uuid *tenants, size_t n)
{
	(void)arg;
	(void)tenants;
	told += (unsigned)n;
}

static void on_reopened(void *arg)
{
	(void)arg;
	reopened++;
}

static struct store *open_store(void)
{
	struct store_options options = {
		.path = path, .committed = on_committed, .reopened = on_reopened};
	struct store *store = NULL;

	assert_int_equal(store_open(&options, &store), 0);
	return store;
}

static int fresh(void **state)
{
	(void)state;
	static unsigned n;

	snprintf(path, sizeof(path), "%s/s%u.db", dir, n++);
	told = reopened = 0;
	return 0;
}

static struct tenant_row make_tenant(const char *name)
{
	struct tenant_row t = {.id = uuid_make(), .plan = 1, .cap = 3, .epoch = 1};

	snprintf(t.name, sizeof(t.name), "%s", name);
	sign_random(t.range6, 16);
	return t;
}

static int insert_tenant(struct txn *txn, void *ctx)
{
	return tenant_row_insert(txn, ctx);
}

static int get_tenant(struct txn *txn, void *ctx)
{
	struct tenant_row *t = ctx;

	return tenant_row_get(txn, &t->id, t);
}

static int bump(struct txn *txn, void *ctx)
{
	struct tenant_row *t = ctx, now;
	int r;

	r = tenant_row_bump(txn, &t->id, &now);
	return r ? r : tenant_row_save(txn, &now, 1);
}

struct crowd {
	struct store *store;
	struct tenant_row tenant;
};

static void *bump_many(void *arg)
{
	struct crowd *c = arg;
	struct tenant_row mine = c->tenant;

	for (int i = 0; i < 50; i++)
		assert_int_equal(store_write(c->store, bump, NULL, &mine), 0);
	return NULL;
}

static void many_writers_share_commits(void **state)
{
	struct crowd c = {.store = open_store(), .tenant = make_tenant("a")};
	pthread_t threads[16];
	uint64_t batches, writes;

	(void)state;
	assert_int_equal(store_write(c.store, insert_tenant, NULL, &c.tenant), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_create(&threads[i], NULL, bump_many, &c);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(store_read(c.store, get_tenant, &c.tenant), 0);
	assert_int_equal(c.tenant.generation, 16 * 50);
	store_counts(c.store, &batches, &writes);
	assert_int_equal(writes, 16 * 50 + 1);
	assert_true(batches < writes);
	assert_true(told > 0);
	store_close(c.store);
	c.store = open_store();
	assert_int_equal(store_read(c.store, get_tenant, &c.tenant), 0);
	assert_int_equal(c.tenant.generation, 16 * 50);
	store_close(c.store);
}

static int bump_then_refuse(struct txn *txn, void *ctx)
{
	int r = bump(txn, ctx);

	return r ? r : ERR_DEVICE_CAP_REACHED;
}

static int note(struct txn *txn, void *ctx, int refusal)
{
	struct tenant_row *t = ctx;
	struct audit_row row = {.tenant = t->id, .time_ms = 5};

	snprintf(row.result, sizeof(row.result), "%s", err_reason((enum err)refusal));
	return audit_row_append(txn, &row);
}

static int last_audit(void *arg, const struct audit_row *row)
{
	*(struct audit_row *)arg = *row;
	return 0;
}

struct audit_look {
	struct uuid tenant;
	struct audit_row last;
	struct audit_check check;
};

static int look(struct txn *txn, void *ctx)
{
	struct audit_look *l = ctx;
	int r = audit_row_list(txn, &l->tenant, INT64_MAX, 1, last_audit, &l->last);

	return r ? r : audit_row_verify(txn, &l->tenant, &l->check);
}

static void refusal_leaves_its_audit_row_only(void **state)
{
	struct store *store = open_store();
	struct tenant_row t = make_tenant("a");
	struct audit_look l = {.tenant = t.id};

	(void)state;
	assert_int_equal(store_write(store, insert_tenant, NULL, &t), 0);
	told = 0;
	assert_int_equal(store_write(store, bump_then_refuse, note, &t), ERR_DEVICE_CAP_REACHED);
	assert_int_equal(store_read(store, get_tenant, &t), 0);
	assert_int_equal(t.generation, 0);
	assert_int_equal(told, 0);
	assert_int_equal(store_read(store, look, &l), 0);
	assert_int_equal(l.check.fault, AUDIT_WHOLE);
	assert_int_equal(l.check.n_rows, 1);
	assert_memory_equal(l.check.head, l.last.hash, 32);
	assert_int_equal(l.last.seq, 1);
	assert_string_equal(l.last.result, "DEVICE_CAP_REACHED");
	store_close(store);
}

static int flip(struct txn *txn, void *ctx)
{
	(void)ctx;
	return sql_run(txn, "UPDATE audit SET object = 'x' WHERE seq = 2", NULL, 0);
}

static void flipped_audit_row_is_located(void **state)
{
	struct store *store = open_store();
	struct tenant_row t = make_tenant("a");
	struct audit_look l = {.tenant = t.id};

	(void)state;
	assert_int_equal(store_write(store, insert_tenant, NULL, &t), 0);
	for (int i = 0; i < 3; i++)
		assert_int_equal(store_write(store, bump_then_refuse, note, &t),
				 ERR_DEVICE_CAP_REACHED);
	assert_int_equal(store_write(store, flip, NULL, NULL), 0);
	assert_int_equal(store_read(store, look, &l), 0);
	assert_int_equal(l.check.fault, AUDIT_CHANGED);
	assert_int_equal(l.check.bad_seq, 2);
	store_close(store);
}

/* As an I/O error or a full disk does: the whole transaction is gone. */
static int end_everything(struct txn *txn, void *ctx)
{
	(void)ctx;
	assert_int_equal(sql_script(txn->db, "ROLLBACK"), 0);
	return -EIO;
}

static void *break_often(void *arg)
{
	struct crowd *c = arg;

	for (int i = 0; i < 20; i++)
		assert_int_equal(store_write(c->store, end_everything, NULL, NULL), -EIO);
	return NULL;
}

static void broken_transaction_hurts_its_cause_only(void **state)
{
	struct crowd c = {.store = open_store(), .tenant = make_tenant("a")};
	pthread_t threads[9];

	(void)state;
	assert_int_equal(store_write(c.store, insert_tenant, NULL, &c.tenant), 0);
	for (size_t i = 0; i < 8; i++)
		pthread_create(&threads[i], NULL, bump_many, &c);
	pthread_create(&threads[8], NULL, break_often, &c);
	for (size_t i = 0; i < 9; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(store_read(c.store, get_tenant, &c.tenant), 0);
	assert_int_equal(c.tenant.generation, 8 * 50);
	store_close(c.store);
}

/* A constraint that is looked at by COMMIT only makes it fail. */
static int poison(struct txn *txn, void *ctx)
{
	(void)ctx;
	assert_int_equal(sql_script(txn->db, "PRAGMA defer_foreign_keys = ON"), 0);
	return sql_run(txn,
		       "INSERT INTO users (tenant, id, name, role, password, disabled, created_ms)"
		       " VALUES (zeroblob(16), zeroblob(16), 'x', 1, '', 0, 0)",
		       NULL, 0);
}

static void failed_commit_is_outcome_unknown(void **state)
{
	struct store *store = open_store();
	struct tenant_row t = make_tenant("a");

	(void)state;
	assert_int_equal(store_write(store, insert_tenant, NULL, &t), 0);
	told = 0;
	assert_int_equal(store_write(store, poison, NULL, NULL), ERR_OUTCOME_UNKNOWN);
	assert_int_equal(reopened, 1);
	assert_int_equal(told, 0);
	assert_int_equal(store_write(store, bump, NULL, &t), 0);
	assert_int_equal(store_read(store, get_tenant, &t), 0);
	assert_int_equal(t.generation, 1);
	store_close(store);
}

static int set_future(struct txn *txn, void *ctx)
{
	(void)ctx;
	return sql_run(txn, "PRAGMA user_version = 1000", NULL, 0);
}

static void newer_schema_is_refused(void **state)
{
	struct store_options options = {.path = path};
	struct store *store = open_store();

	(void)state;
	assert_int_equal(store_write(store, set_future, NULL, NULL), 0);
	store_close(store);
	assert_int_equal(store_open(&options, &store), -ENOTSUP);
}

/* What a program of schema 1 left behind: nothing that a later step made. */
static int set_back(struct txn *txn, void *ctx)
{
	static const char *const undo[] = {
		"DROP TABLE tenant_cas",
		"DROP TABLE audit_heads",
		"DROP TABLE replays",
		"DROP TABLE licence",
		"DROP TABLE tokens",
		"ALTER TABLE join_tokens DROP COLUMN node",
		"ALTER TABLE tenants DROP COLUMN sso_required",
		"ALTER TABLE tenants DROP COLUMN trial_plan",
		"ALTER TABLE tenants DROP COLUMN plan_source",
		"ALTER TABLE tenants DROP COLUMN features",
		"ALTER TABLE tenants DROP COLUMN licence_serial",
		"ALTER TABLE tenants DROP COLUMN licence_state",
		"ALTER TABLE tenants DROP COLUMN licence_expires_ms",
		"ALTER TABLE tenants DROP COLUMN licence_grace_ms",
		"ALTER TABLE tenants DROP COLUMN licensed_plan",
		"PRAGMA user_version = 1",
	};
	int r = 0;

	(void)ctx;
	for (size_t i = 0; !r && i < ARRAY_LEN(undo); i++)
		r = sql_run(txn, undo[i], NULL, 0);
	return r;
}

static int insert_user(struct txn *txn, void *ctx)
{
	return user_row_insert(txn, ctx);
}

static int put_replay(struct txn *txn, void *ctx)
{
	return replay_row_put(txn, ctx);
}

static int64_t ask_at_ms;

static int get_replay(struct txn *txn, void *ctx)
{
	struct replay_row *row = ctx;

	return replay_row_get(txn, row, ask_at_ms, row);
}

static int prune_replays(struct txn *txn, void *ctx)
{
	(void)ctx;
	return replay_row_prune(txn, ask_at_ms);
}

static void older_schema_is_brought_up(void **state)
{
	struct store *store = open_store();
	struct tenant_row t = make_tenant("a");
	struct user_row user = {.tenant = t.id, .id = uuid_make(), .name = "ann", .role = 1};
	struct replay_row row = {.tenant = t.id,
				 .user = user.id,
				 .key = "k 1",
				 .device = uuid_make(),
				 .key_version = 7,
				 .made_ms = 1000};
	struct replay_row got = row;

	(void)state;
	assert_int_equal(store_write(store, insert_tenant, NULL, &t), 0);
	assert_int_equal(store_write(store, bump, NULL, &t), 0);
	assert_int_equal(store_write(store, insert_user, NULL, &user), 0);
	assert_int_equal(store_write(store, set_back, NULL, NULL), 0);
	store_close(store);
	store = open_store();
	assert_int_equal(store_read(store, get_tenant, &t), 0);
	assert_int_equal(t.generation, 1);
	/* Plans were the operator's word before there were licences. */
	assert_int_equal(t.trial_plan, t.plan > 1 ? t.plan : 0);
	ask_at_ms = 1000 + REPLAY_ROW_KEEP_MS - 1;
	assert_int_equal(store_read(store, get_replay, &got), ERR_NOT_FOUND);
	assert_int_equal(store_write(store, put_replay, NULL, &row), 0);
	got.key_version = 0;
	assert_int_equal(store_read(store, get_replay, &got), 0);
	assert_int_equal(got.key_version, 7);
	assert_true(uuid_equal(&got.device, &row.device));
	got.user = uuid_make();
	assert_int_equal(store_read(store, get_replay, &got), ERR_NOT_FOUND);
	assert_int_equal(store_write(store, prune_replays, NULL, NULL), 0);
	got = row;
	assert_int_equal(store_read(store, get_replay, &got), 0);
	ask_at_ms++;
	assert_int_equal(store_read(store, get_replay, &got), ERR_NOT_FOUND);
	assert_int_equal(store_write(store, prune_replays, NULL, NULL), 0);
	ask_at_ms = 1000;
	assert_int_equal(store_read(store, get_replay, &got), ERR_NOT_FOUND);
	store_close(store);
}

static void wide_mode_and_links_are_refused(void **state)
{
	struct store_options options = {.path = path};
	struct store *store = open_store();
	char link_path[160];

	(void)state;
	store_close(store);
	snprintf(link_path, sizeof(link_path), "%s-link", path);
	assert_int_equal(symlink(path, link_path), 0);
	options.path = link_path;
	assert_true(store_open(&options, &store) < 0);
	options.path = path;
	assert_int_equal(chmod(path, 0644), 0);
	assert_int_equal(store_open(&options, &store), -EPERM);
}

static int find_nobody(struct txn *txn, void *ctx)
{
	struct tenant_row t;

	(void)ctx;
	return tenant_row_find(txn, "nobody", &t);
}

static int write_in_read(struct txn *txn, void *ctx)
{
	return tenant_row_insert(txn, ctx);
}

static void readers_only_read(void **state)
{
	struct store *store = open_store();
	struct tenant_row t = make_tenant("a");

	(void)state;
	assert_int_equal(store_read(store, find_nobody, NULL), ERR_NOT_FOUND);
	assert_true(store_read(store, write_in_read, &t) < 0);
	store_close(store);
}

static int clear(void **state)
{
	char command[160];

	(void)state;
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(many_writers_share_commits, fresh),
		cmocka_unit_test_setup(refusal_leaves_its_audit_row_only, fresh),
		cmocka_unit_test_setup(flipped_audit_row_is_located, fresh),
		cmocka_unit_test_setup(broken_transaction_hurts_its_cause_only, fresh),
		cmocka_unit_test_setup(failed_commit_is_outcome_unknown, fresh),
		cmocka_unit_test_setup(newer_schema_is_refused, fresh),
		cmocka_unit_test_setup(older_schema_is_brought_up, fresh),
		cmocka_unit_test_setup(wide_mode_and_links_are_refused, fresh),
		cmocka_unit_test_setup(readers_only_read, fresh),
	};

	if (sign_init() || !mkdtemp(dir))
		return 1;
	return cmocka_run_group_tests_name("sqlite", tests, NULL, clear);
}
