/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/address_row.h"

#include "base/err.h"
#include "server/store/sql.h"

int address_row_get(struct txn *txn, const struct uuid *tenant, uint32_t host,
		    int64_t *ret_freed_ms)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, "SELECT freed_ms FROM addresses WHERE tenant = ?1 AND host = ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_INT(host)));
	r = sql_next(&rows);
	if (r > 0)
		*ret_freed_ms = sql_int(&rows, 0);
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int address_row_take(struct txn *txn, const struct uuid *tenant, uint32_t host)
{
	return sql_run(txn,
		       "INSERT INTO addresses (tenant, host) VALUES (?1, ?2)"
		       " ON CONFLICT (tenant, host) DO UPDATE SET freed_ms = NULL",
		       SQL_ARGS(SQL_UUID(tenant), SQL_INT(host)));
}

int address_row_free(struct txn *txn, const struct uuid *tenant, uint32_t host, int64_t now_ms)
{
	return sql_run(txn, "UPDATE addresses SET freed_ms = ?3 WHERE tenant = ?1 AND host = ?2",
		       SQL_ARGS(SQL_UUID(tenant), SQL_INT(host), SQL_INT(now_ms)));
}

int address_row_oldest(struct txn *txn, const struct uuid *tenant, uint32_t first, uint32_t last,
		       uint32_t *ret_host, int64_t *ret_freed_ms)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows,
		  "SELECT host, freed_ms FROM addresses WHERE tenant = ?1 AND freed_ms IS NOT NULL"
		  " AND +host BETWEEN ?2 AND ?3 ORDER BY freed_ms, host LIMIT 1",
		  SQL_ARGS(SQL_UUID(tenant), SQL_INT(first), SQL_INT(last)));
	r = sql_next(&rows);
	if (r > 0) {
		*ret_host = (uint32_t)sql_int(&rows, 0);
		*ret_freed_ms = sql_int(&rows, 1);
	}
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int address_row_count_freed(struct txn *txn, const struct uuid *tenant, uint32_t first,
			    uint32_t last, uint32_t *ret_n)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows,
		  /* By the index of the few that rest: without the plus it reads all hosts. */
		  "SELECT count(*) FROM addresses WHERE tenant = ?1 AND freed_ms IS NOT NULL"
		  " AND +host BETWEEN ?2 AND ?3",
		  SQL_ARGS(SQL_UUID(tenant), SQL_INT(first), SQL_INT(last)));
	r = sql_next(&rows);
	if (r > 0)
		*ret_n = (uint32_t)sql_int(&rows, 0);
	sql_end(&rows);
	return r < 0 ? r : 0;
}
