/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The store: what must survive. store_read runs a function on a snapshot,
 * store_write runs it in the one writer's transaction and answers after the
 * commit. The functions see rows only through the *_row.h nouns; the word SQL
 * does not leave this folder.
 */
#ifndef QM_STORE_H
#define QM_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/text.h"

struct store;
/* A connection inside a read or a write; only for the function it was given to. */
struct txn;

/*
 * Touches nothing but its ctx and may be run again from the start: a batch
 * that broke is run again one by one. 0, < 0, or an enum err, which rolls back
 * all that it wrote.
 */
typedef int (*store_fn)(struct txn *txn, void *ctx);
/* After a refusal was rolled back, in the same transaction: writes what tells of it. */
typedef int (*store_denied_fn)(struct txn *txn, void *ctx, int refusal);

#define STORE_BATCH_MAX 256
#define STORE_BATCH_MS 2

struct store_options {
	const char *path;
	/* A store of an older schema is copied before it is brought up (precopy.h). */
	bool keep_copy;
	/* On the writer's thread after each commit that changed a generation. */
	void (*committed)(void *arg, const struct uuid *tenants, size_t n);
	/* After the store was opened again: anything may be ahead of what was told. */
	void (*reopened)(void *arg);
	void *arg;
};

/*
 * Makes or opens the file (0600) and brings its schema up to date. -ENOTSUP
 * with a line in the log when a newer program made it.
 */
int store_open(const struct store_options *options, struct store **ret_store) _must_check_;
/* Waits for what is queued; writes are refused from now on (ERR_DRAINING), reads go on. Once. */
void store_stop(struct store *store);
/* The same, and ends the rest: nobody reads any more. */
void store_close(struct store *store);
CLEANUP_DEFINE(struct store, store_close);

/* Blocks; any thread. */
int store_read(struct store *store, store_fn fn, void *ctx) _must_check_;
/*
 * Blocks until the commit, any thread but from within a fn. What fn returned;
 * ERR_OUTCOME_UNKNOWN when the commit itself failed. denied may be NULL.
 */
int store_write(struct store *store, store_fn fn, store_denied_fn denied, void *ctx) _must_check_;
/* The same without waiting; free_ctx (may be NULL) runs on the writer's thread. -ENOMEM. */
int store_post(struct store *store, store_fn fn, void *ctx, void (*free_ctx)(void *ctx));

/*
 * The whole store as one moment has it, in the form of a SQLite file, on the
 * heap; writes go on meanwhile. Wiped by the caller: it has what the store has.
 */
int store_image(struct store *store, uint8_t **ret_image, size_t *ret_len) _must_check_;

enum store_health {
	STORE_WELL,
	STORE_REFUSES, /* the last transaction could not begin or commit */
	STORE_CLOSED,  /* there is no connection to write with */
};

/* How the writer fares; one that has no connection is made to try again. Does not block. */
enum store_health store_look(struct store *store);

/* Marks that a tenant's generation moved: committed is told. From within a write. */
void store_touch(struct txn *txn, const struct uuid *tenant);

/* Batches and writes so far: for figures and tests. */
void store_counts(struct store *store, uint64_t *ret_batches, uint64_t *ret_writes);

#endif
