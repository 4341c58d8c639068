/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/window_row.h"

#include <string.h>

#include "base/err.h"
#include "server/store/sql.h"

int window_row_get(struct txn *txn, const struct uuid *tenant, const struct uuid *user,
		   uint8_t ret[WINDOW_ROW_MAX], size_t *ret_len)
{
	struct sql_rows rows;
	const void *p;
	size_t len = 0;
	int r;

	sql_query(txn, &rows, "SELECT stamps FROM windows WHERE tenant = ?1 AND user = ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_UUID(user)));
	r = sql_next(&rows);
	if (r > 0) {
		p = sql_blob(&rows, 0, &len);
		if (len > WINDOW_ROW_MAX)
			len = WINDOW_ROW_MAX;
		if (len)
			memcpy(ret, p, len);
	}
	sql_end(&rows);
	if (r < 0)
		return err_trace(r);
	*ret_len = len;
	return 0;
}

int window_row_put(struct txn *txn, const struct uuid *tenant, const struct uuid *user,
		   const uint8_t *stamps, size_t len)
{
	return sql_run(txn,
		       "INSERT INTO windows (tenant, user, stamps) VALUES (?1, ?2, ?3)"
		       " ON CONFLICT (tenant, user) DO UPDATE SET stamps = excluded.stamps",
		       SQL_ARGS(SQL_UUID(tenant), SQL_UUID(user), SQL_BLOB(stamps, len)));
}
