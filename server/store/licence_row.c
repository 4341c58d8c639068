/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/licence_row.h"

#include "base/err.h"
#include "server/store/sql.h"

int licence_row_get(struct txn *txn, struct licence_row *ret)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows,
		  "SELECT panel, text, serial, installed_ms, latest_ms FROM licence WHERE one = 1",
		  NULL, 0);
	r = sql_next(&rows);
	if (r > 0) {
		ret->panel = sql_uuid(&rows, 0);
		sql_text(&rows, 1, ret->text, sizeof(ret->text));
		ret->serial = (uint64_t)sql_int(&rows, 2);
		ret->installed_ms = sql_int(&rows, 3);
		ret->latest_ms = sql_int(&rows, 4);
	}
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int licence_row_put(struct txn *txn, const struct licence_row *row)
{
	return sql_run(
		txn, "UPDATE licence SET text = ?1, serial = ?2, installed_ms = ?3 WHERE one = 1",
		SQL_ARGS(SQL_TEXT(row->text), SQL_INT(row->serial), SQL_INT(row->installed_ms)));
}

int licence_row_keep_time(struct txn *txn, int64_t latest_ms)
{
	return sql_run(txn, "UPDATE licence SET latest_ms = ?1 WHERE one = 1",
		       SQL_ARGS(SQL_INT(latest_ms)));
}
