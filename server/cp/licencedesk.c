/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/licencedesk.h"

#include <string.h>

#include "server/cp/fields.h"
#include "server/cp/licensing.h"
#include "server/cp/overview.h"

enum { TENANTS_MAX = 500, FEATURES_MAX = 8 };

static int refuse(struct call *call, int r, const struct licence_fault *fault)
{
	if (r != ERR_LICENCE_INVALID)
		return err_trace(r);
	call_fail(call, r, "%s", fault->words);
	status_meta(&call->status, "fault", "%s", fault->word);
	return r;
}

static int fill_features(struct call *call, const struct licence *l, Pb__Licence *out)
{
	const char *names = l->features;

	out->features = call_alloc(call, FEATURES_MAX * sizeof(*out->features));
	if (!out->features)
		return -ENOMEM;
	while (*names && out->n_features < FEATURES_MAX) {
		size_t len = strcspn(names, " ");
		char *name = arena_strndup(&call->arena, names, len);

		if (!name)
			return -ENOMEM;
		out->features[out->n_features++] = name;
		names += len + (names[len] == ' ');
	}
	return 0;
}

static Pb__Licence *fill(struct call *call, const struct licence *l)
{
	Pb__Licence *out = FIELDS_NEW(call, Pb__Licence, pb__licence__init);

	if (!out)
		return NULL;
	out->serial = l->serial;
	out->licensee = arena_strdup(&call->arena, l->licensee);
	out->control_panel = fields_uuid(call, &l->panel);
	out->plan = (Pb__Plan)l->plan;
	out->device_cap = l->device_cap;
	out->not_before = fields_time(call, l->not_before_ms);
	out->expires_at = fields_time(call, l->expires_ms);
	out->grace_days = l->grace_days;
	out->tenants = call_alloc(call, LICENCE_MAX_TENANTS * sizeof(*out->tenants));
	if (!out->licensee || !out->control_panel || !out->tenants || fill_features(call, l, out))
		return NULL;
	for (size_t i = 0; i < l->n_tenants; i++) {
		out->tenants[i] = fields_uuid(call, &l->tenants[i]);
		if (!out->tenants[i])
			return NULL;
		out->n_tenants++;
	}
	return out;
}

struct listing {
	struct call *call;
	Pb__LicenceStatus *out;
};

static int add_tenant(void *arg, const struct tenant_row *row)
{
	struct listing *l = arg;
	Pb__LicensedTenant *t = FIELDS_NEW(l->call, Pb__LicensedTenant, pb__licensed_tenant__init);

	if (!t)
		return -ENOMEM;
	t->id = fields_uuid(l->call, &row->id);
	t->name = arena_strdup(&l->call->arena, row->name);
	t->plan = (Pb__Plan)row->plan;
	t->plan_source = (Pb__PlanSource)row->plan_source;
	t->devices = row->devices;
	t->cap = row->cap;
	if (!t->id || !t->name ||
	    overview_notices(row, &l->call->arena, &t->notices, &t->n_notices))
		return -ENOMEM;
	l->out->tenants[l->out->n_tenants++] = t;
	return 0;
}

static int list_tenants(struct txn *txn, void *ctx)
{
	static const struct uuid first;
	struct listing *l = ctx;

	l->out->n_tenants = 0;
	return tenant_row_list(txn, &first, TENANTS_MAX, add_tenant, l);
}

static int fill_status(struct call *call, Pb__LicenceStatus **ret)
{
	Pb__LicenceStatus *out = FIELDS_NEW(call, Pb__LicenceStatus, pb__licence_status__init);
	struct listing listing = {.call = call, .out = out};
	struct licensing_look look;
	struct cp *cp = call->owner;
	int r;

	if (!out)
		return -ENOMEM;
	licensing_get(cp->licensing, &look);
	out->state = (Pb__LicenceState)look.state;
	out->control_panel = fields_uuid(call, &look.panel);
	out->file_problem = arena_strdup(&call->arena, look.file_problem);
	out->tenants = call_alloc(call, TENANTS_MAX * sizeof(*out->tenants));
	if (!out->control_panel || !out->file_problem || !out->tenants)
		return -ENOMEM;
	if (look.has) {
		out->licence = fill(call, &look.licence);
		out->key_id = arena_strdup(&call->arena, look.licence.key.id);
		out->vendor = arena_strdup(&call->arena, look.licence.key.name);
		out->own_vendor = look.licence.key.own;
		out->installed_at = fields_time(call, look.installed_ms);
		out->grace_until = fields_time(call, licence_grace_ms(&look.licence));
		if (!out->licence || !out->key_id || !out->vendor)
			return -ENOMEM;
	}
	r = store_read(cp->store, list_tenants, &listing);
	if (!r)
		*ret = out;
	return err_trace(r);
}

int licencedesk_get(struct call *call, const Pb__GetLicenceRequest *in, Pb__GetLicenceResponse *out)
{
	(void)in;
	return fill_status(call, &out->status);
}

int licencedesk_install(struct call *call, const Pb__InstallLicenceRequest *in,
			Pb__InstallLicenceResponse *out)
{
	struct licence_fault fault = {.word = ""};
	struct cp *cp = call->owner;
	int r;

	r = licensing_install(cp->licensing, in->licence, &fault);
	return r ? refuse(call, r, &fault) : fill_status(call, &out->status);
}

int licencedesk_verify(struct call *call, const Pb__VerifyLicenceRequest *in,
		       Pb__VerifyLicenceResponse *out)
{
	struct licence_fault fault = {.word = ""};
	struct cp *cp = call->owner;
	struct licence licence;
	bool in_force;
	int r;

	r = licensing_verify(cp->licensing, in->licence, &licence, &in_force, &fault);
	if (r)
		return refuse(call, r, &fault);
	out->licence = fill(call, &licence);
	out->key_id = arena_strdup(&call->arena, licence.key.id);
	out->vendor = arena_strdup(&call->arena, licence.key.name);
	out->in_force = in_force;
	return out->licence && out->key_id && out->vendor ? 0 : -ENOMEM;
}
