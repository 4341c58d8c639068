/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/member_row.h"

#include <string.h>

#include "base/err.h"
#include "server/store/sql.h"

int member_row_insert(struct txn *txn, const struct member_row *row)
{
	return sql_run(txn,
		       "INSERT INTO members (tenant, id, kind, state, label, slug, ip4, record,"
		       " generation, created_ms)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
		       SQL_ARGS(SQL_UUID(&row->tenant), SQL_UUID(&row->id), SQL_INT(row->kind),
				SQL_INT(row->state), SQL_TEXT(row->label), SQL_TEXT(row->slug),
				SQL_INT(row->ip4), SQL_BLOB(row->record, row->record_len),
				SQL_INT(row->generation), SQL_INT(row->created_ms)));
}

int member_row_save(struct txn *txn, const struct member_row *row)
{
	return sql_run(txn,
		       "UPDATE members SET state = ?3, label = ?4, slug = ?5, record = ?6,"
		       " generation = ?7 WHERE tenant = ?1 AND id = ?2",
		       SQL_ARGS(SQL_UUID(&row->tenant), SQL_UUID(&row->id), SQL_INT(row->state),
				SQL_TEXT(row->label), SQL_TEXT(row->slug),
				SQL_BLOB(row->record, row->record_len), SQL_INT(row->generation)));
}

int member_row_delete(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		      uint64_t generation)
{
	int r;

	r = sql_run(txn, "DELETE FROM members WHERE tenant = ?1 AND id = ?2",
		    SQL_ARGS(SQL_UUID(tenant), SQL_UUID(id)));
	if (r)
		return err_trace(r);
	if (!sql_changes(txn))
		return ERR_NOT_FOUND;
	return sql_run(txn, "INSERT INTO removed (tenant, generation, id) VALUES (?1, ?2, ?3)",
		       SQL_ARGS(SQL_UUID(tenant), SQL_INT(generation), SQL_UUID(id)));
}

int member_row_record(struct txn *txn, const struct uuid *tenant, const struct uuid *id,
		      uint8_t ret[MEMBER_ROW_RECORD_MAX], size_t *ret_len)
{
	struct sql_rows rows;
	const void *p;
	size_t len;
	int r;

	sql_query(txn, &rows, "SELECT record FROM members WHERE tenant = ?1 AND id = ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_UUID(id)));
	r = sql_next(&rows);
	if (r > 0) {
		p = sql_blob(&rows, 0, &len);
		if (len > MEMBER_ROW_RECORD_MAX) {
			r = err_origin(-EBADMSG);
		} else {
			memcpy(ret, p, len);
			*ret_len = len;
		}
	}
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int member_row_by_slug(struct txn *txn, const struct uuid *tenant, const char *slug,
		       struct uuid *ret_id)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, "SELECT id FROM members WHERE tenant = ?1 AND slug = ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_TEXT(slug)));
	r = sql_next(&rows);
	if (r > 0)
		*ret_id = sql_uuid(&rows, 0);
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

static int each(struct sql_rows *rows, member_row_fn fn, void *arg)
{
	int r;

	while ((r = sql_next(rows)) > 0) {
		struct uuid id = sql_uuid(rows, 0);
		size_t len;
		const void *record = sql_blob(rows, 1, &len);

		r = fn(arg, &id, record, len);
		if (r)
			break;
	}
	sql_end(rows);
	return r;
}

int member_row_since(struct txn *txn, const struct uuid *tenant, uint64_t generation,
		     member_row_fn fn, void *arg)
{
	struct sql_rows rows;

	sql_query(txn, &rows,
		  "SELECT id, record FROM members WHERE tenant = ?1 AND generation > ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_INT(generation)));
	return each(&rows, fn, arg);
}

int member_row_gone(struct txn *txn, const struct uuid *tenant, uint64_t generation,
		    member_gone_fn fn, void *arg)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, "SELECT id FROM removed WHERE tenant = ?1 AND generation > ?2",
		  SQL_ARGS(SQL_UUID(tenant), SQL_INT(generation)));
	while ((r = sql_next(&rows)) > 0) {
		struct uuid id = sql_uuid(&rows, 0);

		r = fn(arg, &id);
		if (r)
			break;
	}
	sql_end(&rows);
	return r;
}
