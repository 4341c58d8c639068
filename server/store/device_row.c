/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/device_row.h"

#include "base/err.h"
#include "server/store/sql.h"

#define SELECT_DEVICES                                                                             \
	"SELECT d.id, m.state, d.type, m.label, m.slug, m.ip4, m.created_ms, m.generation,"        \
	" d.owner, d.home, u.name, d.key_version, d.needs_new_config,"                             \
	" a.public_key, a.key_version, a.psk_version,"                                             \
	" p.public_key, p.key_version, p.psk_version, p.until_ms"                                  \
	" FROM devices d JOIN members m ON m.tenant = d.tenant AND m.id = d.id"                    \
	" JOIN users u ON u.tenant = d.tenant AND u.id = d.owner"                                  \
	" LEFT JOIN keys a ON a.tenant = d.tenant AND a.member = d.id AND a.slot = 1"              \
	" LEFT JOIN keys p ON p.tenant = d.tenant AND p.member = d.id AND p.slot = 2"

static void fill_key(struct sql_rows *rows, int at, struct key_row *row)
{
	sql_bytes(rows, at, row->public_key.b, KEY_LEN);
	row->key_version = (uint32_t)sql_int(rows, at + 1);
	row->psk_version = (uint32_t)sql_int(rows, at + 2);
}

static void fill(struct sql_rows *rows, const struct uuid *tenant, struct device_row *row)
{
	*row = (struct device_row){.tenant = *tenant, .id = sql_uuid(rows, 0)};
	row->state = (int)sql_int(rows, 1);
	row->type = (int)sql_int(rows, 2);
	sql_text(rows, 3, row->label, sizeof(row->label));
	sql_text(rows, 4, row->slug, sizeof(row->slug));
	row->ip4 = (uint32_t)sql_int(rows, 5);
	row->created_ms = sql_int(rows, 6);
	row->generation = (uint64_t)sql_int(rows, 7);
	row->owner = sql_uuid(rows, 8);
	row->home = sql_uuid(rows, 9);
	sql_text(rows, 10, row->owner_name, sizeof(row->owner_name));
	row->key_version = (uint32_t)sql_int(rows, 11);
	row->needs_new_config = sql_int(rows, 12) != 0;
	fill_key(rows, 13, &row->active);
	fill_key(rows, 16, &row->pending);
	row->pending.until_ms = sql_int(rows, 19);
}

int device_row_insert(struct txn *txn, const struct device_row *row)
{
	return sql_run(txn,
		       "INSERT INTO devices (tenant, id, type, owner, home, key_version,"
		       " needs_new_config) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
		       SQL_ARGS(SQL_UUID(&row->tenant), SQL_UUID(&row->id), SQL_INT(row->type),
				SQL_UUID(&row->owner), SQL_UUID(&row->home),
				SQL_INT(row->key_version), SQL_INT(row->needs_new_config)));
}

int device_row_save(struct txn *txn, const struct device_row *row)
{
	return sql_run(txn,
		       "UPDATE devices SET type = ?3, home = ?4, key_version = ?5,"
		       " needs_new_config = ?6 WHERE tenant = ?1 AND id = ?2",
		       SQL_ARGS(SQL_UUID(&row->tenant), SQL_UUID(&row->id), SQL_INT(row->type),
				SQL_UUID(&row->home), SQL_INT(row->key_version),
				SQL_INT(row->needs_new_config)));
}

int device_row_get(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		   struct device_row *ret)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, SELECT_DEVICES " WHERE d.tenant = ?1 AND d.id = ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_UUID(id)));
	r = sql_next(&rows);
	if (r > 0)
		fill(&rows, tenant, ret);
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int device_row_list(struct txn *txn, const struct uuid *tenant, const struct device_filter *filter,
		    device_row_fn fn, void *arg)
{
	struct device_row row;
	struct sql_rows rows;
	int r;

	if (!uuid_is_nil(&filter->owner))
		sql_query(txn, &rows,
			  SELECT_DEVICES " WHERE d.tenant = ?1 AND d.owner = ?2 AND d.id > ?3"
					 " ORDER BY d.id LIMIT ?4",
			  SQL_ARGS(SQL_UUID(tenant), SQL_UUID(&filter->owner),
				   SQL_UUID(&filter->after), SQL_INT(filter->limit)));
	else if (!uuid_is_nil(&filter->home))
		sql_query(txn, &rows,
			  SELECT_DEVICES " WHERE d.tenant = ?1 AND d.home = ?2 AND d.id > ?3"
					 " ORDER BY d.id LIMIT ?4",
			  SQL_ARGS(SQL_UUID(tenant), SQL_UUID(&filter->home),
				   SQL_UUID(&filter->after), SQL_INT(filter->limit)));
	else
		sql_query(txn, &rows,
			  SELECT_DEVICES " WHERE d.tenant = ?1 AND d.id > ?2"
					 " ORDER BY d.id LIMIT ?3",
			  SQL_ARGS(SQL_UUID(tenant), SQL_UUID(&filter->after),
				   SQL_INT(filter->limit)));
	while ((r = sql_next(&rows)) > 0) {
		fill(&rows, tenant, &row);
		r = fn(arg, &row);
		if (r)
			break;
	}
	sql_end(&rows);
	return r;
}
