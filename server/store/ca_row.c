/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/ca_row.h"

#include <string.h>

#include "base/err.h"
#include "server/store/sql.h"

int ca_row_get(struct txn *txn, struct ca_row *row)
{
	struct sql_rows rows;
	const void *der;
	size_t len;
	int r;

	sql_query(txn, &rows, "SELECT certificate FROM tenant_cas WHERE tenant = ?1 AND kid = ?2",
		  SQL_ARGS(SQL_UUID(&row->tenant), SQL_TEXT(row->kid)));
	r = sql_next(&rows);
	if (r > 0) {
		der = sql_blob(&rows, 0, &len);
		row->len = len < sizeof(row->der) ? len : sizeof(row->der);
		memcpy(row->der, der, row->len);
	}
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int ca_row_put(struct txn *txn, const struct ca_row *row)
{
	/* A tenant that is gone meanwhile leaves nothing to refer to. */
	return sql_run(
		txn,
		"INSERT INTO tenant_cas (tenant, kid, certificate)"
		" SELECT id, ?2, ?3 FROM tenants WHERE id = ?1"
		" ON CONFLICT (tenant, kid) DO NOTHING",
		SQL_ARGS(SQL_UUID(&row->tenant), SQL_TEXT(row->kid), SQL_BLOB(row->der, row->len)));
}
