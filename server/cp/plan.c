/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/plan.h"

#include <string.h>

#include "base/err.h"

const struct plan_feature plan_features[PLAN_N_FEATURES] = {
	{"mesh_vpn", PLAN_FREE},
	{"peer_stats", PLAN_PRO},
	{"audit_log", PLAN_TEAM},
	{"saml_provisioning", PLAN_ENTERPRISE},
};

const char *plan_name(int plan)
{
	static const char *const names[] = {"no plan", "Free", "Pro", "Team", "Enterprise"};

	return names[plan >= PLAN_FREE && plan <= PLAN_ENTERPRISE ? plan : 0];
}

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

enum plan plan_from(const char *feature)
{
	for (size_t i = 0; i < PLAN_N_FEATURES; i++) {
		if (!strcmp(plan_features[i].name, feature))
			return plan_features[i].from;
	}
	return 0;
}
