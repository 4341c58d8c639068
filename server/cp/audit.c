/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/audit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "server/cp/denials.h"
#include "server/cp/fields.h"
#include "server/cp/tenants.h"

enum { PAGE_DEFAULT = 100 };

void audit_begin(const struct call *call, const char *action, struct audit_row *ret_row)
{
	const struct caller *who = &call->caller;

	*ret_row = (struct audit_row){.tenant = who->tenant_id, .time_ms = clock_wall_ms()};
	switch (who->audience) {
	case AUDIENCE_USER:
		ret_row->actor_id = who->user_id;
		snprintf(ret_row->actor, sizeof(ret_row->actor),
			 *who->token ? "%s (token %s)" : "%s", who->name, who->token);
		break;
	case AUDIENCE_AGENT:
		ret_row->actor_id = who->node_id;
		snprintf(ret_row->actor, sizeof(ret_row->actor), "node:%s", who->name);
		break;
	case AUDIENCE_OPERATOR:
		snprintf(ret_row->actor, sizeof(ret_row->actor), "operator");
		break;
	default:
		break;
	}
	snprintf(ret_row->action, sizeof(ret_row->action), "%s", action);
	snprintf(ret_row->origin, sizeof(ret_row->origin), "%s", who->address);
	snprintf(ret_row->request_id, sizeof(ret_row->request_id), "%s", call->request_id);
}

void audit_object(struct audit_row *row, const struct uuid *id, const char *label)
{
	row->object_id = *id;
	snprintf(row->object, sizeof(row->object), "%s", label);
}

void audit_changed(struct audit_row *row, const struct uuid *id, const char *label,
		   const char *const *parts, size_t n)
{
	_cleanup_(text_done) struct text what = TEXT_INIT(sizeof(row->object) - 1);
	const char *before = " (";

	text_adds(&what, label);
	for (size_t i = 0; i < n; i++) {
		if (!parts[i][0])
			continue;
		text_addf(&what, "%s%s", before, parts[i]);
		before = ", ";
	}
	if (before[0] == ',')
		text_adds(&what, ")");
	audit_object(row, id, what.s ? what.s : label);
}

int audit_end(struct txn *txn, const struct audit_row *row, int result)
{
	struct audit_row copy = *row;

	if (uuid_is_nil(&copy.tenant))
		return 0;
	snprintf(copy.result, sizeof(copy.result), "%s", err_reason((enum err)result));
	return audit_row_append(txn, &copy);
}

/* What call->user points to once the call's outcome has its row. */
static char has_row;

int audit_write(struct call *call, store_fn fn, store_denied_fn denied, void *ctx)
{
	struct cp *cp = call->owner;
	int r = store_write(cp->store, fn, denied, ctx);

	call->user = &has_row;
	return r;
}

struct posted {
	struct audit_row row;
	int result;
};

static int write_posted(struct txn *txn, void *ctx)
{
	struct posted *posted = ctx;

	return audit_end(txn, &posted->row, posted->result);
}

void audit_post(struct call *call, const struct audit_row *row, int result)
{
	struct cp *cp = call->owner;
	struct posted *posted;

	call->user = &has_row;
	if (uuid_is_nil(&row->tenant)) {
		denials_count(cp->denials, call, result);
		return;
	}
	posted = malloc(sizeof(*posted));
	if (!posted)
		return;
	*posted = (struct posted){.row = *row, .result = result};
	if (store_post(cp->store, write_posted, posted, free))
		free(posted);
}

void audit_finished(struct call *call, int r, void *owner)
{
	enum audience wanted = call->method->policy.audience, is = call->caller.audience;
	struct cp *cp = owner;
	struct audit_row row;

	if (r <= 0 || r >= ERR_MAX_ || call->user == &has_row)
		return;
	if (is == AUDIENCE_PUBLIC || (is == AUDIENCE_AGENT && wanted == AUDIENCE_USER)) {
		denials_count(cp->denials, call, r);
		return;
	}
	if (!call->method->policy.audit)
		return;
	audit_begin(call, call->method->policy.audit, &row);
	audit_post(call, &row, r);
}

struct listing {
	struct call *call;
	const char *tenant_name; /* NULL: the caller's own */
	Pb__AuditEntry **entries;
	size_t n;
	uint64_t before;
	uint32_t limit;
};

static int add_entry(void *arg, const struct audit_row *row)
{
	struct listing *l = arg;
	struct call *call = l->call;
	Pb__AuditEntry *e = FIELDS_NEW(call, Pb__AuditEntry, pb__audit_entry__init);
	char *hash = call_alloc(call, TEXT_HEX_LEN(32) + 1);

	if (!e || !hash)
		return -ENOMEM;
	text_hex(row->hash, 32, hash);
	e->seq = row->seq;
	e->time = fields_time(call, row->time_ms);
	e->actor_id = fields_uuid(call, &row->actor_id);
	e->actor = arena_strdup(&call->arena, row->actor);
	e->action = arena_strdup(&call->arena, row->action);
	e->object_id = fields_uuid(call, &row->object_id);
	e->object = arena_strdup(&call->arena, row->object);
	e->from = arena_strdup(&call->arena, row->origin);
	e->request_id = arena_strdup(&call->arena, row->request_id);
	e->result = arena_strdup(&call->arena, row->result);
	e->hash = hash;
	if (!e->actor || !e->action || !e->object || !e->from || !e->request_id || !e->result)
		return -ENOMEM;
	l->entries[l->n++] = e;
	return 0;
}

static int read_page(struct txn *txn, void *ctx)
{
	struct listing *l = ctx;
	struct tenant_row tenant = {.id = l->call->caller.tenant_id};
	int r = 0;

	l->n = 0;
	if (l->tenant_name)
		r = tenants_find(txn, l->tenant_name, &tenant);
	return r ? r : audit_row_list(txn, &tenant.id, l->before, l->limit, add_entry, l);
}

/* A page into l; *ret_next is "" after the last. */
static int list_page(struct listing *l, uint32_t page_size, const char *page_token, char **ret_next)
{
	struct call *call = l->call;
	struct cp *cp = call->owner;
	char *next;
	int r;

	l->before = INT64_MAX;
	l->limit = page_size ? page_size : PAGE_DEFAULT;
	if (*page_token && text_parse_u64(page_token, INT64_MAX, &l->before))
		return call_fail(call, ERR_PAGE_TOKEN_INVALID,
				 "The page token is not one of ours. Start anew.");
	l->entries = call_alloc(call, l->limit * sizeof(*l->entries));
	if (!l->entries)
		return -ENOMEM;
	r = store_read(cp->store, read_page, l);
	if (r)
		return err_trace(r);
	if (l->n < l->limit || l->entries[l->n - 1]->seq <= 1)
		return 0;
	next = arena_printf(&call->arena, "%llu", (unsigned long long)l->entries[l->n - 1]->seq);
	if (!next)
		return -ENOMEM;
	*ret_next = next;
	return 0;
}

int audit_list(struct call *call, const Pb__ListAuditRequest *in, Pb__ListAuditResponse *out)
{
	struct listing l = {.call = call};
	int r;

	r = list_page(&l, in->page_size, in->page_token, &out->next_page_token);
	if (r)
		return r;
	out->entries = l.entries;
	out->n_entries = l.n;
	return 0;
}

int audit_list_tenant(struct call *call, const Pb__ListTenantAuditRequest *in,
		      Pb__ListTenantAuditResponse *out)
{
	struct listing l = {.call = call, .tenant_name = in->tenant};
	int r;

	r = list_page(&l, in->page_size, in->page_token, &out->next_page_token);
	if (r == ERR_NOT_FOUND)
		return tenants_missing(call, in->tenant);
	if (r)
		return r;
	out->entries = l.entries;
	out->n_entries = l.n;
	return 0;
}
