/* SPDX-License-Identifier: Apache-2.0 */
/* What a plan allows: devices and features. */
#ifndef QM_PLAN_H
#define QM_PLAN_H

#include <stdint.h>

#include "base/method.h"
#include "server/store/tenant_row.h"

/* Devices at most; 0: unlimited. Config keys, the product's numbers by default. */
struct plan_caps {
	uint64_t free, pro, team;
};

struct plan_feature {
	const char *name;
	enum plan from;
};

#define PLAN_N_FEATURES 4
extern const struct plan_feature plan_features[PLAN_N_FEATURES];

/* "Free", "Pro", "Team", "Enterprise". */
const char *plan_name(int plan);
uint32_t plan_cap(const struct plan_caps *caps, int plan);
/* Room for one more device? ERR_DEVICE_CAP_REACHED. Within the write only. */
int plan_admit(const struct tenant_row *tenant) _must_check_;
/* Lowest plan with the feature; 0: no such feature. */
enum plan plan_from(const char *feature);

#endif
