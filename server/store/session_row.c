/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/session_row.h"

#include "base/err.h"
#include "server/store/sql.h"

static int each(struct sql_rows *rows, session_row_fn fn, void *arg)
{
	int r;

	while ((r = sql_next(rows)) > 0) {
		struct uuid id = sql_uuid(rows, 0);

		r = fn ? fn(arg, &id) : 0;
		if (r)
			break;
	}
	sql_end(rows);
	return r;
}

int session_row_insert(struct txn *txn, const struct session_row *row)
{
	return sql_run(txn,
		       "INSERT INTO sessions (tenant, id, user, node, created_ms, expires_ms)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
		       SQL_ARGS(SQL_UUID(&row->tenant), SQL_UUID(&row->id), SQL_UUID(&row->user),
				SQL_UUID_OR_NULL(&row->node), SQL_INT(row->created_ms),
				SQL_INT(row->expires_ms)));
}

int session_row_get(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		    struct session_row *ret)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows,
		  "SELECT user, node, created_ms, expires_ms, ended_ms IS NOT NULL"
		  " FROM sessions WHERE tenant = ?1 AND id = ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_UUID(id)));
	r = sql_next(&rows);
	if (r > 0)
		*ret = (struct session_row){.tenant = *tenant,
					    .id = *id,
					    .user = sql_uuid(&rows, 0),
					    .node = sql_uuid(&rows, 1),
					    .created_ms = sql_int(&rows, 2),
					    .expires_ms = sql_int(&rows, 3),
					    .ended = sql_int(&rows, 4) != 0};
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int session_row_end(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		    int64_t now_ms)
{
	return sql_run(txn,
		       "UPDATE sessions SET ended_ms = ?3"
		       " WHERE tenant = ?1 AND id = ?2 AND ended_ms IS NULL",
		       SQL_ARGS(SQL_UUID(tenant), SQL_UUID(id), SQL_INT(now_ms)));
}

int session_row_end_user(struct txn *txn, const struct session_row *keep, int64_t now_ms,
			 session_row_fn fn, void *arg)
{
	struct sql_rows rows;

	sql_query(txn, &rows,
		  "UPDATE sessions SET ended_ms = ?4 WHERE tenant = ?1 AND user = ?2 AND id <> ?3"
		  " AND ended_ms IS NULL AND expires_ms > ?4 RETURNING id",
		  SQL_ARGS(SQL_UUID(&keep->tenant), SQL_UUID(&keep->user), SQL_UUID(&keep->id),
			   SQL_INT(now_ms)));
	return each(&rows, fn, arg);
}

int session_row_end_before(struct txn *txn, const struct uuid *tenant, int64_t now_ms,
			   session_row_fn fn, void *arg)
{
	struct sql_rows rows;

	sql_query(txn, &rows,
		  "UPDATE sessions SET ended_ms = ?2 WHERE tenant = ?1 AND ended_ms IS NULL"
		  " AND created_ms <= ?2 AND expires_ms > ?2 RETURNING id",
		  SQL_ARGS(SQL_UUID(tenant), SQL_INT(now_ms)));
	return each(&rows, fn, arg);
}

int session_row_revoked(struct txn *txn, const struct uuid *tenant, int64_t now_ms,
			session_row_fn fn, void *arg)
{
	struct sql_rows rows;

	sql_query(txn, &rows,
		  "SELECT id FROM sessions WHERE tenant = ?1 AND ended_ms IS NOT NULL"
		  " AND expires_ms > ?2 LIMIT 65536",
		  SQL_ARGS(SQL_UUID(tenant), SQL_INT(now_ms)));
	return each(&rows, fn, arg);
}

int session_row_prune(struct txn *txn, int64_t now_ms)
{
	return sql_run(txn, "DELETE FROM sessions WHERE expires_ms <= ?1",
		       SQL_ARGS(SQL_INT(now_ms)));
}
