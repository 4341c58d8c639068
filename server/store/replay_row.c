/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/replay_row.h"

#include "base/err.h"
#include "server/store/sql.h"

int replay_row_get(struct txn *txn, const struct replay_row *key, int64_t now_ms,
		   struct replay_row *ret)
{
	struct replay_row row = *key;
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows,
		  "SELECT hash, device, key_version, made_ms, shown_ms FROM replays"
		  " WHERE tenant = ?1 AND user = ?2 AND key = ?3 AND made_ms > ?4",
		  SQL_ARGS(SQL_UUID(&key->tenant), SQL_UUID(&key->user), SQL_TEXT(key->key),
			   SQL_INT(now_ms - REPLAY_ROW_KEEP_MS)));
	r = sql_next(&rows);
	if (r > 0) {
		sql_bytes(&rows, 0, row.hash, sizeof(row.hash));
		row.device = sql_uuid(&rows, 1);
		row.key_version = (uint32_t)sql_int(&rows, 2);
		row.made_ms = sql_int(&rows, 3);
		row.shown_ms = sql_int(&rows, 4);
	}
	sql_end(&rows);
	if (r <= 0)
		return r < 0 ? r : ERR_NOT_FOUND;
	*ret = row;
	return 0;
}

int replay_row_put(struct txn *txn, const struct replay_row *row)
{
	return sql_run(txn,
		       "INSERT OR REPLACE INTO replays"
		       " (tenant, user, key, hash, device, key_version, made_ms, shown_ms)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
		       SQL_ARGS(SQL_UUID(&row->tenant), SQL_UUID(&row->user), SQL_TEXT(row->key),
				SQL_BLOB(row->hash, sizeof(row->hash)), SQL_UUID(&row->device),
				SQL_INT(row->key_version), SQL_INT(row->made_ms),
				SQL_INT(row->shown_ms)));
}

int replay_row_prune(struct txn *txn, int64_t now_ms)
{
	return sql_run(txn, "DELETE FROM replays WHERE made_ms <= ?1",
		       SQL_ARGS(SQL_INT(now_ms - REPLAY_ROW_KEEP_MS)));
}
