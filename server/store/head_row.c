/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/head_row.h"

#include "base/err.h"
#include "server/store/sql.h"

int head_row_put(struct txn *txn, const struct audithead *head)
{
	return sql_run(txn,
		       "INSERT INTO audit_heads (tenant, seq, signed_ms, hash, kid, signature)"
		       " VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (tenant, seq) DO UPDATE SET"
		       " signed_ms = ?3, hash = ?4, kid = ?5, signature = ?6",
		       SQL_ARGS(SQL_UUID(&head->tenant), SQL_INT(head->seq), SQL_INT(head->time_ms),
				SQL_BLOB(head->hash, HASH_LEN), SQL_TEXT(head->kid),
				SQL_BLOB(head->signature, SIGN_LEN)));
}

/* Of columns tenant, seq, hash and, where it is signed, signed_ms, kid, signature. */
static int each(struct sql_rows *rows, bool is_signed, head_row_fn fn, void *arg)
{
	int r;

	while ((r = sql_next(rows)) > 0) {
		struct audithead head = {.tenant = sql_uuid(rows, 0)};

		head.seq = (uint64_t)sql_int(rows, 1);
		sql_bytes(rows, 2, head.hash, sizeof(head.hash));
		if (is_signed) {
			head.time_ms = sql_int(rows, 3);
			sql_text(rows, 4, head.kid, sizeof(head.kid));
			sql_bytes(rows, 5, head.signature, sizeof(head.signature));
		}
		r = fn(arg, &head);
		if (r)
			break;
	}
	sql_end(rows);
	return r;
}

int head_row_list(struct txn *txn, const struct uuid *tenant, head_row_fn fn, void *arg)
{
	struct sql_rows rows;

	sql_query(txn, &rows,
		  "SELECT tenant, seq, hash, signed_ms, kid, signature FROM audit_heads"
		  " WHERE tenant = ?1 ORDER BY seq",
		  SQL_ARGS(SQL_UUID(tenant)));
	return each(&rows, true, fn, arg);
}

int head_row_newest(struct txn *txn, const struct uuid *after, uint32_t limit, head_row_fn fn,
		    void *arg)
{
	struct sql_rows rows;

	sql_query(txn, &rows,
		  "SELECT tenant, seq, hash, signed_ms, kid, signature FROM audit_heads AS h"
		  " WHERE tenant > ?1 AND seq = (SELECT max(seq) FROM audit_heads AS m"
		  " WHERE m.tenant = h.tenant) ORDER BY tenant LIMIT ?2",
		  SQL_ARGS(SQL_UUID(after), SQL_INT(limit)));
	return each(&rows, true, fn, arg);
}

int head_row_due(struct txn *txn, int64_t from_ms, int64_t before_ms, uint32_t limit,
		 head_row_fn fn, void *arg)
{
	struct sql_rows rows;

	sql_query(txn, &rows,
		  "SELECT id, audit_seq, audit_hash FROM tenants AS t WHERE NOT EXISTS"
		  " (SELECT 1 FROM audit_heads AS h WHERE h.tenant = t.id"
		  " AND h.signed_ms >= ?1 AND h.signed_ms < ?2) ORDER BY id LIMIT ?3",
		  SQL_ARGS(SQL_INT(from_ms), SQL_INT(before_ms), SQL_INT(limit)));
	return each(&rows, false, fn, arg);
}

int head_row_present(struct txn *txn, const struct uuid *after, uint32_t limit, head_row_fn fn,
		     void *arg)
{
	struct sql_rows rows;

	sql_query(txn, &rows,
		  "SELECT id, audit_seq, audit_hash FROM tenants WHERE id > ?1 ORDER BY id LIMIT "
		  "?2",
		  SQL_ARGS(SQL_UUID(after), SQL_INT(limit)));
	return each(&rows, false, fn, arg);
}
