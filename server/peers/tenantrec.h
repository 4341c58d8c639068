/* SPDX-License-Identifier: Apache-2.0 */
/* The tenant record beside the members: ranges, plan, cap, features, lease. */
#ifndef QM_TENANTREC_H
#define QM_TENANTREC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cidr.h"
#include "base/cleanup.h"
#include "base/method.h"
#include "base/text.h"

#define TENANTREC_MAX_FEATURES 16
#define TENANTREC_MAX_LEN 4096

/* As the contract's PlanSource and LicenceState. */
enum plans_source { PLANS_NOBODY, PLANS_OPERATOR, PLANS_LICENCE };
enum plans_licence {
	PLANS_LICENCE_NONE,
	PLANS_LICENCE_VALID,
	PLANS_LICENCE_GRACE,
	PLANS_LICENCE_EXPIRED
};

struct tenantrec {
	struct uuid id;
	char name[64];
	struct cidr range4, range6;
	enum plan plan;
	uint32_t cap; /* devices at most; 0: unlimited */
	char features[TENANTREC_MAX_FEATURES][33];
	size_t n_features;
	uint64_t lease_s; /* 0: for ever */
	enum plans_source plan_source;
	/* Of the licence that covers the tenant. */
	enum plans_licence licence_state;
	int64_t licence_expires_ms, licence_grace_ms; /* 0: never */
	enum plan licensed_plan;
};

/* Bytes on the heap. -ENOMEM. */
int tenantrec_encode(const struct tenantrec *t, uint8_t **ret_bytes, size_t *ret_len) _must_check_;
/* -EBADMSG, -ENOMEM. */
int tenantrec_decode(const void *p, size_t len, struct tenantrec *ret) _must_check_;
bool tenantrec_has(const struct tenantrec *t, const char *feature);

#endif
