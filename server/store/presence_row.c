/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/presence_row.h"

#include "base/err.h"
#include "server/store/sql.h"

int presence_row_put(struct txn *txn, const struct presence_row *row)
{
	return sql_run(txn,
		       "INSERT INTO presence (tenant, device, handshake_ms, seen_ms, rx, tx)"
		       " SELECT tenant, id, ?3, ?4, ?5, ?6 FROM members"
		       " WHERE tenant = ?1 AND id = ?2"
		       " ON CONFLICT (tenant, device) DO UPDATE SET"
		       " handshake_ms = excluded.handshake_ms, seen_ms = excluded.seen_ms,"
		       " rx = excluded.rx, tx = excluded.tx",
		       SQL_ARGS(SQL_UUID(&row->tenant), SQL_UUID(&row->device),
				SQL_INT(row->handshake_ms), SQL_INT(row->seen_ms), SQL_INT(row->rx),
				SQL_INT(row->tx)));
}

int presence_row_all(struct txn *txn, presence_row_fn fn, void *arg)
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, "SELECT tenant, device, handshake_ms, seen_ms, rx, tx FROM presence",
		  NULL, 0);
	while ((r = sql_next(&rows)) > 0) {
		struct presence_row row = {
			.tenant = sql_uuid(&rows, 0),
			.device = sql_uuid(&rows, 1),
			.handshake_ms = sql_int(&rows, 2),
			.seen_ms = sql_int(&rows, 3),
			.rx = (uint64_t)sql_int(&rows, 4),
			.tx = (uint64_t)sql_int(&rows, 5),
		};

		r = fn(arg, &row);
		if (r)
			break;
	}
	sql_end(&rows);
	return r;
}
