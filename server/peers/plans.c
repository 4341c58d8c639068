/* SPDX-License-Identifier: Apache-2.0 */
/* Plans and their features in words. Pure; any thread. */
#include "server/peers/plans.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

const struct plans_feature plans_features[PLANS_N_FEATURES] = {
	{"mesh_vpn", PLAN_FREE},
	{"peer_stats", PLAN_PRO},
	{"audit_log", PLAN_TEAM},
	{"saml_provisioning", PLAN_ENTERPRISE},
};

const char *plans_name(int plan)
{
	static const char *const names[] = {"no plan", "Free", "Pro", "Team", "Enterprise"};

	return names[plan >= PLAN_FREE && plan <= PLAN_ENTERPRISE ? plan : 0];
}

enum plan plans_from(const char *feature)
{
	for (size_t i = 0; i < PLANS_N_FEATURES; i++) {
		if (!strcmp(plans_features[i].name, feature))
			return plans_features[i].from;
	}
	return 0;
}

void plans_grant(struct tenantrec *t, enum plan plan)
{
	for (size_t i = 0; i < PLANS_N_FEATURES; i++) {
		if (plan < plans_features[i].from || tenantrec_has(t, plans_features[i].name) ||
		    t->n_features == TENANTREC_MAX_FEATURES)
			continue;
		strcpy(t->features[t->n_features++], plans_features[i].name);
	}
}

/* "2026-11-22" */
static const char *day(int64_t ms, char ret[25])
{
	clock_rfc3339(ms, ret);
	ret[10] = '\0';
	return ret;
}

static void _printf_(2, 3) add(char ret[PLANS_TEXT_MAX], const char *fmt, ...)
{
	size_t len = strlen(ret);
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(ret + len, PLANS_TEXT_MAX - len, fmt, ap);
	va_end(ap);
}

static bool is_over(const struct tenantrec *t, uint32_t used)
{
	return t->cap && used > t->cap;
}

/* The licence would have it, were it in force. */
static bool was_licensed(const struct tenantrec *t, enum plan from)
{
	return t->plan_source != PLANS_OPERATOR && t->licence_state == PLANS_LICENCE_EXPIRED &&
	       t->licensed_plan >= from;
}

void plans_why(const struct tenantrec *t, size_t i, uint32_t used, char ret[PLANS_TEXT_MAX])
{
	const struct plans_feature *f = &plans_features[i];
	char date[25];

	ret[0] = '\0';
	if (!tenantrec_has(t, f->name))
		add(ret, "needs the %s plan", plans_name((int)f->from));
	else if (f->from == PLAN_FREE)
		add(ret, "part of every plan");
	else if (t->plan >= f->from)
		add(ret, "part of the %s plan", plans_name((int)t->plan));
	else
		add(ret, "granted by the licence");
	if (!tenantrec_has(t, f->name) && was_licensed(t, f->from))
		add(ret, "; the licence for the %s plan expired on %s",
		    plans_name((int)t->licensed_plan), day(t->licence_expires_ms, date));
	if (f->from == PLAN_FREE && is_over(t, used))
		add(ret, "; over cap: %u of %u", used, t->cap);
}

size_t plans_notices(const struct tenantrec *t, uint32_t used,
		     char ret[PLANS_MAX_NOTICES][PLANS_TEXT_MAX])
{
	char expired[25], until[25];
	size_t n = 0;

	day(t->licence_expires_ms, expired);
	day(t->licence_grace_ms, until);
	for (size_t i = 0; i < PLANS_MAX_NOTICES; i++)
		ret[i][0] = '\0';
	if (is_over(t, used))
		add(ret[n++],
		    "Over cap: %u of %u devices. The running ones go on; new ones have to wait "
		    "until some are removed or the plan grows.",
		    used, t->cap);
	if (t->plan_source == PLANS_OPERATOR)
		return n;
	if (t->licence_state == PLANS_LICENCE_GRACE)
		add(ret[n++],
		    "The licence expired on %s. The %s plan goes on until %s; install a new "
		    "licence before.",
		    expired, plans_name((int)t->licensed_plan), until);
	if (t->licence_state == PLANS_LICENCE_EXPIRED)
		add(ret[n++],
		    "The licence for the %s plan expired on %s and its grace is over: what the "
		    "Free plan allows holds for new devices, the running ones go on.",
		    plans_name((int)t->licensed_plan), expired);
	return n;
}
