/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A licence: text that a vendor signed (docs/licence.md), taken apart and judged.
 * Pure; which one is in force is licensing.h's.
 */
#ifndef QM_LICENCE_H
#define QM_LICENCE_H

#include <stdint.h>

#include "base/text.h"
#include "server/cp/plan.h"
#include "server/cp/vendorkeys.h"

#define LICENCE_TYP "qmesh-licence+jwt"
#define LICENCE_MAX_LEN 8192
#define LICENCE_MAX_TENANTS 64

struct licence {
	uint64_t serial;
	char licensee[201];
	struct uuid panel; /* nil: any */
	struct uuid tenants[LICENCE_MAX_TENANTS];
	size_t n_tenants; /* 0: all */
	int plan;
	uint32_t device_cap; /* 0: the plan's */
	char features[TENANT_ROW_FEATURES_MAX];
	int64_t not_before_ms, expires_ms; /* 0: always, never */
	uint32_t grace_days;
	struct vendorkey key;   /* that signed it */
	uint8_t hash[HASH_LEN]; /* of the token: the same licence again */
};

/* What is wrong with one. */
struct licence_fault {
	const char *word; /* "signature"; as the contract lists them */
	char words[300];
};

int licence_fail(struct licence_fault *ret, const char *word, const char *fmt, ...) _printf_(3, 4);
/*
 * Form, key, signature, claims; not yet for whom and when. The file's text: one
 * token, lines that begin with "#" beside it. ERR_LICENCE_INVALID, -ENOMEM.
 */
int licence_read(const char *text, const struct vendorkeys *keys, struct licence *ret,
		 struct licence_fault *ret_fault) _must_check_;
/* It is for this Control Panel and its time has come and not gone. ERR_LICENCE_INVALID. */
int licence_check(const struct licence *l, const struct uuid *panel, int64_t now_ms,
		  struct licence_fault *ret_fault) _must_check_;
/* When the grace is over; 0: never. */
int64_t licence_grace_ms(const struct licence *l);
enum plans_licence licence_state(const struct licence *l, int64_t now_ms);
bool licence_covers(const struct licence *l, const struct uuid *tenant);
/*
 * The plan of a tenant at this time into its row: the operator's trial, else the
 * licence's (l may be NULL), else Free. A licence that is newer than the one the
 * row knows ends the trial.
 */
void licence_apply(const struct licence *l, const struct plan_caps *caps, int64_t now_ms,
		   struct tenant_row *tenant);

#endif
