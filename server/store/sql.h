/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside server/store only: statements with typed arguments over a connection.
 * SQL text is always a constant: statements are cached by its address.
 */
#ifndef QM_SQL_H
#define QM_SQL_H

#include "server/store/store.h"

struct sql_db;

struct sql_arg {
	char kind; /* 'i' 's' 'b' 'n' */
	int64_t i;
	const void *p;
	size_t len;
};

#define SQL_INT(v) ((struct sql_arg){.kind = 'i', .i = (int64_t)(v)})
#define SQL_TEXT(s) ((struct sql_arg){.kind = 's', .p = (s)})
#define SQL_BLOB(q, n) ((struct sql_arg){.kind = 'b', .p = (q), .len = (n)})
#define SQL_UUID(id) SQL_BLOB((id)->b, 16)
/* A nil id is NULL in the store. */
#define SQL_UUID_OR_NULL(id)                                                                       \
	((struct sql_arg){.kind = uuid_is_nil(id) ? 'n' : 'b', .p = (id)->b, .len = 16})
#define SQL_ARGS(...)                                                                              \
	((const struct sql_arg[]){__VA_ARGS__}),                                                   \
		(sizeof((const struct sql_arg[]){__VA_ARGS__}) / sizeof(struct sql_arg))

/* Rows of a running statement; sql_end always, on every way out. */
struct sql_rows {
	struct sql_db *db;
	void *stmt;
	int failed;
};

/* Runs to its end. -EEXIST: unique constraint; -EDQUOT: a trigger said no; -EIO, -ENOSPC. */
int sql_run(struct txn *txn, const char *sql, const struct sql_arg *args, size_t n) _must_check_;
/* Rows that the last sql_run changed. */
int64_t sql_changes(struct txn *txn);
void sql_query(struct txn *txn, struct sql_rows *ret_rows, const char *sql,
	       const struct sql_arg *args, size_t n);
/* 1: a row; 0: no more; < 0. */
int sql_next(struct sql_rows *rows) _must_check_;
void sql_end(struct sql_rows *rows);

int64_t sql_int(struct sql_rows *rows, int column);
struct uuid sql_uuid(struct sql_rows *rows, int column); /* nil for NULL */
/* Copies at most cap - 1 bytes and a NUL. */
void sql_text(struct sql_rows *rows, int column, char *ret, size_t cap);
/* Valid until the next sql_next. */
const void *sql_blob(struct sql_rows *rows, int column, size_t *ret_len);
/* Exactly len bytes; zeros when the column holds anything else. */
void sql_bytes(struct sql_rows *rows, int column, void *ret, size_t len);

/* --- connections: store.c only --- */

int sql_open(const char *path, bool writer, struct sql_db **ret_db) _must_check_;
void sql_close(struct sql_db *db);
/* Several statements without arguments. */
int sql_script(struct sql_db *db, const char *script) _must_check_;
/* No transaction is open: an error ended it. */
bool sql_is_idle(struct sql_db *db);
/* All pages as one transaction sees them, in the form of a file, on the heap. -ENOMEM, -EIO. */
int sql_image(struct sql_db *db, uint8_t **ret_image, size_t *ret_len) _must_check_;
/* A connection to such an image, in memory only (copied); statements are bounded as in a store. */
int sql_open_image(const uint8_t *image, size_t len, struct sql_db **ret_db) _must_check_;
int sql_user_version(struct sql_db *db, int64_t *ret_version) _must_check_;

/* What a txn is: the connection and, in writes, which tenants moved. */
struct txn {
	struct sql_db *db;
	struct uuid *touched;
	size_t n_touched, cap_touched;
	bool touched_failed;
};

/* --- schema.c --- */

/* Steps that this program knows. */
int64_t schema_version(void);
int schema_apply(struct sql_db *db) _must_check_;

#endif
