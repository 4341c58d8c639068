/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/revival.h"

#include <stdio.h>

#include "base/clock.h"
#include "base/err.h"
#include "server/store/audit_row.h"
#include "server/store/sql.h"
#include "server/store/tenant_row.h"

struct revival {
	struct txn *txn;
	int64_t made_ms, now_ms;
};

static int note(void *arg, const struct tenant_row *tenant)
{
	struct revival *v = arg;
	struct audit_row row = {.tenant = tenant->id,
				.time_ms = v->now_ms,
				.actor = "operator",
				.action = "store.restore",
				.origin = "local",
				.result = "OK"};
	char when[25];

	snprintf(row.object, sizeof(row.object), "backup of %s", clock_rfc3339(v->made_ms, when));
	return audit_row_append(v->txn, &row);
}

static int revive(struct txn *txn, void *ctx)
{
	static const struct uuid first;
	struct revival *v = ctx;
	int r;

	v->txn = txn;
	r = sql_run(txn, "UPDATE tenants SET epoch = max(epoch + 1, ?1)",
		    SQL_ARGS(SQL_INT(v->now_ms)));
	if (!r)
		r = sql_run(txn, "UPDATE sessions SET ended_ms = ?1 WHERE ended_ms IS NULL",
			    SQL_ARGS(SQL_INT(v->now_ms)));
	if (!r)
		r = sql_run(txn, "DELETE FROM join_tokens WHERE used_ms IS NULL", NULL, 0);
	return r ? err_trace(r) : tenant_row_list(txn, &first, UINT32_MAX, note, v);
}

int revival_run(const char *path, int64_t made_ms, int64_t now_ms)
{
	const struct store_options options = {.path = path};
	struct revival v = {.made_ms = made_ms, .now_ms = now_ms};
	_cleanup_(store_closep) struct store *store = NULL;
	int r;

	r = store_open(&options, &store);
	if (r)
		return r;
	return store_write(store, revive, NULL, &v);
}
