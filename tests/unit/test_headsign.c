/* SPDX-License-Identifier: Apache-2.0 */
/* Heads of audits day by day, on a clock of the test's: what is signed, stored and written when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/sign.h"
#include "server/cp/headsign.h"
#include "server/cp/keyring.h"
#include "server/store/audit_row.h"
#include "server/store/head_row.h"
#include "server/store/licence_row.h"
#include "server/store/tenant_row.h"

#define DAY_MS INT64_C(86400000)
/* 2027-01-15, 08:00 UTC. */
#define MORNING INT64_C(1800000000000)

static char dir[64], heads_dir[96];
static struct cp cp;
static uint64_t boot_ms;
static struct uuid panel;

static void at(int64_t wall_ms)
{
	boot_ms += 1000;
	clock_fake(1, boot_ms, wall_ms, "one boot");
}

static int get_panel(struct txn *txn, void *ctx)
{
	struct licence_row row;
	int r = licence_row_get(txn, &row);

	*(struct uuid *)ctx = row.panel;
	return r;
}

static int fresh(void **state)
{
	static char path[96];
	struct store_options options = {.path = path};

	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/qmesh-test-heads-XXXXXX");
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/store.db", dir);
	snprintf(heads_dir, sizeof(heads_dir), "%s/heads", dir);
	cp = (struct cp){.conf.audit_heads_dir = heads_dir};
	assert_int_equal(store_open(&options, &cp.store), 0);
	assert_int_equal(keyring_open(dir, &cp.keyring), 0);
	assert_int_equal(store_read(cp.store, get_panel, &panel), 0);
	cp.headsign = headsign_new(&cp);
	assert_non_null(cp.headsign);
	boot_ms = 1000;
	at(MORNING);
	return 0;
}

static int clear(void **state)
{
	char command[96];

	(void)state;
	clock_fake(0, 0, 0, NULL);
	headsign_free(cp.headsign);
	keyring_free(cp.keyring);
	store_close(cp.store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

static int insert(struct txn *txn, void *ctx)
{
	return tenant_row_insert(txn, ctx);
}

static struct uuid make_tenant(const char *name)
{
	struct tenant_row t = {.id = uuid_make(), .plan = 1, .cap = 3, .epoch = 1};

	snprintf(t.name, sizeof(t.name), "%s", name);
	sign_random(t.range6, 16);
	assert_int_equal(store_write(cp.store, insert, NULL, &t), 0);
	return t.id;
}

static int append(struct txn *txn, void *ctx)
{
	struct audit_row row = {.tenant = *(struct uuid *)ctx, .time_ms = 5};

	return audit_row_append(txn, &row);
}

static void add_rows(struct uuid *tenant, unsigned n)
{
	while (n--)
		assert_int_equal(store_write(cp.store, append, NULL, tenant), 0);
}

struct found {
	struct uuid tenant;
	struct audithead heads[64];
	size_t n;
};

static int add(void *arg, const struct audithead *head)
{
	struct found *f = arg;

	assert_true(f->n < ARRAY_LEN(f->heads));
	f->heads[f->n++] = *head;
	return 0;
}

static int list(struct txn *txn, void *ctx)
{
	struct found *f = ctx;

	f->n = 0;
	return head_row_list(txn, &f->tenant, add, f);
}

/* Of that tenant, each of them signed by a key that the keyring knows. */
static struct found stored(const struct uuid *tenant)
{
	struct found f = {.tenant = *tenant};
	struct keyring_info info;

	assert_int_equal(store_read(cp.store, list, &f), 0);
	for (size_t i = 0; i < f.n; i++) {
		f.heads[i].panel = panel;
		assert_int_equal(keyring_find(cp.keyring, KEYRING_AUDIT, f.heads[i].kid, &info), 0);
		assert_true(audithead_is_signed(&f.heads[i], info.public));
	}
	return f;
}

/* Lines of a day's file; -1: there is none. */
static int lines_of(const char *day)
{
	char path[160], line[1024];
	struct stat st;
	int n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "%s/audit-heads-%s.jsonl", heads_dir, day);
	f = fopen(path, "re");
	if (!f)
		return -1;
	assert_int_equal(fstat(fileno(f), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	while (fgets(line, sizeof(line), f)) {
		assert_non_null(strstr(line, "\"signature\":"));
		assert_int_equal(line[strlen(line) - 1], '\n');
		n++;
	}
	fclose(f);
	return n;
}

static void once_a_day(void **state)
{
	struct uuid a = make_tenant("a"), b = make_tenant("b");
	struct found f;

	(void)state;
	add_rows(&a, 3);
	headsign_tick(cp.headsign);
	f = stored(&a);
	assert_int_equal(f.n, 1);
	assert_int_equal(f.heads[0].seq, 3);
	assert_int_equal(f.heads[0].time_ms, MORNING);
	assert_int_equal(stored(&b).n, 1);
	assert_int_equal(stored(&b).heads[0].seq, 0);
	assert_int_equal(lines_of("2027-01-15"), 2);
	/* The rest of the day nothing, whatever happens. */
	add_rows(&a, 2);
	for (int hour = 9; hour < 24; hour++) {
		at(MORNING + (hour - 8) * 3600000);
		headsign_tick(cp.headsign);
	}
	at(MORNING + 16 * 3600000 - 1);
	headsign_tick(cp.headsign);
	assert_int_equal(stored(&a).n, 1);
	assert_int_equal(lines_of("2027-01-16"), -1);
	/* With the first moment of the next day, the next. */
	at(MORNING + 16 * 3600000);
	headsign_tick(cp.headsign);
	f = stored(&a);
	assert_int_equal(f.n, 2);
	assert_int_equal(f.heads[1].seq, 5);
	assert_int_equal(lines_of("2027-01-16"), 2);
	assert_int_equal(lines_of("2027-01-15"), 2);
	/* Where no row came a newer signature is in the place of the older one. */
	assert_int_equal(stored(&b).n, 1);
	assert_int_equal(stored(&b).heads[0].time_ms, MORNING + 16 * 3600000);
	assert_false(headsign_is_late(cp.headsign));
}

static void made_up_for_at_the_start(void **state)
{
	struct uuid a = make_tenant("a");

	(void)state;
	add_rows(&a, 1);
	headsign_tick(cp.headsign);
	/* Away for three days; and a start on a day that is done signs nothing. */
	for (int start = 0; start < 2; start++) {
		add_rows(&a, 1);
		at(MORNING + 3 * DAY_MS + start * 1000);
		headsign_free(cp.headsign);
		cp.headsign = headsign_new(&cp);
		headsign_tick(cp.headsign);
		assert_int_equal(stored(&a).n, 2);
		assert_int_equal(stored(&a).heads[1].time_ms, MORNING + 3 * DAY_MS);
	}
	assert_int_equal(lines_of("2027-01-18"), 1);
	/* A clock that was far ahead does not end it. */
	at(MORNING + 400 * DAY_MS);
	headsign_tick(cp.headsign);
	at(MORNING + 4 * DAY_MS);
	add_rows(&a, 1);
	headsign_tick(cp.headsign);
	assert_int_equal(stored(&a).n, 4);
	assert_int_equal(lines_of("2027-01-19"), 1);
}

static void many_tenants(void **state)
{
	char name[16];

	(void)state;
	for (int i = 0; i < 130; i++) {
		snprintf(name, sizeof(name), "t%d", i);
		make_tenant(name);
	}
	headsign_tick(cp.headsign);
	assert_int_equal(lines_of("2027-01-15"), 130);
}

static void tried_again(void **state)
{
	struct uuid a = make_tenant("a");
	FILE *f;

	(void)state;
	/* A file where the directory should be. */
	f = fopen(heads_dir, "we");
	assert_non_null(f);
	fclose(f);
	headsign_tick(cp.headsign);
	assert_true(headsign_is_late(cp.headsign));
	assert_int_equal(stored(&a).n, 1);
	assert_int_equal(unlink(heads_dir), 0);
	/* A minute later, not each second. */
	headsign_tick(cp.headsign);
	assert_int_equal(lines_of("2027-01-15"), -1);
	boot_ms += 60000;
	at(MORNING + 60000);
	headsign_tick(cp.headsign);
	assert_int_equal(lines_of("2027-01-15"), 1);
	assert_false(headsign_is_late(cp.headsign));
	assert_int_equal(stored(&a).heads[0].time_ms, MORNING);
}

static void nowhere(void **state)
{
	struct uuid a = make_tenant("a");

	(void)state;
	cp.conf.audit_heads_dir = (char[]){""};
	headsign_tick(cp.headsign);
	assert_int_equal(stored(&a).n, 1);
	assert_int_not_equal(access(heads_dir, F_OK), 0);
}

static void by_each_key_in_its_time(void **state)
{
	struct uuid a = make_tenant("a");
	struct found f;

	(void)state;
	for (int day = 0; day < 3; day++) {
		at(MORNING + day * DAY_MS);
		add_rows(&a, 1);
		headsign_tick(cp.headsign);
		assert_int_equal(
			keyring_prepare(cp.keyring, KEYRING_AUDIT, MORNING + day * DAY_MS, false),
			0);
		assert_int_equal(
			keyring_switch(cp.keyring, KEYRING_AUDIT, MORNING + day * DAY_MS, 0, false),
			0);
	}
	/* stored() checks each by its own key, retired ones too. */
	f = stored(&a);
	assert_int_equal(f.n, 3);
	assert_string_not_equal(f.heads[0].kid, f.heads[1].kid);
	assert_string_not_equal(f.heads[1].kid, f.heads[2].kid);
}

int main(void)
{
#define DAYS(name) cmocka_unit_test_setup_teardown(name, fresh, clear)
	const struct CMUnitTest tests[] = {
		DAYS(once_a_day),   DAYS(made_up_for_at_the_start),
		DAYS(many_tenants), DAYS(tried_again),
		DAYS(nowhere),      DAYS(by_each_key_in_its_time),
	};

	return sign_init() ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
