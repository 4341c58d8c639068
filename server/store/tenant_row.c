/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/tenant_row.h"

#include <string.h>

#include "base/err.h"
#include "server/store/sql.h"

#define COLUMNS                                                                                    \
	"id, name, plan, cap, range4, range6, epoch, generation, record_generation, digest,"       \
	" devices, nodes, next_node, next_device, lease_s, created_ms, plan_source, trial_plan,"   \
	" features, licence_serial, licence_state, licensed_plan, licence_expires_ms,"             \
	" licence_grace_ms, sso_required"

static void fill(struct sql_rows *rows, struct tenant_row *row)
{
	*row = (struct tenant_row){.id = sql_uuid(rows, 0)};
	sql_text(rows, 1, row->name, sizeof(row->name));
	row->plan = (int)sql_int(rows, 2);
	row->cap = (uint32_t)sql_int(rows, 3);
	row->range4 = (uint32_t)sql_int(rows, 4);
	sql_bytes(rows, 5, row->range6, sizeof(row->range6));
	row->epoch = (uint64_t)sql_int(rows, 6);
	row->generation = (uint64_t)sql_int(rows, 7);
	row->record_generation = (uint64_t)sql_int(rows, 8);
	sql_bytes(rows, 9, row->digest, sizeof(row->digest));
	row->devices = (uint32_t)sql_int(rows, 10);
	row->nodes = (uint32_t)sql_int(rows, 11);
	row->next_node = (uint32_t)sql_int(rows, 12);
	row->next_device = (uint32_t)sql_int(rows, 13);
	row->lease_s = (uint64_t)sql_int(rows, 14);
	row->created_ms = sql_int(rows, 15);
	row->plan_source = (int)sql_int(rows, 16);
	row->trial_plan = (int)sql_int(rows, 17);
	sql_text(rows, 18, row->features, sizeof(row->features));
	row->licence_serial = (uint64_t)sql_int(rows, 19);
	row->licence_state = (int)sql_int(rows, 20);
	row->licensed_plan = (int)sql_int(rows, 21);
	row->licence_expires_ms = sql_int(rows, 22);
	row->licence_grace_ms = sql_int(rows, 23);
	row->sso_required = sql_int(rows, 24) != 0;
}

/* One row or ERR_NOT_FOUND; ends the statement. */
static int one(struct sql_rows *rows, struct tenant_row *ret)
{
	int r = sql_next(rows);

	if (r > 0)
		fill(rows, ret);
	sql_end(rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

static int save_record(struct txn *txn, const struct tenant_row *row)
{
	return sql_run(txn,
		       "UPDATE tenants SET plan = ?2, cap = ?3, plan_source = ?4, trial_plan = ?5,"
		       " features = ?6, licence_serial = ?7, licence_state = ?8,"
		       " licensed_plan = ?9, licence_expires_ms = ?10, licence_grace_ms = ?11,"
		       " lease_s = ?12 WHERE id = ?1",
		       SQL_ARGS(SQL_UUID(&row->id), SQL_INT(row->plan), SQL_INT(row->cap),
				SQL_INT(row->plan_source), SQL_INT(row->trial_plan),
				SQL_TEXT(row->features), SQL_INT(row->licence_serial),
				SQL_INT(row->licence_state), SQL_INT(row->licensed_plan),
				SQL_INT(row->licence_expires_ms), SQL_INT(row->licence_grace_ms),
				SQL_INT(row->lease_s)));
}

int tenant_row_insert(struct txn *txn, const struct tenant_row *row)
{
	static const uint8_t zero[32];

	int r;

	store_touch(txn, &row->id);
	r = sql_run(txn,
		    "INSERT INTO tenants (id, name, plan, cap, range4, range6, epoch,"
		    " generation, record_generation, digest, next_node, next_device, lease_s,"
		    " audit_hash, created_ms)"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
		    SQL_ARGS(SQL_UUID(&row->id), SQL_TEXT(row->name), SQL_INT(row->plan),
			     SQL_INT(row->cap), SQL_INT(row->range4), SQL_BLOB(row->range6, 16),
			     SQL_INT(row->epoch), SQL_INT(row->generation),
			     SQL_INT(row->record_generation), SQL_BLOB(row->digest, 32),
			     SQL_INT(row->next_node), SQL_INT(row->next_device),
			     SQL_INT(row->lease_s), SQL_BLOB(zero, 32), SQL_INT(row->created_ms)));
	return r ? r : save_record(txn, row);
}

int tenant_row_get(struct txn *txn, const struct uuid *id, struct tenant_row *ret)
{
	struct sql_rows rows;

	sql_query(txn, &rows, "SELECT " COLUMNS " FROM tenants WHERE id = ?1",
		  SQL_ARGS(SQL_UUID(id)));
	return one(&rows, ret);
}

int tenant_row_find(struct txn *txn, const char *name, struct tenant_row *ret)
{
	struct sql_rows rows;

	sql_query(txn, &rows, "SELECT " COLUMNS " FROM tenants WHERE name = ?1",
		  SQL_ARGS(SQL_TEXT(name)));
	return one(&rows, ret);
}

int tenant_row_only(struct txn *txn, struct tenant_row *ret)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, "SELECT " COLUMNS " FROM tenants LIMIT 2", NULL, 0);
	r = sql_next(&rows);
	if (r > 0) {
		struct tenant_row row;

		fill(&rows, &row);
		r = sql_next(&rows);
		if (!r) {
			*ret = row;
			sql_end(&rows);
			return 0;
		}
	}
	sql_end(&rows);
	return r < 0 ? r : ERR_NOT_FOUND;
}

int tenant_row_list(struct txn *txn, const struct uuid *after, uint32_t limit, tenant_row_fn fn,
		    void *arg)
{
	struct tenant_row row;
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, "SELECT " COLUMNS " FROM tenants WHERE id > ?1 ORDER BY id LIMIT ?2",
		  SQL_ARGS(SQL_UUID(after), SQL_INT(limit)));
	while ((r = sql_next(&rows)) > 0) {
		fill(&rows, &row);
		r = fn(arg, &row);
		if (r)
			break;
	}
	sql_end(&rows);
	return r;
}

int tenant_row_bump(struct txn *txn, const struct uuid *id, struct tenant_row *ret)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows,
		  "UPDATE tenants SET generation = generation + 1 WHERE id = ?1 RETURNING " COLUMNS,
		  SQL_ARGS(SQL_UUID(id)));
	r = sql_next(&rows);
	if (r > 0) {
		fill(&rows, ret);
		r = sql_next(&rows);
		sql_end(&rows);
		return r < 0 ? r : 0;
	}
	sql_end(&rows);
	return r < 0 ? r : ERR_NOT_FOUND;
}

int tenant_row_save(struct txn *txn, const struct tenant_row *row, int64_t now_ms)
{
	int r;

	r = sql_run(txn,
		    "UPDATE tenants SET digest = ?2, next_node = ?3, next_device = ?4,"
		    " record_generation = ?5, epoch = ?6 WHERE id = ?1",
		    SQL_ARGS(SQL_UUID(&row->id), SQL_BLOB(row->digest, 32), SQL_INT(row->next_node),
			     SQL_INT(row->next_device), SQL_INT(row->record_generation),
			     SQL_INT(row->epoch)));
	/* Only a change of the record itself touches what the record says. */
	if (!r && row->record_generation == row->generation)
		r = save_record(txn, row);
	if (r)
		return err_trace(r);
	store_touch(txn, &row->id);
	return sql_run(txn,
		       "INSERT INTO generations (tenant, generation, digest, at_ms)"
		       " VALUES (?1, ?2, ?3, ?4)",
		       SQL_ARGS(SQL_UUID(&row->id), SQL_INT(row->generation),
				SQL_BLOB(row->digest, 32), SQL_INT(now_ms)));
}

int tenant_row_set_sso(struct txn *txn, const struct uuid *id, bool required)
{
	return sql_run(txn, "UPDATE tenants SET sso_required = ?2 WHERE id = ?1",
		       SQL_ARGS(SQL_UUID(id), SQL_INT(required)));
}

int tenant_row_count_range(struct txn *txn, uint32_t range4, uint32_t *ret_n)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, "SELECT count(*) FROM tenants WHERE range4 = ?1",
		  SQL_ARGS(SQL_INT(range4)));
	r = sql_next(&rows);
	if (r > 0)
		*ret_n = (uint32_t)sql_int(&rows, 0);
	sql_end(&rows);
	return r < 0 ? r : 0;
}

int tenant_row_digest(struct txn *txn, const struct uuid *id, uint64_t generation, uint8_t ret[32])
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows,
		  "SELECT digest FROM generations WHERE tenant = ?1 AND generation = ?2",
		  SQL_ARGS(SQL_UUID(id), SQL_INT(generation)));
	r = sql_next(&rows);
	if (r > 0)
		sql_bytes(&rows, 0, ret, 32);
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int tenant_row_prune(struct txn *txn, const struct uuid *id, uint64_t before)
{
	int r;

	r = sql_run(txn, "DELETE FROM generations WHERE tenant = ?1 AND generation < ?2",
		    SQL_ARGS(SQL_UUID(id), SQL_INT(before)));
	if (r)
		return err_trace(r);
	return sql_run(txn, "DELETE FROM removed WHERE tenant = ?1 AND generation < ?2",
		       SQL_ARGS(SQL_UUID(id), SQL_INT(before)));
}
