/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/user_row.h"

#include "base/err.h"
#include "server/store/sql.h"

#define COLUMNS "tenant, id, name, role, disabled, password, created_ms"

static void fill(struct sql_rows *rows, struct user_row *row)
{
	*row = (struct user_row){.tenant = sql_uuid(rows, 0), .id = sql_uuid(rows, 1)};
	sql_text(rows, 2, row->name, sizeof(row->name));
	row->role = (int)sql_int(rows, 3);
	row->disabled = sql_int(rows, 4) != 0;
	sql_text(rows, 5, row->password, sizeof(row->password));
	row->created_ms = sql_int(rows, 6);
}

static int one(struct sql_rows *rows, struct user_row *ret)
{
	int r = sql_next(rows);

	if (r > 0)
		fill(rows, ret);
	sql_end(rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int user_row_insert(struct txn *txn, const struct user_row *row)
{
	return sql_run(txn, "INSERT INTO users (" COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
		       SQL_ARGS(SQL_UUID(&row->tenant), SQL_UUID(&row->id), SQL_TEXT(row->name),
				SQL_INT(row->role), SQL_INT(row->disabled), SQL_TEXT(row->password),
				SQL_INT(row->created_ms)));
}

int user_row_get(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		 struct user_row *ret)
{
	struct sql_rows rows;

	sql_query(txn, &rows, "SELECT " COLUMNS " FROM users WHERE tenant = ?1 AND id = ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_UUID(id)));
	return one(&rows, ret);
}

int user_row_find(struct txn *txn, const struct uuid *tenant, const char *name,
		  struct user_row *ret)
{
	struct sql_rows rows;

	sql_query(txn, &rows, "SELECT " COLUMNS " FROM users WHERE tenant = ?1 AND name = ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_TEXT(name)));
	return one(&rows, ret);
}

int user_row_save(struct txn *txn, const struct user_row *row)
{
	return sql_run(txn,
		       "UPDATE users SET role = ?3, disabled = ?4, password = ?5"
		       " WHERE tenant = ?1 AND id = ?2",
		       SQL_ARGS(SQL_UUID(&row->tenant), SQL_UUID(&row->id), SQL_INT(row->role),
				SQL_INT(row->disabled), SQL_TEXT(row->password)));
}

int user_row_list(struct txn *txn, const struct uuid *tenant, const struct uuid *after,
		  uint32_t limit, user_row_fn fn, void *arg)
{
	struct user_row row;
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows,
		  "SELECT " COLUMNS " FROM users WHERE tenant = ?1 AND id > ?2"
		  " ORDER BY id LIMIT ?3",
		  SQL_ARGS(SQL_UUID(tenant), SQL_UUID(after), SQL_INT(limit)));
	while ((r = sql_next(&rows)) > 0) {
		fill(&rows, &row);
		r = fn(arg, &row);
		if (r)
			break;
	}
	sql_end(&rows);
	return r;
}
