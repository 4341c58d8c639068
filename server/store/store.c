/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Group commit. One writer thread takes all waiting writes (256 or 2 ms worth
 * of them), runs each in a savepoint of one transaction, commits once, tells
 * the hub, then answers all. Readers have connections of their own and never
 * wait for the writer.
 *
 * An I/O error or a full disk inside a savepoint ends the whole transaction:
 * the batch is then run again one by one, so that only the sick member fails.
 * A COMMIT that fails may have landed: all its members get OUTCOME_UNKNOWN,
 * the connection is opened anew and the hub looks for what did land.
 */
#include "server/store/store.h"

#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "base/own.h"
#include "server/store/precopy.h"
#include "server/store/sql.h"
#include "server/store/statedir.h"

enum { READERS_MAX = 6 };

struct job {
	store_fn fn;
	store_denied_fn denied;
	void *ctx;
	void (*free_ctx)(void *ctx);
	bool waited; /* on the caller's stack, who waits for done */
	sem_t done;
	int result;
	struct job *next;
};

struct store {
	struct store_options options;
	char *path;
	struct sql_db *writer;
	pthread_t thread;
	bool started;

	pthread_mutex_t lock; /* queue, readers, counts */
	pthread_cond_t queued;
	struct job *first, **last;
	bool closing;
	uint64_t n_batches, n_writes;
	atomic_int health;   /* enum store_health; the writer's thread sets it */
	atomic_bool mending; /* a try to open it again is queued */

	pthread_cond_t reader_free;
	struct sql_db *readers[READERS_MAX];
	size_t n_idle, n_readers;
};

static struct job *take(struct store *store, bool wait)
{
	struct job *job;

	pthread_mutex_lock(&store->lock);
	while (wait && !store->first && !store->closing)
		pthread_cond_wait(&store->queued, &store->lock);
	job = store->first;
	if (job) {
		store->first = job->next;
		if (!store->first)
			store->last = &store->first;
	}
	pthread_mutex_unlock(&store->lock);
	return job;
}

static void answer(struct job *job)
{
	if (job->waited) {
		sem_post(&job->done);
		return;
	}
	if (job->free_ctx)
		job->free_ctx(job->ctx);
	free(job);
}

/* A refusal's own rows; they must not take the batch down. */
static void run_denied(struct txn *txn, struct job *job)
{
	if (sql_run(txn, "SAVEPOINT denied", NULL, 0))
		return;
	if (job->denied(txn, job->ctx, job->result) && !sql_is_idle(txn->db)) {
		log_error("store", "a refusal could not be recorded");
		if (sql_run(txn, "ROLLBACK TO denied", NULL, 0))
			return;
	}
	if (!sql_is_idle(txn->db) && sql_run(txn, "RELEASE denied", NULL, 0))
		log_error("store", "release of a refusal failed");
}

/* -ECONNABORTED: the whole transaction is gone. Else the job's result is set. */
static int run_job(struct txn *txn, struct job *job)
{
	size_t n_touched = txn->n_touched;
	int r;

	job->result = sql_run(txn, "SAVEPOINT member", NULL, 0);
	if (job->result)
		return sql_is_idle(txn->db) ? -ECONNABORTED : 0;
	KILL_POINT("store.savepoint");
	job->result = job->fn(txn, job->ctx);
	if (sql_is_idle(txn->db))
		return -ECONNABORTED;
	if (job->result) {
		txn->n_touched = n_touched;
		r = sql_run(txn, "ROLLBACK TO member", NULL, 0);
		if (r)
			return -ECONNABORTED;
	}
	r = sql_run(txn, "RELEASE member", NULL, 0);
	if (r)
		return -ECONNABORTED;
	KILL_POINT("store.released");
	if (job->result > 0 && job->denied)
		run_denied(txn, job);
	return sql_is_idle(txn->db) ? -ECONNABORTED : 0;
}

static void reopen(struct store *store)
{
	struct sql_db *db = NULL;
	int r;

	sql_close(store->writer);
	store->writer = NULL;
	r = sql_open(store->path, true, &db);
	store->health = r ? STORE_CLOSED : STORE_REFUSES;
	if (r) {
		log_error("store", "%s cannot be opened again", store->path);
		return;
	}
	store->writer = db;
	if (store->options.reopened)
		store->options.reopened(store->options.arg);
}

static int commit(struct store *store, struct txn *txn)
{
	int r;

	KILL_POINT("store.before_commit");
	r = sql_script(txn->db, "COMMIT");
	if (r) {
		log_error("store", "commit failed: the outcome of a batch is unknown");
		reopen(store);
		return ERR_OUTCOME_UNKNOWN;
	}
	KILL_POINT("store.after_commit");
	store->health = STORE_WELL;
	if (txn->touched_failed) {
		if (store->options.reopened)
			store->options.reopened(store->options.arg);
	} else if (txn->n_touched && store->options.committed) {
		store->options.committed(store->options.arg, txn->touched, txn->n_touched);
	}
	return 0;
}

/* One transaction over the list; -ECONNABORTED: it is gone, run them singly. */
static int run_batch(struct store *store, struct job *jobs, struct job ***ret_more, uint64_t until)
{
	struct txn txn = {.db = store->writer};
	struct job **tail = *ret_more;
	size_t n = 1;
	int r;

	r = sql_script(txn.db, "BEGIN IMMEDIATE");
	if (r) {
		store->health = STORE_REFUSES;
		for (struct job *j = jobs; j; j = j->next)
			j->result = r;
		return 0;
	}
	for (struct job *j = jobs; j; j = j->next) {
		r = run_job(&txn, j);
		if (r)
			break;
		if (!j->next && until && n < STORE_BATCH_MAX && clock_boot_ms() <= until) {
			*tail = take(store, false);
			if (*tail) {
				(*tail)->next = NULL;
				tail = &(*tail)->next;
				n++;
			}
		}
	}
	*ret_more = tail;
	if (!r)
		r = commit(store, &txn);
	else if (!sql_is_idle(txn.db) && sql_script(txn.db, "ROLLBACK"))
		reopen(store);
	free(txn.touched);
	if (r > 0) {
		for (struct job *j = jobs; j; j = j->next)
			j->result = r;
		r = 0;
	}
	return r;
}

static void run_singly(struct store *store, struct job *jobs)
{
	for (struct job *j = jobs, *next; j; j = next) {
		struct job **tail = &j->next;

		next = j->next;
		j->next = NULL;
		if (!store->writer)
			reopen(store);
		if (!store->writer || run_batch(store, j, &tail, 0) < 0) {
			store->health = store->writer ? STORE_REFUSES : STORE_CLOSED;
			if (!store->writer || !j->result)
				j->result = -EIO;
		}
		j->next = next;
	}
}

static void *writer_main(void *arg)
{
	struct store *store = arg;
	struct job *jobs;

	while ((jobs = take(store, true))) {
		struct job **tail;
		size_t n = 0;
		int r = -ECONNABORTED;

		jobs->next = NULL;
		tail = &jobs->next;
		if (store->writer)
			r = run_batch(store, jobs, &tail, clock_boot_ms() + STORE_BATCH_MS);
		if (r)
			run_singly(store, jobs);
		KILL_POINT("store.before_answer");
		for (struct job *j = jobs; j; j = j->next)
			n++;
		pthread_mutex_lock(&store->lock);
		store->n_batches++;
		store->n_writes += n;
		pthread_mutex_unlock(&store->lock);
		for (struct job *j = jobs, *next; j; j = next) {
			next = j->next;
			answer(j);
		}
	}
	return NULL;
}

static int enqueue(struct store *store, struct job *job)
{
	pthread_mutex_lock(&store->lock);
	if (store->closing) {
		pthread_mutex_unlock(&store->lock);
		return ERR_DRAINING;
	}
	*store->last = job;
	store->last = &job->next;
	pthread_cond_signal(&store->queued);
	pthread_mutex_unlock(&store->lock);
	return 0;
}

int store_write(struct store *store, store_fn fn, store_denied_fn denied, void *ctx)
{
	struct job job = {.fn = fn, .denied = denied, .ctx = ctx, .waited = true};
	int r;

	sem_init(&job.done, 0, 0);
	r = enqueue(store, &job);
	if (!r) {
		while (sem_wait(&job.done))
			;
		r = job.result;
	}
	sem_destroy(&job.done);
	return r;
}

int store_post(struct store *store, store_fn fn, void *ctx, void (*free_ctx)(void *ctx))
{
	struct job *job = calloc(1, sizeof(*job));
	int r;

	if (!job)
		return -ENOMEM;
	*job = (struct job){.fn = fn, .ctx = ctx, .free_ctx = free_ctx};
	r = enqueue(store, job);
	if (r)
		free(job);
	return r;
}

/* Any job makes the writer open the file again. */
static int do_nothing(struct txn *txn, void *ctx)
{
	(void)txn;
	(void)ctx;
	return 0;
}

static void mended(void *ctx)
{
	struct store *store = ctx;

	store->mending = false;
}

enum store_health store_look(struct store *store)
{
	enum store_health health = (enum store_health)store->health;
	bool was = false;

	if (health == STORE_CLOSED && atomic_compare_exchange_strong(&store->mending, &was, true) &&
	    store_post(store, do_nothing, store, mended))
		store->mending = false;
	return health;
}

void store_touch(struct txn *txn, const struct uuid *tenant)
{
	for (size_t i = 0; i < txn->n_touched; i++) {
		if (uuid_equal(&txn->touched[i], tenant))
			return;
	}
	if (txn->n_touched == txn->cap_touched) {
		size_t cap = txn->cap_touched ? txn->cap_touched * 2 : 16;
		struct uuid *more = realloc(txn->touched, cap * sizeof(*more));

		if (!more) {
			txn->touched_failed = true;
			return;
		}
		txn->touched = more;
		txn->cap_touched = cap;
	}
	txn->touched[txn->n_touched++] = *tenant;
}

/* --- readers --- */

static int borrow(struct store *store, struct sql_db **ret_db)
{
	struct sql_db *db = NULL;
	int r = 0;

	pthread_mutex_lock(&store->lock);
	while (!store->n_idle && store->n_readers == READERS_MAX)
		pthread_cond_wait(&store->reader_free, &store->lock);
	if (store->n_idle)
		db = store->readers[--store->n_idle];
	else
		store->n_readers++;
	pthread_mutex_unlock(&store->lock);
	if (!db)
		r = sql_open(store->path, false, &db);
	if (r) {
		pthread_mutex_lock(&store->lock);
		store->n_readers--;
		pthread_cond_signal(&store->reader_free);
		pthread_mutex_unlock(&store->lock);
		return err_trace(r);
	}
	*ret_db = db;
	return 0;
}

static void give_back(struct store *store, struct sql_db *db)
{
	bool idle = sql_is_idle(db);

	if (!idle)
		sql_close(db);
	pthread_mutex_lock(&store->lock);
	if (idle)
		store->readers[store->n_idle++] = db;
	else
		store->n_readers--;
	pthread_cond_signal(&store->reader_free);
	pthread_mutex_unlock(&store->lock);
}

int store_read(struct store *store, store_fn fn, void *ctx)
{
	struct txn txn = {0};
	int r, end;

	r = borrow(store, &txn.db);
	if (r)
		return r;
	r = sql_run(&txn, "BEGIN", NULL, 0);
	if (!r) {
		r = fn(&txn, ctx);
		end = sql_is_idle(txn.db) ? 0 : sql_run(&txn, "COMMIT", NULL, 0);
		if (!r)
			r = end;
	}
	give_back(store, txn.db);
	free(txn.touched);
	return r;
}

int store_image(struct store *store, uint8_t **ret_image, size_t *ret_len)
{
	struct sql_db *db;
	int r;

	r = borrow(store, &db);
	if (r)
		return r;
	r = sql_image(db, ret_image, ret_len);
	give_back(store, db);
	return r;
}

/* --- life --- */

static int make_file(const char *path, bool must)
{
	_cleanup_(close_fdp) int fd = -1;

	fd = open(path, O_RDWR | (must ? O_CREAT : 0) | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0 && errno == ENOENT && !must)
		return 0;
	if (fd < 0) {
		log_error("store", "%s: %s", path, strerror(errno));
		return err_origin(-errno);
	}
	return own_check(fd, path);
}

/* And what SQLite keeps beside it, which it would open whoever has it. */
static int make_files(const char *path)
{
	char beside[PATH_MAX];
	int r = make_file(path, true);

	for (int i = 0; i < 2 && !r; i++) {
		if (snprintf(beside, sizeof(beside), "%s-%s", path, i ? "shm" : "wal") >=
		    (int)sizeof(beside))
			return err_origin(-ENAMETOOLONG);
		r = make_file(beside, false);
	}
	return r;
}

int store_open(const struct store_options *options, struct store **ret_store)
{
	_cleanup_(store_closep) struct store *store = NULL;
	int r;

	store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	store->options = *options;
	store->last = &store->first;
	pthread_mutex_init(&store->lock, NULL);
	pthread_cond_init(&store->queued, NULL);
	pthread_cond_init(&store->reader_free, NULL);
	store->path = strdup(options->path);
	if (!store->path)
		return -ENOMEM;
	r = make_files(store->path);
	if (!r)
		r = sql_open(store->path, true, &store->writer);
	if (!r && options->keep_copy)
		r = precopy_make(store->writer, store->path);
	if (!r)
		r = schema_apply(store->writer);
	if (r)
		return err_trace(r);
	r = pthread_create(&store->thread, NULL, writer_main, store);
	if (r)
		return err_origin(-r);
	store->started = true;
	*ret_store = TAKE(store);
	return 0;
}

void store_stop(struct store *store)
{
	if (!store || !store->started)
		return;
	pthread_mutex_lock(&store->lock);
	store->closing = true;
	pthread_cond_broadcast(&store->queued);
	pthread_mutex_unlock(&store->lock);
	pthread_join(store->thread, NULL);
	store->started = false;
}

void store_close(struct store *store)
{
	if (!store)
		return;
	store_stop(store);
	while (store->n_idle)
		sql_close(store->readers[--store->n_idle]);
	sql_close(store->writer);
	pthread_cond_destroy(&store->reader_free);
	pthread_cond_destroy(&store->queued);
	pthread_mutex_destroy(&store->lock);
	free(store->path);
	free(store);
}

void store_counts(struct store *store, uint64_t *ret_batches, uint64_t *ret_writes)
{
	pthread_mutex_lock(&store->lock);
	*ret_batches = store->n_batches;
	*ret_writes = store->n_writes;
	pthread_mutex_unlock(&store->lock);
}
