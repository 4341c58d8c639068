/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A member of a batch that writes more than the cache holds: its pages go to
 * the log in the middle of the transaction, and there the disk fails. The whole
 * transaction is gone then, with what others of the batch had done in it; they
 * are run again and do not notice, and of the sick one nothing is there. A fault
 * that is over by then nobody notices at all.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "server/store/sql.h"
#include "tests/support/faultvfs.h"

enum { ROWS = 1500, ROW_LEN = 4000 /* 6 MB; the cache has 2 */ };

static unsigned n_passed, n_failed;

static void check(bool good, const char *what, enum fault_kind kind)
{
	if (good)
		n_passed++;
	else if (n_failed++ < 40)
		printf("FAIL %s: %s\n", faultvfs_name(kind), what);
}

struct member {
	struct store *store;
	int first, n;
	enum fault_kind kind; /* armed while it writes, each time it is run */
	bool lasts, fell;
	unsigned runs;
	int r;
};

static int write_rows(struct txn *txn, void *ctx)
{
	static const char blob[ROW_LEN] = "x";
	struct member *m = ctx;
	int r = 0;

	if (m->kind && (m->lasts || !m->runs))
		faultvfs_arm(m->kind, 1, m->lasts);
	m->runs++;
	for (int i = 0; i < m->n && !r; i++) {
		const struct sql_arg args[] = {SQL_INT(m->first + i), SQL_BLOB(blob, sizeof(blob))};

		r = sql_run(txn, "INSERT INTO spill (n, rest) VALUES (?, ?)", args, 2);
	}
	if (m->kind)
		m->fell |= faultvfs_disarm();
	return r;
}

static void *write_all(void *arg)
{
	struct member *m = arg;

	m->r = store_write(m->store, write_rows, NULL, m);
	return NULL;
}

struct gate {
	sem_t reached, open;
	bool opened; /* it is in the first batch, and run again with the rest of that */
};

/* Holds the writer until those behind it are in the queue. */
static int hold(struct txn *txn, void *ctx)
{
	struct gate *g = ctx;

	(void)txn;
	if (g->opened)
		return 0;
	sem_post(&g->reached);
	while (sem_wait(&g->open))
		;
	g->opened = true;
	return 0;
}

static int make_table(struct txn *txn, void *ctx)
{
	(void)ctx;
	return sql_run(txn, "CREATE TABLE IF NOT EXISTS spill (n INTEGER PRIMARY KEY, rest BLOB)",
		       NULL, 0);
}

struct count {
	int64_t first, last, n;
};

static int count_rows(struct txn *txn, void *ctx)
{
	struct count *c = ctx;
	const struct sql_arg args[] = {SQL_INT(c->first), SQL_INT(c->last)};
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, "SELECT count(*) FROM spill WHERE n BETWEEN ? AND ?", args, 2);
	r = sql_next(&rows);
	if (r > 0)
		c->n = sql_int(&rows, 0);
	sql_end(&rows);
	return r < 0 ? r : 0;
}

static int64_t rows_of(const struct member *m)
{
	struct count c = {.first = m->first, .last = m->first + m->n - 1, .n = -1};

	return store_read(m->store, count_rows, &c) ? -1 : c.n;
}

/* Small ones before and behind the large one, in the batches that the writer makes of them. */
static void one(struct store *store, int first, enum fault_kind kind, bool lasts)
{
	struct member members[] = {
		{.store = store, .first = first, .n = 1},
		{.store = store, .first = first + 1, .n = 1},
		{.store = store, .first = first + 2, .n = ROWS, .kind = kind, .lasts = lasts},
		{.store = store, .first = first + 2 + ROWS, .n = 1},
	};
	struct member *large = &members[2];
	pthread_t threads[ARRAY_LEN(members)];
	struct gate gate = {.opened = false};

	sem_init(&gate.reached, 0, 0);
	sem_init(&gate.open, 0, 0);
	if (store_post(store, hold, &gate, NULL))
		exit(1);
	while (sem_wait(&gate.reached))
		;
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (pthread_create(&threads[i], NULL, write_all, &members[i]))
			exit(1);
	}
	sem_post(&gate.open);
	for (size_t i = 0; i < ARRAY_LEN(members); i++)
		pthread_join(threads[i], NULL);
	check(large->fell, "nothing spilled", kind);
	check(large->runs > 1, "it was not run again by itself", kind);
	if (lasts)
		check(large->r < 0 && rows_of(large) == 0, "it failed and is there, or in part",
		      kind);
	else
		check(large->r == 0 && rows_of(large) == ROWS, "a fault that was over was told",
		      kind);
	for (size_t i = 0; i < ARRAY_LEN(members); i++) {
		if (&members[i] != large)
			check(members[i].r == 0 && rows_of(&members[i]) == 1,
			      "another's failure took it along", kind);
	}
	sem_destroy(&gate.reached);
	sem_destroy(&gate.open);
}

int main(void)
{
	static const enum fault_kind kinds[] = {FAULT_WRITE, FAULT_TORN, FAULT_FULL};
	char dir[] = "/tmp/qmesh-spill-XXXXXX", path[64], beside[80];
	struct store_options options = {.path = path};
	struct store *store = NULL;
	int first = 1;

	if (faultvfs_register() || !mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/store.db", dir);
	if (store_open(&options, &store) || store_write(store, make_table, NULL, NULL))
		return 1;
	for (int lasts = 0; lasts < 2; lasts++) {
		for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
			one(store, first, kinds[i], lasts);
			first += 2 * ROWS;
		}
	}
	store_close(store);
	for (int i = 0; i < 3; i++) {
		static const char *const ends[] = {"", "-wal", "-shm"};

		snprintf(beside, sizeof(beside), "%s%s", path, ends[i]);
		unlink(beside);
	}
	rmdir(dir);
	printf("passed %u failed %u skipped 0\n", n_passed, n_failed);
	return n_failed != 0;
}
