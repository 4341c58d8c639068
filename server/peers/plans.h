/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plans and their features in words: the Control Panel and the nodes say the
 * same of the same tenant record.
 */
#ifndef QM_PLANS_H
#define QM_PLANS_H

#include "server/peers/tenantrec.h"

struct plans_feature {
	const char *name;
	enum plan from; /* the lowest plan that has it */
};

#define PLANS_N_FEATURES 4
extern const struct plans_feature plans_features[PLANS_N_FEATURES];

/* "Free", "Pro", "Team", "Enterprise"; "no plan" for anything else. */
const char *plans_name(int plan);
/* Lowest plan with the feature; 0: no such feature. */
enum plan plans_from(const char *feature);
/* The features of a plan into t->features, those that are there stay. */
void plans_grant(struct tenantrec *t, enum plan plan);

#define PLANS_TEXT_MAX 300
/* Why plans_features[i] is on or off for a tenant with so many devices. */
void plans_why(const struct tenantrec *t, size_t i, uint32_t used, char ret[PLANS_TEXT_MAX]);

#define PLANS_MAX_NOTICES 2
/* What people should know: over the cap, licence expired. How many. */
size_t plans_notices(const struct tenantrec *t, uint32_t used,
		     char ret[PLANS_MAX_NOTICES][PLANS_TEXT_MAX]);

#endif
