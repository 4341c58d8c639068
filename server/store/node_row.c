/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/node_row.h"

#include "base/err.h"
#include "server/store/sql.h"

#define SELECT_NODES                                                                               \
	"SELECT n.id, m.label, m.slug, m.ip4, m.created_ms, m.generation, n.identity, n.endpoint," \
	" n.version, k.public_key"                                                                 \
	" FROM nodes n JOIN members m ON m.tenant = n.tenant AND m.id = n.id"                      \
	" LEFT JOIN keys k ON k.tenant = n.tenant AND k.member = n.id AND k.slot = 1"

static void fill(struct sql_rows *rows, const struct uuid *tenant, struct node_row *row)
{
	*row = (struct node_row){.tenant = *tenant, .id = sql_uuid(rows, 0)};
	sql_text(rows, 1, row->label, sizeof(row->label));
	sql_text(rows, 2, row->slug, sizeof(row->slug));
	row->ip4 = (uint32_t)sql_int(rows, 3);
	row->created_ms = sql_int(rows, 4);
	row->generation = (uint64_t)sql_int(rows, 5);
	sql_bytes(rows, 6, row->identity, sizeof(row->identity));
	sql_text(rows, 7, row->endpoint, sizeof(row->endpoint));
	sql_text(rows, 8, row->version, sizeof(row->version));
	sql_bytes(rows, 9, row->public_key.b, KEY_LEN);
}

int node_row_insert(struct txn *txn, const struct node_row *row)
{
	return sql_run(txn,
		       "INSERT INTO nodes (tenant, id, identity, endpoint, version)"
		       " VALUES (?1, ?2, ?3, ?4, ?5)",
		       SQL_ARGS(SQL_UUID(&row->tenant), SQL_UUID(&row->id),
				SQL_BLOB(row->identity, 32), SQL_TEXT(row->endpoint),
				SQL_TEXT(row->version)));
}

int node_row_get(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		 struct node_row *ret)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, SELECT_NODES " WHERE n.tenant = ?1 AND n.id = ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_UUID(id)));
	r = sql_next(&rows);
	if (r > 0)
		fill(&rows, tenant, ret);
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int node_row_find(struct txn *txn, const struct uuid *id, struct uuid *ret_tenant,
		  uint8_t ret_identity[32])
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, "SELECT tenant, identity FROM nodes WHERE id = ?1",
		  SQL_ARGS(SQL_UUID(id)));
	r = sql_next(&rows);
	if (r > 0) {
		*ret_tenant = sql_uuid(&rows, 0);
		sql_bytes(&rows, 1, ret_identity, 32);
	}
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int node_row_list(struct txn *txn, const struct uuid *tenant, const struct uuid *after,
		  uint32_t limit, node_row_fn fn, void *arg)
{
	struct node_row row;
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows,
		  SELECT_NODES " WHERE n.tenant = ?1 AND n.id > ?2 ORDER BY n.id LIMIT ?3",
		  SQL_ARGS(SQL_UUID(tenant), SQL_UUID(after), SQL_INT(limit)));
	while ((r = sql_next(&rows)) > 0) {
		fill(&rows, tenant, &row);
		r = fn(arg, &row);
		if (r)
			break;
	}
	sql_end(&rows);
	return r;
}

int node_row_count_devices(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
			   uint32_t *ret_n)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, "SELECT count(*) FROM devices WHERE tenant = ?1 AND home = ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_UUID(id)));
	r = sql_next(&rows);
	if (r > 0)
		*ret_n = (uint32_t)sql_int(&rows, 0);
	sql_end(&rows);
	return r < 0 ? r : 0;
}
