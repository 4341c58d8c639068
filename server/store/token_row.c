/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/token_row.h"

#include "base/err.h"
#include "server/store/sql.h"

#define SELECT                                                                                     \
	"SELECT t.tenant, t.id, t.user, t.name, t.role, t.methods, t.hash, t.created_ms,"          \
	" t.expires_ms, t.used_ms, u.name FROM tokens t"                                           \
	" JOIN users u ON u.tenant = t.tenant AND u.id = t.user"

static void fill(struct sql_rows *rows, struct token_row *row)
{
	*row = (struct token_row){.tenant = sql_uuid(rows, 0),
				  .id = sql_uuid(rows, 1),
				  .user = sql_uuid(rows, 2),
				  .role = (int)sql_int(rows, 4),
				  .created_ms = sql_int(rows, 7),
				  .expires_ms = sql_int(rows, 8),
				  .used_ms = sql_int(rows, 9)};
	sql_text(rows, 3, row->name, sizeof(row->name));
	sql_text(rows, 5, row->methods, sizeof(row->methods));
	sql_bytes(rows, 6, row->hash, sizeof(row->hash));
	sql_text(rows, 10, row->user_name, sizeof(row->user_name));
}

int token_row_insert(struct txn *txn, const struct token_row *row)
{
	return sql_run(txn,
		       "INSERT INTO tokens (tenant, id, user, name, role, methods, hash,"
		       " created_ms, expires_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
		       SQL_ARGS(SQL_UUID(&row->tenant), SQL_UUID(&row->id), SQL_UUID(&row->user),
				SQL_TEXT(row->name), SQL_INT(row->role), SQL_TEXT(row->methods),
				SQL_BLOB(row->hash, sizeof(row->hash)), SQL_INT(row->created_ms),
				SQL_INT(row->expires_ms)));
}

int token_row_get(struct txn *txn, const struct uuid *id, struct token_row *ret)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, SELECT " WHERE t.id = ?1", SQL_ARGS(SQL_UUID(id)));
	r = sql_next(&rows);
	if (r > 0)
		fill(&rows, ret);
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int token_row_count(struct txn *txn, const struct uuid *tenant, const struct uuid *user,
		    uint32_t *ret_n)
{
	struct sql_rows rows;
	uint32_t n = 0;
	int r;

	sql_query(txn, &rows, "SELECT count(*) FROM tokens WHERE tenant = ?1 AND user = ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_UUID(user)));
	r = sql_next(&rows);
	if (r > 0)
		n = (uint32_t)sql_int(&rows, 0);
	sql_end(&rows);
	if (r < 0)
		return r;
	*ret_n = n;
	return 0;
}

int token_row_delete(struct txn *txn, const struct uuid *tenant, const struct uuid *id)
{
	return sql_run(txn, "DELETE FROM tokens WHERE tenant = ?1 AND id = ?2",
		       SQL_ARGS(SQL_UUID(tenant), SQL_UUID(id)));
}

int token_row_keep_role(struct txn *txn, const struct uuid *tenant, const struct uuid *user,
			int role)
{
	return sql_run(txn, "DELETE FROM tokens WHERE tenant = ?1 AND user = ?2 AND role <> ?3",
		       SQL_ARGS(SQL_UUID(tenant), SQL_UUID(user), SQL_INT(role)));
}

int token_row_used(struct txn *txn, const struct uuid *id, int64_t now_ms)
{
	return sql_run(txn, "UPDATE tokens SET used_ms = ?2 WHERE id = ?1",
		       SQL_ARGS(SQL_UUID(id), SQL_INT(now_ms)));
}

int token_row_list(struct txn *txn, const struct uuid *tenant, const struct token_filter *filter,
		   token_row_fn fn, void *arg)
{
	struct token_row row;
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows,
		  SELECT " WHERE t.tenant = ?1 AND (?2 IS NULL OR t.user = ?2) AND t.id > ?3"
			 " ORDER BY t.id LIMIT ?4",
		  SQL_ARGS(SQL_UUID(tenant), SQL_UUID_OR_NULL(&filter->user),
			   SQL_UUID(&filter->after), SQL_INT(filter->limit)));
	while ((r = sql_next(&rows)) > 0) {
		fill(&rows, &row);
		r = fn(arg, &row);
		if (r)
			break;
	}
	sql_end(&rows);
	return r;
}

int token_row_prune(struct txn *txn, int64_t now_ms)
{
	return sql_run(txn, "DELETE FROM tokens WHERE expires_ms <= ?1", SQL_ARGS(SQL_INT(now_ms)));
}
