/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/tenants.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/label.h"
#include "server/cp/audit.h"
#include "server/cp/change.h"
#include "server/cp/fields.h"
#include "server/cp/ipam.h"
#include "server/cp/licensing.h"
#include "server/cp/overview.h"
#include "server/cp/progress.h"

enum { PAGE_DEFAULT = 500, PAGE_MAX = 1000, LEASE_MIN_S = 3600, LEASE_MAX_S = 90 * 86400 };

int tenants_find(struct txn *txn, const char *id_or_name, struct tenant_row *ret)
{
	struct uuid id;
	int r;

	if (!uuid_parse(id_or_name, &id)) {
		r = tenant_row_get(txn, &id, ret);
		if (r != ERR_NOT_FOUND)
			return r;
	}
	return tenant_row_find(txn, id_or_name, ret);
}

int tenants_missing(struct call *call, const char *id_or_name)
{
	return call_fail(call, ERR_NOT_FOUND, "There is no tenant %s.", id_or_name);
}

static Pb__Tenant *fill(struct call *call, const struct tenant_row *row)
{
	Pb__Tenant *t = FIELDS_NEW(call, Pb__Tenant, pb__tenant__init);

	if (!t)
		return NULL;
	t->id = fields_uuid(call, &row->id);
	t->name = arena_strdup(&call->arena, row->name);
	t->plan = (Pb__Plan)row->plan;
	t->range = fields_range4(call, row->range4);
	t->range6 = fields_range6(call, row->range6);
	t->devices = row->devices;
	t->nodes = row->nodes;
	t->generation = row->generation;
	t->created_at = fields_time(call, row->created_ms);
	t->plan_source = (Pb__PlanSource)row->plan_source;
	t->cap = row->cap;
	t->sso_required = row->sso_required;
	t->lease_s = row->lease_s;
	if (overview_notices(row, &call->arena, &t->notices, &t->n_notices))
		return NULL;
	return t->id && t->name && t->range && t->range6 && t->created_at ? t : NULL;
}

struct creation {
	struct cidr pool, wished;
	struct tenant_row tenant;
	struct audit_row audit;
};

static int insert(struct txn *txn, void *ctx)
{
	struct creation *c = ctx;
	int r;

	r = ipam_pick_range(txn, &c->pool, &c->wished, &c->tenant.range4);
	if (r)
		return r;
	r = tenant_row_insert(txn, &c->tenant);
	if (r == -EEXIST)
		return ERR_LABEL_TAKEN;
	if (r)
		return err_trace(r);
	c->audit.tenant = c->tenant.id;
	audit_object(&c->audit, &c->tenant.id, c->tenant.name);
	return audit_end(txn, &c->audit, 0);
}

int tenants_create(struct call *call, const Pb__CreateTenantRequest *in,
		   Pb__CreateTenantResponse *out)
{
	struct creation c = {
		.tenant = {.id = uuid_make(),
			   .trial_plan = (int)in->plan,
			   .generation = 1,
			   .record_generation = 1,
			   .next_node = IPAM_NODE_FIRST,
			   .next_device = IPAM_DEVICE_FIRST,
			   .created_ms = clock_wall_ms()},
	};
	struct licensing_look look;
	struct cp *cp = call->owner;
	int r;

	if (!label_is_slug(in->name))
		return call_field(call, "name", "must be a DNS label: a-z, 0-9 and '-'");
	if ((unsigned)in->plan > PLAN_ENTERPRISE)
		return call_field(call, "plan", "must be FREE, PRO, TEAM or ENTERPRISE");
	if (*in->range && cidr_parse(in->range, &c.wished))
		return call_field(call, "range", "must be a /16 in CIDR form");
	snprintf(c.tenant.name, sizeof(c.tenant.name), "%s", in->name);
	c.tenant.epoch = (uint64_t)c.tenant.created_ms;
	licensing_get(cp->licensing, &look);
	licensing_apply(&look, &cp->conf.caps, true, &c.tenant);
	c.tenant.lease_s = cp->conf.lease_ms / 1000;
	ipam_pick_range6(c.tenant.range6);
	r = cp_conf_check(&cp->conf, &c.pool);
	if (r)
		return err_trace(r);
	audit_begin(call, "tenant.create", &c.audit);
	r = audit_write(call, insert, NULL, &c);
	if (r == ERR_FIELD_INVALID)
		return call_field(call, "range", "must be a free /16 of %s", cp->conf.pool);
	if (r == ERR_LABEL_TAKEN)
		return call_fail(call, r, "There is a tenant %s already.", in->name);
	if (r)
		return err_trace(r);
	out->tenant = fill(call, &c.tenant);
	/* A licence may have come between; what fails is tried again, and the tenant is made. */
	licensing_settle(cp->licensing);
	return out->tenant ? 0 : -ENOMEM;
}

struct listing {
	struct call *call;
	struct uuid after;
	uint32_t limit;
	struct uuid last;
	Pb__ListTenantsResponse *out;
};

static int add(void *arg, const struct tenant_row *row)
{
	struct listing *l = arg;
	Pb__Tenant *t = fill(l->call, row);

	if (!t)
		return -ENOMEM;
	l->last = row->id;
	l->out->tenants[l->out->n_tenants++] = t;
	return 0;
}

static int read_page(struct txn *txn, void *ctx)
{
	struct listing *l = ctx;

	return tenant_row_list(txn, &l->after, l->limit, add, l);
}

int tenants_list(struct call *call, const Pb__ListTenantsRequest *in, Pb__ListTenantsResponse *out)
{
	struct listing l = {.call = call, .out = out};
	struct cp *cp = call->owner;
	int r;

	l.limit = in->page_size ? in->page_size : PAGE_DEFAULT;
	if (l.limit > PAGE_MAX)
		l.limit = PAGE_MAX;
	r = fields_page(call, in->page_token, &l.after);
	if (r)
		return r;
	out->tenants = call_alloc(call, l.limit * sizeof(*out->tenants));
	if (!out->tenants)
		return -ENOMEM;
	r = store_read(cp->store, read_page, &l);
	if (!r && out->n_tenants == l.limit)
		out->next_page_token = fields_page_token(call, &l.last);
	return err_trace(r);
}

struct update {
	const char *name;
	bool set_plan;
	int trial_plan; /* 0: it ends */
	int sso;        /* -1: unchanged */
	bool set_lease;
	uint64_t lease_s;
	struct licensing_look look;
	const struct plan_caps *caps;
	struct tenant_row tenant;
	uint64_t generation; /* 0: nodes have nothing to hear */
	struct audit_row audit;
};

/* What the tenant's own record says: plan and lease. */
static int save_record(struct txn *txn, struct update *u)
{
	bool new_plan = u->set_plan && u->tenant.trial_plan != u->trial_plan;
	bool new_lease = u->set_lease && u->tenant.lease_s != u->lease_s;
	struct change change;
	int r;

	/* The same again changes nothing that nodes would have to hear. */
	if (!new_plan && !new_lease)
		return 0;
	r = change_begin(txn, &u->tenant.id, u->audit.time_ms, &change);
	if (r)
		return err_trace(r);
	if (new_plan) {
		change.tenant.trial_plan = u->trial_plan;
		licensing_apply(&u->look, u->caps, true, &change.tenant);
	}
	if (new_lease)
		change.tenant.lease_s = u->lease_s;
	change.tenant.record_generation = change.tenant.generation;
	r = change_end(txn, &change);
	u->tenant = change.tenant;
	u->generation = change.tenant.generation;
	return err_trace(r);
}

/* "acme (plan pro, lease 43200 s)": who reads the audit asks what was done to the tenant. */
static void name_change(struct update *u)
{
	static const char *const plans[] = {"trial ended", "plan free", "plan pro", "plan team",
					    "plan enterprise"};
	char lease[40];
	const char *const parts[] = {u->set_plan ? plans[u->trial_plan] : "",
				     u->sso > 0    ? "sso required"
				     : u->sso == 0 ? "sso off"
						   : "",
				     !u->set_lease ? ""
				     : u->lease_s  ? lease
						   : "lease off"};

	snprintf(lease, sizeof(lease), "lease %llu s", (unsigned long long)u->lease_s);
	audit_changed(&u->audit, &u->tenant.id, u->tenant.name, parts, ARRAY_LEN(parts));
}

static int save(struct txn *txn, void *ctx)
{
	struct update *u = ctx;
	int r;

	r = tenants_find(txn, u->name, &u->tenant);
	if (r)
		return r;
	u->audit.tenant = u->tenant.id;
	name_change(u);
	r = save_record(txn, u);
	if (!r && u->sso > 0 && !plan_has(&u->tenant, "saml_provisioning"))
		return ERR_PLAN_LACKS_FEATURE;
	if (!r && u->sso >= 0) {
		r = tenant_row_set_sso(txn, &u->tenant.id, u->sso != 0);
		u->tenant.sso_required = u->sso != 0;
	}
	return r ? err_trace(r) : audit_end(txn, &u->audit, 0);
}

static int deny_update(struct txn *txn, void *ctx, int refusal)
{
	struct update *u = ctx;

	return audit_end(txn, &u->audit, refusal);
}

static int refuse_sso(struct call *call, const struct tenant_row *tenant)
{
	call_fail(call, ERR_PLAN_LACKS_FEATURE, "To demand single sign-on needs the %s plan.",
		  plans_name((int)plans_from("saml_provisioning")));
	status_meta(&call->status, "feature", "saml_provisioning");
	status_meta(&call->status, "needs", "%s", plans_name((int)plans_from("saml_provisioning")));
	status_meta(&call->status, "plan", "%s", plans_name(tenant->plan));
	return ERR_PLAN_LACKS_FEATURE;
}

int tenants_update(struct call *call, const Pb__UpdateTenantRequest *in,
		   Pb__UpdateTenantResponse *out)
{
	struct cp *cp = call->owner;
	struct update u = {.name = in->tenant, .sso = -1, .caps = &cp->conf.caps};
	int r;

	if (in->sso_choice_case == PB__UPDATE_TENANT_REQUEST__SSO_CHOICE_SSO_REQUIRED)
		u.sso = in->sso_required != 0;
	u.set_plan = in->plan || in->end_trial;
	u.set_lease = in->lease_choice_case == PB__UPDATE_TENANT_REQUEST__LEASE_CHOICE_LEASE_S;
	u.lease_s = in->lease_s;
	if (u.set_lease && u.lease_s && (u.lease_s < LEASE_MIN_S || u.lease_s > LEASE_MAX_S))
		return call_field(call, "lease_s", "must be 0 or 3600 to 7776000");
	if (in->plan && in->end_trial)
		return call_field(call, "end_trial", "must not come with a plan");
	if (!u.set_plan && u.sso < 0 && !u.set_lease)
		return call_field(call, "plan",
				  "is required, or end_trial, sso_required or lease_s");
	u.trial_plan = (int)in->plan;
	licensing_get(cp->licensing, &u.look);
	audit_begin(call, "tenant.update", &u.audit);
	r = audit_write(call, save, deny_update, &u);
	if (r == ERR_NOT_FOUND)
		return tenants_missing(call, in->tenant);
	if (r == ERR_PLAN_LACKS_FEATURE)
		return refuse_sso(call, &u.tenant);
	if (r)
		return err_trace(r);
	if (u.generation)
		progress_header(call, &u.tenant.id, u.generation);
	out->tenant = fill(call, &u.tenant);
	licensing_settle(cp->licensing);
	return out->tenant ? 0 : -ENOMEM;
}
