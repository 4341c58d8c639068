/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/plan.h"

#include <string.h>

#include "base/err.h"

uint32_t plan_cap(const struct plan_caps *caps, int plan)
{
	switch (plan) {
	case PLAN_ENTERPRISE:
		return 0;
	case PLAN_TEAM:
		return (uint32_t)caps->team;
	case PLAN_PRO:
		return (uint32_t)caps->pro;
	default:
		return (uint32_t)caps->free;
	}
}

int plan_admit(const struct tenant_row *tenant)
{
	return tenant->cap && tenant->devices >= tenant->cap ? ERR_DEVICE_CAP_REACHED : 0;
}

/* Names with blanks between, beside those of the plan. */
static void grant_extra(struct tenantrec *t, const char *names)
{
	while (*names) {
		size_t len = strcspn(names, " ");
		char name[sizeof(t->features[0])];

		if (len && len < sizeof(name) && t->n_features < TENANTREC_MAX_FEATURES) {
			memcpy(name, names, len);
			name[len] = '\0';
			if (!tenantrec_has(t, name))
				strcpy(t->features[t->n_features++], name);
		}
		names += len + (names[len] == ' ');
	}
}

void plan_record(const struct tenant_row *row, struct tenantrec *ret)
{
	struct tenantrec t = {.id = row->id,
			      .range4 = cidr_v4(row->range4, 16),
			      .range6 = cidr_v6(row->range6, 48),
			      .plan = (enum plan)row->plan,
			      .cap = row->cap,
			      .lease_s = row->lease_s,
			      .plan_source = (enum plans_source)row->plan_source,
			      .licence_state = (enum plans_licence)row->licence_state,
			      .licence_expires_ms = row->licence_expires_ms,
			      .licence_grace_ms = row->licence_grace_ms,
			      .licensed_plan = (enum plan)row->licensed_plan};

	memcpy(t.name, row->name, sizeof(t.name));
	plans_grant(&t, t.plan);
	grant_extra(&t, row->features);
	*ret = t;
}

bool plan_has(const struct tenant_row *row, const char *feature)
{
	struct tenantrec t;

	plan_record(row, &t);
	return tenantrec_has(&t, feature);
}
