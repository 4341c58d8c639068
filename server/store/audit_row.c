/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/audit_row.h"

#include <string.h>

#include "base/err.h"
#include "base/sign.h"
#include "server/store/sql.h"

#define COLUMNS                                                                                    \
	"seq, time_ms, actor_id, actor, action, object_id, object, origin, request_id, result, hash"

static void be64(uint64_t v, uint8_t ret[8])
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		ret[i] = (uint8_t)v;
}

/* Every text with its NUL: no two rows have the same bytes. */
static void chain(const uint8_t before[32], const struct audit_row *row, uint8_t ret[32])
{
	uint8_t seq[8], time[8];
	const struct hash_part parts[] = {
		{"qmesh-audit/1", 14},
		{before, 32},
		{row->tenant.b, 16},
		{seq, 8},
		{time, 8},
		{row->actor_id.b, 16},
		{row->object_id.b, 16},
		{row->actor, strlen(row->actor) + 1},
		{row->action, strlen(row->action) + 1},
		{row->object, strlen(row->object) + 1},
		{row->origin, strlen(row->origin) + 1},
		{row->request_id, strlen(row->request_id) + 1},
		{row->result, strlen(row->result) + 1},
	};

	be64(row->seq, seq);
	be64((uint64_t)row->time_ms, time);
	hash_parts(NULL, 0, parts, ARRAY_LEN(parts), ret);
}

static void fill(struct sql_rows *rows, const struct uuid *tenant, struct audit_row *row)
{
	*row = (struct audit_row){.tenant = *tenant, .seq = (uint64_t)sql_int(rows, 0)};
	row->time_ms = sql_int(rows, 1);
	row->actor_id = sql_uuid(rows, 2);
	sql_text(rows, 3, row->actor, sizeof(row->actor));
	sql_text(rows, 4, row->action, sizeof(row->action));
	row->object_id = sql_uuid(rows, 5);
	sql_text(rows, 6, row->object, sizeof(row->object));
	sql_text(rows, 7, row->origin, sizeof(row->origin));
	sql_text(rows, 8, row->request_id, sizeof(row->request_id));
	sql_text(rows, 9, row->result, sizeof(row->result));
	sql_bytes(rows, 10, row->hash, sizeof(row->hash));
}

int audit_row_head(struct txn *txn, const struct uuid *tenant, uint64_t *ret_seq,
		   uint8_t ret_hash[32])
{
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows, "SELECT audit_seq, audit_hash FROM tenants WHERE id = ?1",
		  SQL_ARGS(SQL_UUID(tenant)));
	r = sql_next(&rows);
	if (r > 0) {
		*ret_seq = (uint64_t)sql_int(&rows, 0);
		sql_bytes(&rows, 1, ret_hash, 32);
	}
	sql_end(&rows);
	return r > 0 ? 0 : r < 0 ? r : ERR_NOT_FOUND;
}

int audit_row_append(struct txn *txn, struct audit_row *row)
{
	uint8_t before[32];
	uint64_t seq;
	int r;

	r = audit_row_head(txn, &row->tenant, &seq, before);
	if (r)
		return r;
	row->seq = seq + 1;
	chain(before, row, row->hash);
	r = sql_run(txn,
		    "INSERT INTO audit (tenant, " COLUMNS ")"
		    " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
		    SQL_ARGS(SQL_UUID(&row->tenant), SQL_INT(row->seq), SQL_INT(row->time_ms),
			     SQL_UUID_OR_NULL(&row->actor_id), SQL_TEXT(row->actor),
			     SQL_TEXT(row->action), SQL_UUID_OR_NULL(&row->object_id),
			     SQL_TEXT(row->object), SQL_TEXT(row->origin),
			     SQL_TEXT(row->request_id), SQL_TEXT(row->result),
			     SQL_BLOB(row->hash, 32)));
	if (r)
		return err_trace(r);
	return sql_run(
		txn, "UPDATE tenants SET audit_seq = ?2, audit_hash = ?3 WHERE id = ?1",
		SQL_ARGS(SQL_UUID(&row->tenant), SQL_INT(row->seq), SQL_BLOB(row->hash, 32)));
}

int audit_row_list(struct txn *txn, const struct uuid *tenant, uint64_t before, uint32_t limit,
		   audit_row_fn fn, void *arg)
{
	struct audit_row row;
	struct sql_rows rows;
	int r;

	sql_query(txn, &rows,
		  "SELECT " COLUMNS " FROM audit WHERE tenant = ?1 AND seq < ?2"
		  " ORDER BY seq DESC LIMIT ?3",
		  SQL_ARGS(SQL_UUID(tenant), SQL_INT(before), SQL_INT(limit)));
	while ((r = sql_next(&rows)) > 0) {
		fill(&rows, tenant, &row);
		r = fn(arg, &row);
		if (r)
			break;
	}
	sql_end(&rows);
	return r;
}

/* What the texts and ids of a row take in the store, where a text may hide bytes behind a NUL. */
#define WIDTH                                                                                      \
	"length(CAST(actor AS BLOB)) + length(CAST(action AS BLOB)) +"                             \
	" length(CAST(object AS BLOB)) + length(CAST(origin AS BLOB)) +"                           \
	" length(CAST(request_id AS BLOB)) + length(CAST(result AS BLOB)) +"                       \
	" coalesce(length(actor_id), 0) + coalesce(length(object_id), 0)"

static size_t width(const struct audit_row *row)
{
	size_t ids =
		(uuid_is_nil(&row->actor_id) ? 0 : 16) + (uuid_is_nil(&row->object_id) ? 0 : 16);

	return strlen(row->actor) + strlen(row->action) + strlen(row->object) +
	       strlen(row->origin) + strlen(row->request_id) + strlen(row->result) + ids;
}

static void blame(struct audit_check *check, enum audit_fault fault, uint64_t seq)
{
	if (check->fault != AUDIT_WHOLE)
		return;
	check->fault = fault;
	check->bad_seq = seq;
}

/* Where somebody noted a row: is it the one they saw? at: the next mark. */
static void check_marks(struct audit_check *check, const struct audit_row *row, size_t *at)
{
	for (; *at < check->n_marks && check->marks[*at].seq <= row->seq; (*at)++) {
		const struct audit_mark *mark = &check->marks[*at];

		if (mark->seq != row->seq || check->fault != AUDIT_WHOLE)
			continue;
		if (memcmp(mark->hash, row->hash, sizeof(mark->hash)) == 0)
			check->from_seq = mark->seq + 1;
		else
			blame(check, AUDIT_REWRITTEN, mark->seq);
	}
}

/* One row in its place: after it, check->head is what the next one builds on. */
static void check_row(struct audit_check *check, const struct audit_row *row, size_t stored_width)
{
	uint8_t want[32];

	check->n_rows++;
	if (row->seq != check->n_rows && check->fault == AUDIT_WHOLE)
		blame(check, row->seq > check->n_rows ? AUDIT_MISSING : AUDIT_CHANGED,
		      row->seq > check->n_rows ? check->n_rows : row->seq);
	chain(check->head, row, want);
	if (memcmp(want, row->hash, 32) != 0 || width(row) != stored_width)
		blame(check, AUDIT_CHANGED, row->seq);
	memcpy(check->head, want, 32);
}

/* What the last row says, the tenant's own row and the marks behind it. */
static void check_end(struct audit_check *check, uint64_t stored_seq, const uint8_t stored[32])
{
	uint64_t noted = check->n_marks ? check->marks[check->n_marks - 1].seq : 0;

	if (stored_seq > check->n_rows || noted > check->n_rows)
		blame(check, AUDIT_MISSING, check->n_rows + 1);
	else if (stored_seq < check->n_rows)
		blame(check, AUDIT_CHANGED, stored_seq + 1);
	else if (memcmp(stored, check->head, 32) != 0)
		blame(check, AUDIT_CHANGED, stored_seq);
	if (check->fault != AUDIT_REWRITTEN)
		check->from_seq = check->bad_seq;
}

int audit_row_verify(struct txn *txn, const struct uuid *tenant, struct audit_check *check)
{
	struct audit_check found = {
		.marks = check->marks, .n_marks = check->n_marks, .from_seq = 1};
	uint8_t stored[32];
	uint64_t stored_seq;
	struct audit_row row;
	struct sql_rows rows;
	size_t at = 0;
	int r;

	r = audit_row_head(txn, tenant, &stored_seq, stored);
	if (r)
		return r;
	sql_query(txn, &rows,
		  "SELECT " COLUMNS ", " WIDTH " FROM audit WHERE tenant = ?1 ORDER BY seq",
		  SQL_ARGS(SQL_UUID(tenant)));
	while ((r = sql_next(&rows)) > 0) {
		fill(&rows, tenant, &row);
		check_row(&found, &row, (size_t)sql_int(&rows, 11));
		check_marks(&found, &row, &at);
	}
	sql_end(&rows);
	if (r)
		return err_trace(r);
	check_end(&found, stored_seq, stored);
	*check = found;
	return 0;
}
