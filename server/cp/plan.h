/* SPDX-License-Identifier: Apache-2.0 */
/* What a tenant's plan allows: devices and features. */
#ifndef QM_PLAN_H
#define QM_PLAN_H

#include <stdint.h>

#include "base/method.h"
#include "server/peers/plans.h"
#include "server/store/tenant_row.h"

/* Devices at most; 0: unlimited. Config keys, the product's numbers by default. */
struct plan_caps {
	uint64_t free, pro, team;
};

uint32_t plan_cap(const struct plan_caps *caps, int plan);
/* Room for one more device? ERR_DEVICE_CAP_REACHED. Within the write only. */
int plan_admit(const struct tenant_row *tenant) _must_check_;
/* The tenant as its nodes are told of it. */
void plan_record(const struct tenant_row *tenant, struct tenantrec *ret);
bool plan_has(const struct tenant_row *tenant, const char *feature);

#endif
