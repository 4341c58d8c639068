/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite behind sql.h: the only file that knows it. A connection belongs to
 * one thread at a time (opened without SQLite's own mutexes), keeps its
 * prepared statements for its whole life and runs defensively: constraints on,
 * no trust in the schema, WAL with a sync at every commit.
 */
#include <sqlite3.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "server/store/sql.h"

enum { CACHE_SLOTS = 256, BUSY_MS = 10000 };

struct cached {
	const char *sql;
	sqlite3_stmt *stmt;
};

struct sql_db {
	sqlite3 *handle;
	struct cached cache[CACHE_SLOTS];
};

static int translate(struct sql_db *db, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_CONSTRAINT:
		if (rc == SQLITE_CONSTRAINT_TRIGGER)
			return -EDQUOT;
		if (rc == SQLITE_CONSTRAINT_UNIQUE || rc == SQLITE_CONSTRAINT_PRIMARYKEY)
			return -EEXIST;
		log_error("store", "constraint: %s", sqlite3_errmsg(db->handle));
		return err_origin(-EINVAL);
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		log_error("store", "disk full");
		return err_origin(-ENOSPC);
	case SQLITE_BUSY:
		return err_origin(-EBUSY);
	default:
		log_error("store", "%s (%d)", sqlite3_errmsg(db->handle), rc);
		return err_origin(-EIO);
	}
}

/* Statement of a constant text; open addressing by the text's address. */
static int find(struct sql_db *db, const char *sql, sqlite3_stmt **ret_stmt)
{
	size_t slot = ((uintptr_t)sql >> 3) % CACHE_SLOTS;
	int rc;

	for (size_t i = 0; i < CACHE_SLOTS; i++) {
		struct cached *c = &db->cache[(slot + i) % CACHE_SLOTS];

		if (c->sql == sql) {
			*ret_stmt = c->stmt;
			return 0;
		}
		if (c->sql)
			continue;
		rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &c->stmt,
					NULL);
		if (rc != SQLITE_OK)
			return translate(db, rc);
		c->sql = sql;
		*ret_stmt = c->stmt;
		return 0;
	}
	return err_origin(-ENOBUFS);
}

static int bind(sqlite3_stmt *stmt, const struct sql_arg *args, size_t n)
{
	int rc = SQLITE_OK;

	for (size_t i = 0; i < n && rc == SQLITE_OK; i++) {
		int at = (int)i + 1;

		switch (args[i].kind) {
		case 'i':
			rc = sqlite3_bind_int64(stmt, at, args[i].i);
			break;
		case 's':
			rc = sqlite3_bind_text(stmt, at, args[i].p, -1, SQLITE_STATIC);
			break;
		case 'b':
			rc = sqlite3_bind_blob64(stmt, at, args[i].len ? args[i].p : "",
						 args[i].len, SQLITE_STATIC);
			break;
		default:
			rc = sqlite3_bind_null(stmt, at);
		}
	}
	return rc;
}

void sql_query(struct txn *txn, struct sql_rows *ret_rows, const char *sql,
	       const struct sql_arg *args, size_t n)
{
	sqlite3_stmt *stmt = NULL;

	*ret_rows = (struct sql_rows){.db = txn->db};
	ret_rows->failed = find(txn->db, sql, &stmt);
	if (ret_rows->failed)
		return;
	ret_rows->stmt = stmt;
	ret_rows->failed = translate(txn->db, bind(stmt, args, n));
}

int sql_next(struct sql_rows *rows)
{
	int rc;

	if (rows->failed)
		return rows->failed;
	rc = sqlite3_step(rows->stmt);
	if (rc == SQLITE_ROW)
		return 1;
	if (rc == SQLITE_DONE)
		return 0;
	rows->failed = translate(rows->db, sqlite3_extended_errcode(rows->db->handle));
	if (!rows->failed)
		rows->failed = -EIO;
	return rows->failed;
}

void sql_end(struct sql_rows *rows)
{
	if (!rows->stmt)
		return;
	sqlite3_reset(rows->stmt);
	sqlite3_clear_bindings(rows->stmt);
	rows->stmt = NULL;
}

int sql_run(struct txn *txn, const char *sql, const struct sql_arg *args, size_t n)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, sql, args, n);
	do {
		r = sql_next(&rows);
	} while (r > 0);
	sql_end(&rows);
	return r;
}

int64_t sql_changes(struct txn *txn)
{
	return sqlite3_changes64(txn->db->handle);
}

int64_t sql_int(struct sql_rows *rows, int column)
{
	return sqlite3_column_int64(rows->stmt, column);
}

const void *sql_blob(struct sql_rows *rows, int column, size_t *ret_len)
{
	const void *p = sqlite3_column_blob(rows->stmt, column);

	*ret_len = (size_t)sqlite3_column_bytes(rows->stmt, column);
	return p;
}

void sql_bytes(struct sql_rows *rows, int column, void *ret, size_t len)
{
	size_t have;
	const void *p = sql_blob(rows, column, &have);

	if (p && have == len)
		memcpy(ret, p, len);
	else
		memset(ret, 0, len);
}

struct uuid sql_uuid(struct sql_rows *rows, int column)
{
	struct uuid id;

	sql_bytes(rows, column, id.b, sizeof(id.b));
	return id;
}

void sql_text(struct sql_rows *rows, int column, char *ret, size_t cap)
{
	const unsigned char *s = sqlite3_column_text(rows->stmt, column);
	size_t len = s ? strlen((const char *)s) : 0;

	if (len >= cap)
		len = cap - 1;
	if (len)
		memcpy(ret, s, len);
	ret[len] = '\0';
}

static const char settings[] = "PRAGMA journal_mode = WAL;"
			       "PRAGMA synchronous = FULL;"
			       "PRAGMA foreign_keys = ON;"
			       "PRAGMA trusted_schema = OFF;"
			       "PRAGMA cell_size_check = ON;"
			       "PRAGMA temp_store = MEMORY;"
			       "PRAGMA cache_size = -2048;"
			       "PRAGMA wal_autocheckpoint = 2000;";

static int set_up(struct sql_db *db, const char *script)
{
	sqlite3_extended_result_codes(db->handle, 1);
	sqlite3_busy_timeout(db->handle, BUSY_MS);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DML, 0, NULL);
	sqlite3_db_config(db->handle, SQLITE_DBCONFIG_DQS_DDL, 0, NULL);
	sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
	return sql_script(db, script);
}

int sql_open(const char *path, bool writer, struct sql_db **ret_db)
{
	struct sql_db *db;
	int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW |
		    (writer ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
	int rc, r;

	db = calloc(1, sizeof(*db));
	if (!db)
		return -ENOMEM;
	rc = sqlite3_open_v2(path, &db->handle, flags, NULL);
	if (rc != SQLITE_OK) {
		log_error("store", "%s: %s", path, sqlite3_errstr(rc));
		sql_close(db);
		return err_origin(-EIO);
	}
	r = set_up(db, settings + (writer ? 0 : strlen("PRAGMA journal_mode = WAL;")));
	if (r) {
		sql_close(db);
		return r;
	}
	*ret_db = db;
	return 0;
}

int sql_image(struct sql_db *db, uint8_t **ret_image, size_t *ret_len)
{
	sqlite3_int64 len = 0;
	unsigned char *p = sqlite3_serialize(db->handle, "main", &len, 0);
	uint8_t *copy;

	if (!p)
		return err_origin(-ENOMEM);
	/* Out of SQLite's own heap: who gets it frees it as everything else. */
	copy = malloc((size_t)len);
	if (copy)
		memcpy(copy, p, (size_t)len);
	explicit_bzero(p, (size_t)len);
	sqlite3_free(p);
	if (!copy)
		return err_origin(-ENOMEM);
	*ret_image = copy;
	*ret_len = (size_t)len;
	return 0;
}

/* Bytes 18 and 19 of the file's head: 2 is WAL, which memory has not; 1 is without. */
enum { FILE_HEAD_LEN = 100, WRITE_FORM_AT = 18, READ_FORM_AT = 19 };

int sql_open_image(const uint8_t *image, size_t len, struct sql_db **ret_db)
{
	struct sql_db *db;
	unsigned char *copy;
	int r = 0;

	if (len < FILE_HEAD_LEN)
		return -EBADMSG;
	db = calloc(1, sizeof(*db));
	copy = sqlite3_malloc64(len);
	if (!db || !copy ||
	    sqlite3_open_v2(":memory:", &db->handle, SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_READWRITE,
			    NULL) != SQLITE_OK) {
		sqlite3_free(copy);
		sql_close(db);
		return -ENOMEM;
	}
	memcpy(copy, image, len);
	copy[WRITE_FORM_AT] = copy[READ_FORM_AT] = 1;
	if (sqlite3_deserialize(db->handle, "main", copy, (sqlite3_int64)len, (sqlite3_int64)len,
				SQLITE_DESERIALIZE_FREEONCLOSE | SQLITE_DESERIALIZE_RESIZEABLE) !=
	    SQLITE_OK)
		r = err_origin(-EIO);
	if (!r)
		r = set_up(db, settings + strlen("PRAGMA journal_mode = WAL;"));
	if (r) {
		sql_close(db);
		return r;
	}
	*ret_db = db;
	return 0;
}

void sql_close(struct sql_db *db)
{
	if (!db)
		return;
	for (size_t i = 0; i < CACHE_SLOTS; i++)
		sqlite3_finalize(db->cache[i].stmt);
	sqlite3_close(db->handle);
	free(db);
}

int sql_script(struct sql_db *db, const char *script)
{
	return translate(db, sqlite3_exec(db->handle, script, NULL, NULL, NULL));
}

bool sql_is_idle(struct sql_db *db)
{
	return sqlite3_get_autocommit(db->handle) != 0;
}

int sql_user_version(struct sql_db *db, int64_t *ret_version)
{
	sqlite3_stmt *stmt = NULL;
	int rc;

	rc = sqlite3_prepare_v2(db->handle, "PRAGMA user_version", -1, &stmt, NULL);
	if (rc == SQLITE_OK)
		rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		*ret_version = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? 0 : translate(db, rc);
}
