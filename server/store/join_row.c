/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/join_row.h"

#include "base/err.h"
#include "server/store/sql.h"

enum { NONCE_KEEP_MS = 180000 };

int join_row_insert(struct txn *txn, const struct join_row *row)
{
	return sql_run(txn,
		       "INSERT INTO join_tokens (id, tenant, secret_hash, expires_ms)"
		       " VALUES (?1, ?2, ?3, ?4)",
		       SQL_ARGS(SQL_UUID(&row->id), SQL_UUID(&row->tenant),
				SQL_BLOB(row->secret_hash, 32), SQL_INT(row->expires_ms)));
}

int join_row_get(struct txn *txn, const struct uuid *id, struct join_row *ret)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows,
		  "SELECT tenant, secret_hash, expires_ms, used_ms IS NOT NULL, node"
		  " FROM join_tokens WHERE id = ?1",
		  SQL_ARGS(SQL_UUID(id)));
	r = sql_next(&rows);
	if (r > 0) {
		*ret = (struct join_row){.id = *id,
					 .tenant = sql_uuid(&rows, 0),
					 .expires_ms = sql_int(&rows, 2),
					 .used = sql_int(&rows, 3) != 0,
					 .node = sql_uuid(&rows, 4)};
		sql_bytes(&rows, 1, ret->secret_hash, 32);
	}
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int join_row_use(struct txn *txn, const struct uuid *id, const struct uuid *node, int64_t now_ms)
{
	return sql_run(txn, "UPDATE join_tokens SET used_ms = ?2, node = ?3 WHERE id = ?1",
		       SQL_ARGS(SQL_UUID(id), SQL_INT(now_ms), SQL_UUID(node)));
}

int join_row_nonce(struct txn *txn, const struct uuid *node, const uint8_t nonce[16],
		   int64_t now_ms)
{
	int r;

	r = sql_run(txn, "DELETE FROM nonces WHERE node = ?1 AND at_ms < ?2",
		    SQL_ARGS(SQL_UUID(node), SQL_INT(now_ms - NONCE_KEEP_MS)));
	if (r)
		return err_trace(r);
	return sql_run(txn, "INSERT INTO nonces (node, nonce, at_ms) VALUES (?1, ?2, ?3)",
		       SQL_ARGS(SQL_UUID(node), SQL_BLOB(nonce, 16), SQL_INT(now_ms)));
}
