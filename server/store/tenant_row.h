/* SPDX-License-Identifier: Apache-2.0 */
/* Tenants, and the generations of their logs. */
#ifndef QM_TENANT_ROW_H
#define QM_TENANT_ROW_H

#include "server/store/store.h"

#define TENANT_ROW_FEATURES_MAX 264 /* 8 names of 32 */

struct tenant_row {
	struct uuid id;
	char name[64];
	int plan;                               /* in force */
	uint32_t cap;                           /* 0: unlimited */
	int plan_source;                        /* enum plans_source */
	int trial_plan;                         /* the operator's; 0: none */
	char features[TENANT_ROW_FEATURES_MAX]; /* beside the plan's own, blanks between */
	/* Of the licence that covers it; 0: none. */
	uint64_t licence_serial;
	int licence_state; /* enum plans_licence */
	int licensed_plan;
	int64_t licence_expires_ms, licence_grace_ms;
	bool sso_required;
	uint32_t range4;
	uint8_t range6[16];
	uint64_t epoch, generation;
	uint64_t record_generation; /* at which the tenant's own record last changed */
	uint8_t digest[32];
	uint32_t devices, nodes;
	uint32_t next_node, next_device; /* first host numbers never given out */
	uint64_t lease_s;
	int64_t created_ms;
};

typedef int (*tenant_row_fn)(void *arg, const struct tenant_row *row);

/* -EEXIST: name or range6 taken. */
int tenant_row_insert(struct txn *txn, const struct tenant_row *row) _must_check_;
/* ERR_NOT_FOUND. */
int tenant_row_get(struct txn *txn, const struct uuid *id, struct tenant_row *ret) _must_check_;
int tenant_row_find(struct txn *txn, const char *name, struct tenant_row *ret) _must_check_;
/* The only tenant; ERR_NOT_FOUND when there are none or several. */
int tenant_row_only(struct txn *txn, struct tenant_row *ret) _must_check_;
/* In order of id, those after it. */
int tenant_row_list(struct txn *txn, const struct uuid *after, uint32_t limit, tenant_row_fn fn,
		    void *arg) _must_check_;
/*
 * First step of every change of the log: the next generation is this
 * transaction's. ERR_NOT_FOUND.
 */
int tenant_row_bump(struct txn *txn, const struct uuid *id, struct tenant_row *ret) _must_check_;
/* Last step: digest, plan and licence, lease, cap, host numbers, epoch; logs the generation and
 * marks the tenant. */
int tenant_row_save(struct txn *txn, const struct tenant_row *row, int64_t now_ms) _must_check_;
/* Of no record, so that no generation moves. */
int tenant_row_set_sso(struct txn *txn, const struct uuid *id, bool required) _must_check_;
/* Tenants that have this range. */
int tenant_row_count_range(struct txn *txn, uint32_t range4, uint32_t *ret_n) _must_check_;
/* Digest logged for a generation; ERR_NOT_FOUND when it is older than the log. */
int tenant_row_digest(struct txn *txn, const struct uuid *id, uint64_t generation, uint8_t ret[32])
	_must_check_;
/* Forgets generations and removals before it. */
int tenant_row_prune(struct txn *txn, const struct uuid *id, uint64_t before) _must_check_;

#endif
