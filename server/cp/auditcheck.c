/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/auditcheck.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/cp/keyring.h"
#include "server/cp/tenants.h"
#include "server/store/audit_row.h"
#include "server/store/head_row.h"
#include "server/store/licence_row.h"

struct verifying {
	struct cp *cp;
	const Pb__VerifyAuditRequest *in;
	struct uuid tenant, panel;
	char name[64]; /* the tenant's, who may be asked for by its id */
	/* What rows are compared with; on the heap, since a store has one a day. */
	struct audit_mark *marks;
	size_t n_marks, cap;
	/* A head of the store that is not as it was signed; 0: none. */
	uint64_t bad_head;
	/* One of the request that is none, and why. */
	size_t bad_index;
	const char *fault, *words;
	struct audit_check check;
};

static int add_mark(struct verifying *v, uint64_t seq, const uint8_t hash[HASH_LEN])
{
	if (v->n_marks == v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 64;
		struct audit_mark *more = realloc(v->marks, cap * sizeof(*more));

		if (!more)
			return -ENOMEM;
		v->marks = more;
		v->cap = cap;
	}
	v->marks[v->n_marks].seq = seq;
	memcpy(v->marks[v->n_marks++].hash, hash, HASH_LEN);
	return 0;
}

enum trust { SIGNED, UNKNOWN_KEY, NOT_SIGNED };

static enum trust judge(struct cp *cp, const struct audithead *head)
{
	struct keyring_info info;

	/* What a key signed that was ended before its time is nobody's word. */
	if (keyring_find(cp->keyring, KEYRING_AUDIT, head->kid, &info) || info.cut)
		return UNKNOWN_KEY;
	return audithead_is_signed(head, info.public) ? SIGNED : NOT_SIGNED;
}

/* Of the store. One by a key that is gone says nothing; one that was changed says a lot. */
static int take_stored(void *arg, const struct audithead *stored)
{
	struct audithead head = *stored;
	struct verifying *v = arg;

	head.panel = v->panel;
	switch (judge(v->cp, &head)) {
	case SIGNED:
		return add_mark(v, head.seq, head.hash);
	case NOT_SIGNED:
		if (!v->bad_head)
			v->bad_head = head.seq ? head.seq : 1;
		return 0;
	default:
		return 0;
	}
}

static int refuse(struct verifying *v, size_t index, const char *fault, const char *words)
{
	v->bad_index = index;
	v->fault = fault;
	v->words = words;
	return ERR_FIELD_INVALID;
}

static int take_given(struct verifying *v, size_t index)
{
	const Pb__AuditHead *pb = v->in->heads[index];
	struct audithead head;

	if (audithead_hear(pb, &head))
		return refuse(v, index, "format", "is no head of an audit");
	if (!pb->signature.len)
		return add_mark(v, head.seq, head.hash);
	if (!uuid_equal(&head.panel, &v->panel))
		return refuse(v, index, "wrong-control-panel", "is of another Control Panel");
	if (!uuid_equal(&head.tenant, &v->tenant))
		return refuse(v, index, "wrong-tenant", "is of another tenant");
	switch (judge(v->cp, &head)) {
	case SIGNED:
		return add_mark(v, head.seq, head.hash);
	case UNKNOWN_KEY:
		return refuse(v, index, "unknown-key",
			      "is signed by no audit key of this Control Panel");
	default:
		return refuse(v, index, "signature", "is not as it was signed");
	}
}

static int by_seq(const void *a, const void *b)
{
	const struct audit_mark *x = a, *y = b;

	return x->seq < y->seq ? -1 : x->seq > y->seq;
}

static int verify(struct txn *txn, void *ctx)
{
	struct verifying *v = ctx;
	struct licence_row licence;
	struct tenant_row tenant;
	uint8_t known[HASH_LEN];
	int r;

	v->n_marks = 0;
	v->bad_head = 0;
	r = tenants_find(txn, v->in->tenant, &tenant);
	if (!r)
		r = licence_row_get(txn, &licence);
	if (r)
		return r;
	v->tenant = tenant.id;
	snprintf(v->name, sizeof(v->name), "%s", tenant.name);
	v->panel = licence.panel;
	for (size_t i = 0; !r && i < v->in->n_heads; i++)
		r = take_given(v, i);
	if (!r && v->in->known_seq && !text_unhex(v->in->known_hash, known, HASH_LEN))
		r = add_mark(v, v->in->known_seq, known);
	if (!r)
		r = head_row_list(txn, &tenant.id, take_stored, v);
	if (r)
		return r;
	if (v->n_marks)
		qsort(v->marks, v->n_marks, sizeof(*v->marks), by_seq);
	v->check = (struct audit_check){.marks = v->marks, .n_marks = v->n_marks};
	r = audit_row_verify(txn, &tenant.id, &v->check);
	if (!r && v->check.fault == AUDIT_WHOLE && v->bad_head) {
		v->check.fault = AUDIT_HEAD;
		v->check.bad_seq = v->check.from_seq = v->bad_head;
	}
	return r;
}

static int refuse_head(struct call *call, const struct verifying *v)
{
	char field[32];

	snprintf(field, sizeof(field), "heads[%zu]", v->bad_index);
	call_field(call, field, "%s", v->words);
	status_meta(&call->status, "fault", "%s", v->fault);
	return ERR_FIELD_INVALID;
}

static void note_fault(const char *tenant, const struct audit_check *check)
{
	static const char *const words[] = {[AUDIT_CHANGED] = "is changed",
					    [AUDIT_MISSING] = "is missing",
					    [AUDIT_REWRITTEN] = "or one before it was written anew",
					    [AUDIT_HEAD] = "has a signed head that was changed"};

	if (check->fault != AUDIT_WHOLE)
		log_error("audit", "tenant %s: row %llu %s", tenant,
			  (unsigned long long)check->bad_seq, words[check->fault]);
}

int auditcheck_verify(struct call *call, const Pb__VerifyAuditRequest *in,
		      Pb__VerifyAuditResponse *out)
{
	struct verifying v = {.cp = call->owner, .in = in};
	char *head = call_alloc(call, TEXT_HEX_LEN(HASH_LEN) + 1);
	uint8_t known[HASH_LEN];
	int r;

	if (!head)
		return -ENOMEM;
	if (in->known_seq && (strlen(in->known_hash) != TEXT_HEX_LEN(HASH_LEN) ||
			      text_unhex(in->known_hash, known, HASH_LEN)))
		return call_field(call, "known_hash", "must be 64 hex digits");
	r = store_read(v.cp->store, verify, &v);
	free(v.marks);
	if (r == ERR_NOT_FOUND)
		return tenants_missing(call, in->tenant);
	if (r == ERR_FIELD_INVALID)
		return refuse_head(call, &v);
	if (r)
		return err_trace(r);
	note_fault(v.name, &v.check);
	out->tenant = arena_strdup(&call->arena, v.name);
	if (!out->tenant)
		return -ENOMEM;
	out->rows = v.check.n_rows;
	out->fault = (Pb__AuditFault)v.check.fault;
	out->bad_seq = v.check.bad_seq;
	if (v.check.fault == AUDIT_REWRITTEN)
		out->from_seq = v.check.from_seq;
	out->heads = (uint32_t)v.n_marks;
	text_hex(v.check.head, HASH_LEN, head);
	out->head = head;
	return 0;
}
