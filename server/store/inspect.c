/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/inspect.h"

#include <string.h>

#include "base/err.h"
#include "server/store/audit_row.h"
#include "server/store/sql.h"
#include "server/store/tenant_row.h"

/* Each gives one line of text per fault. */
static const char *const rules[] = {
	"SELECT 'SQLite: ' || integrity_check FROM pragma_integrity_check(20)"
	" WHERE integrity_check <> 'ok'",
	"SELECT 'a row of ' || \"table\" || ' refers to a row of ' || parent || ' that is not there'"
	" FROM pragma_foreign_key_check LIMIT 20",
	"SELECT 'tenant ' || t.name || ': address ' || (m.ip4 & 65535) || ' is given twice'"
	" FROM members m JOIN tenants t ON t.id = m.tenant"
	" GROUP BY m.tenant, m.ip4 HAVING count(*) > 1 LIMIT 20",
	"SELECT 'tenant ' || t.name || ': ' || m.slug || ' has an address that is not taken'"
	" FROM members m JOIN tenants t ON t.id = m.tenant"
	" LEFT JOIN addresses a ON a.tenant = m.tenant AND a.host = (m.ip4 & 65535)"
	" WHERE a.host IS NULL OR a.freed_ms IS NOT NULL LIMIT 20",
	"SELECT 'tenant ' || t.name || ': ' || m.slug || ' has an address of another range'"
	" FROM members m JOIN tenants t ON t.id = m.tenant"
	" WHERE m.ip4 - (m.ip4 & 65535) <> t.range4 LIMIT 20",
	"SELECT 'tenant ' || t.name || ': the name ' || m.slug || ' is given twice'"
	" FROM members m JOIN tenants t ON t.id = m.tenant"
	" GROUP BY m.tenant, m.slug HAVING count(*) > 1 LIMIT 20",
	"SELECT 'tenant ' || t.name || ': the count of devices is wrong' FROM tenants t"
	" WHERE t.devices <> (SELECT count(*) FROM devices d WHERE d.tenant = t.id) LIMIT 20",
	"SELECT 'tenant ' || t.name || ': the count of nodes is wrong' FROM tenants t"
	" WHERE t.nodes <> (SELECT count(*) FROM nodes n WHERE n.tenant = t.id) LIMIT 20",
	"SELECT 'the guard of the device cap is missing' WHERE NOT EXISTS"
	" (SELECT 1 FROM sqlite_schema WHERE type = 'trigger' AND name = 'devices_in'"
	"  AND sql LIKE '%device cap%')",
	"SELECT 'tenant ' || t.name || ': ' || m.slug || ' is newer than the tenant''s generation'"
	" FROM members m JOIN tenants t ON t.id = m.tenant WHERE m.generation > t.generation"
	" LIMIT 20",
	"SELECT 'tenant ' || t.name || ': ' || m.slug || ' is neither node nor device'"
	" FROM members m JOIN tenants t ON t.id = m.tenant"
	" WHERE NOT EXISTS (SELECT 1 FROM nodes n WHERE n.tenant = m.tenant AND n.id = m.id)"
	" AND NOT EXISTS (SELECT 1 FROM devices d WHERE d.tenant = m.tenant AND d.id = m.id)"
	" LIMIT 20",
};

struct inspection {
	inspect_fn fn;
	void *arg;
	struct inspect_report *report;
	struct txn *txn;
};

static void tell(struct inspection *in, const char *fault)
{
	if (in->report->n_faults++ < INSPECT_FAULTS_MAX)
		in->fn(in->arg, fault);
}

static int try_rule(struct inspection *in, const char *rule)
{
	char fault[300];
	struct sql_rows rows;
	int r;

	sql_query(in->txn, &rows, rule, NULL, 0);
	while ((r = sql_next(&rows)) > 0) {
		sql_text(&rows, 0, fault, sizeof(fault));
		tell(in, fault);
	}
	sql_end(&rows);
	return r;
}

static int count(struct inspection *in)
{
	struct inspect_report *report = in->report;
	struct sql_rows rows;
	int r;

	sql_query(in->txn, &rows,
		  "SELECT (SELECT count(*) FROM tenants), (SELECT count(*) FROM users),"
		  " (SELECT count(*) FROM nodes), (SELECT count(*) FROM devices)",
		  NULL, 0);
	r = sql_next(&rows);
	if (r > 0) {
		report->tenants = (uint64_t)sql_int(&rows, 0);
		report->users = (uint64_t)sql_int(&rows, 1);
		report->nodes = (uint64_t)sql_int(&rows, 2);
		report->devices = (uint64_t)sql_int(&rows, 3);
	}
	sql_end(&rows);
	if (r < 0)
		return r;
	sql_query(in->txn, &rows,
		  "SELECT DISTINCT psk_version FROM keys WHERE psk_version > 0"
		  " ORDER BY psk_version",
		  NULL, 0);
	while ((r = sql_next(&rows)) > 0 && report->n_psk_versions < INSPECT_PSK_MAX)
		report->psk_versions[report->n_psk_versions++] = (uint32_t)sql_int(&rows, 0);
	sql_end(&rows);
	return r < 0 ? r : 0;
}

static int check_chain(void *arg, const struct tenant_row *tenant)
{
	struct audit_check check = {0};
	struct inspection *in = arg;
	char fault[300];
	int r;

	r = audit_row_verify(in->txn, &tenant->id, &check);
	if (r)
		return r;
	in->report->audit_rows += check.n_rows;
	if (check.fault != AUDIT_WHOLE) {
		snprintf(fault, sizeof(fault), "tenant %s: row %llu of the audit is %s",
			 tenant->name, (unsigned long long)check.bad_seq,
			 check.fault == AUDIT_MISSING ? "missing" : "changed");
		tell(in, fault);
	}
	return 0;
}

static int look(struct inspection *in)
{
	static const struct uuid first;
	int r = 0;

	for (size_t i = 0; !r && i < ARRAY_LEN(rules); i++)
		r = try_rule(in, rules[i]);
	if (!r)
		r = count(in);
	return r ? r : tenant_row_list(in->txn, &first, UINT32_MAX, check_chain, in);
}

int inspect_image(const uint8_t *image, size_t len, inspect_fn fn, void *arg,
		  struct inspect_report *ret_report)
{
	struct txn txn = {0};
	struct inspection in = {.fn = fn, .arg = arg, .report = ret_report, .txn = &txn};
	int r;

	*ret_report = (struct inspect_report){0};
	r = sql_open_image(image, len, &txn.db);
	if (r)
		return r;
	r = sql_user_version(txn.db, &ret_report->schema);
	if (!r && ret_report->schema < 1)
		r = -EBADMSG;
	if (!r)
		r = schema_apply(txn.db);
	/* A file so broken that it cannot be asked has one fault, and that is told too. */
	if (r == -EIO || (!r && look(&in) == -EIO)) {
		tell(&in, "the store cannot be read to its end");
		r = 0;
	}
	sql_close(txn.db);
	return r;
}
