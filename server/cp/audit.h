/* SPDX-License-Identifier: Apache-2.0 */
/* Who did what, from where, and how it ended: one row in the same transaction. */
#ifndef QM_AUDIT_H
#define QM_AUDIT_H

#include "quazzar/mesh/v1/admin.pb-c.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"
#include "server/cp/cp.h"
#include "server/store/audit_row.h"

/* Fills all but object and result from the call; tenant is the caller's. */
void audit_begin(const struct call *call, const char *action, struct audit_row *ret_row);
void audit_object(struct audit_row *row, const struct uuid *id, const char *label);
/*
 * The object with what was done to it: "acme (plan pro, lease off)". parts: n
 * texts, empty ones and what has no room are left out.
 */
void audit_changed(struct audit_row *row, const struct uuid *id, const char *label,
		   const char *const *parts, size_t n);
/* Appends with result OK (0) or the reason. A refusal without a tenant is passed over. */
int audit_end(struct txn *txn, const struct audit_row *row, int result) _must_check_;
/*
 * A write whose result has its row, refused or not: denied must write it. Marks
 * the call so that audit_finished adds none.
 */
int audit_write(struct call *call, store_fn fn, store_denied_fn denied, void *ctx) _must_check_;
/* A row of its own, soon, or counted as a denial without a tenant. Does not wait; marks the call.
 */
void audit_post(struct call *call, const struct audit_row *row, int result);
/*
 * The finished hook: refusals of audited methods that have no row yet, and all of
 * callers that nobody knows.
 */
void audit_finished(struct call *call, int r, void *owner);

/* The caller's tenant's. */
int audit_list(struct call *call, const Pb__ListAuditRequest *in, Pb__ListAuditResponse *out);
/* Any tenant's: the operator's, who is let in by the policy alone. */
int audit_list_tenant(struct call *call, const Pb__ListTenantAuditRequest *in,
		      Pb__ListTenantAuditResponse *out);

#endif
