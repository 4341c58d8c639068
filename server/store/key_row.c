/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/key_row.h"

#include "base/err.h"
#include "server/store/sql.h"

int key_row_insert(struct txn *txn, const struct uuid *tenant, const struct uuid *member, int slot,
		   const struct key_row *row)
{
	struct sql_arg until = SQL_INT(row->until_ms);

	if (!row->until_ms)
		until.kind = 'n';
	return sql_run(txn,
		       "INSERT INTO keys (tenant, public_key, member, slot, key_version,"
		       " psk_version, until_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
		       SQL_ARGS(SQL_UUID(tenant), SQL_BLOB(row->public_key.b, KEY_LEN),
				SQL_UUID(member), SQL_INT(slot), SQL_INT(row->key_version),
				SQL_INT(row->psk_version), until));
}

int key_row_delete(struct txn *txn, const struct uuid *tenant, const struct uuid *member, int slot)
{
	return sql_run(txn, "DELETE FROM keys WHERE tenant = ?1 AND member = ?2 AND slot = ?3",
		       SQL_ARGS(SQL_UUID(tenant), SQL_UUID(member), SQL_INT(slot)));
}

int key_row_owner(struct txn *txn, const struct uuid *tenant, const struct key *public_key,
		  struct uuid *ret_member)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, "SELECT member FROM keys WHERE tenant = ?1 AND public_key = ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_BLOB(public_key->b, KEY_LEN)));
	r = sql_next(&rows);
	if (r > 0)
		*ret_member = sql_uuid(&rows, 0);
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int key_row_lapsed(struct txn *txn, int64_t now_ms, struct uuid *ret_tenant,
		   struct uuid *ret_member, uint32_t *ret_key_version)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows,
		  "SELECT tenant, member, key_version FROM keys"
		  " WHERE until_ms IS NOT NULL AND until_ms <= ?1 ORDER BY until_ms LIMIT 1",
		  SQL_ARGS(SQL_INT(now_ms)));
	r = sql_next(&rows);
	if (r > 0) {
		*ret_tenant = sql_uuid(&rows, 0);
		*ret_member = sql_uuid(&rows, 1);
		*ret_key_version = (uint32_t)sql_int(&rows, 2);
	}
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int key_row_count_psk(struct txn *txn, uint32_t psk_version, uint32_t *ret_n)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, "SELECT count(*) FROM keys WHERE psk_version = ?1",
		  SQL_ARGS(SQL_INT(psk_version)));
	r = sql_next(&rows);
	if (r > 0)
		*ret_n = (uint32_t)sql_int(&rows, 0);
	sql_end(&rows);
	return r < 0 ? r : 0;
}
