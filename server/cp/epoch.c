/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/epoch.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "quazzar/mesh/v1/member.pb-c.h"
#include "server/cp/audit.h"
#include "server/cp/change.h"
#include "server/cp/keyring.h"
#include "server/cp/publish.h"

enum { HEAD_MAX = 512 };

/* What a node showed to be ours. */
struct proof {
	struct uuid tenant_id;
	uint64_t epoch, generation;
	int64_t now_ms;
	struct audit_row audit;
};

static bool signature_good(struct cp *cp, const Pb__SubscribeRequest *hello)
{
	uint8_t text[sizeof(PUBLISH_HEAD_MAGIC) + HEAD_MAX];
	size_t magic_len = strlen(PUBLISH_HEAD_MAGIC);
	struct keyring_info key;

	/* A node that was away may show a head of a key that has retired since. */
	if (hello->head.len > HEAD_MAX || hello->head_signature.len != SIGN_LEN ||
	    keyring_find(cp->keyring, KEYRING_LISTS, hello->kid, &key) || key.cut)
		return false;
	memcpy(text, PUBLISH_HEAD_MAGIC, magic_len);
	memcpy(text + magic_len, hello->head.data, hello->head.len);
	return sign_verify(key.public, text, magic_len + hello->head.len,
			   hello->head_signature.data);
}

static bool read_head(struct call *call, const Pb__SubscribeRequest *hello, struct proof *ret)
{
	Pb__PeersHead *head =
		pb__peers_head__unpack(arena_pb(&call->arena), hello->head.len, hello->head.data);

	if (!head || head->tenant_id.len != sizeof(ret->tenant_id.b) ||
	    memcmp(head->tenant_id.data, call->caller.tenant_id.b, sizeof(ret->tenant_id.b)))
		return false;
	ret->tenant_id = call->caller.tenant_id;
	ret->epoch = head->epoch;
	ret->generation = head->to_generation;
	return true;
}

static bool is_ahead(const struct proof *p, const struct tenant_row *tenant)
{
	return p->epoch > tenant->epoch ||
	       (p->epoch == tenant->epoch && p->generation > tenant->generation);
}

static int compare(struct txn *txn, void *ctx)
{
	const struct proof *p = ctx;
	struct tenant_row tenant;
	int r;

	r = tenant_row_get(txn, &p->tenant_id, &tenant);
	return r ? r : is_ahead(p, &tenant) ? ERR_OUTCOME_UNKNOWN : 0;
}

static int begin_epoch(struct txn *txn, void *ctx)
{
	struct proof *p = ctx;
	struct tenant_row tenant;
	struct change change;
	uint64_t epoch;
	int r;

	/* Another node may have shown the same meanwhile. */
	r = tenant_row_get(txn, &p->tenant_id, &tenant);
	if (r || !is_ahead(p, &tenant))
		return r;
	r = change_begin(txn, &p->tenant_id, p->now_ms, &change);
	if (r)
		return err_trace(r);
	epoch = tenant.epoch > p->epoch ? tenant.epoch + 1 : p->epoch + 1;
	if (epoch < (uint64_t)p->now_ms)
		epoch = (uint64_t)p->now_ms;
	change.tenant.epoch = epoch;
	r = change_end(txn, &change);
	return r ? err_trace(r) : audit_end(txn, &p->audit, 0);
}

int epoch_check(struct call *call, const Pb__SubscribeRequest *hello)
{
	struct proof p = {.now_ms = clock_wall_ms()};
	struct cp *cp = call->owner;
	int r;

	if (!hello->head.len)
		return 0;
	if (!signature_good(cp, hello) || !read_head(call, hello, &p)) {
		log_line(LOG_LEVEL_WARN, "epoch", &call->log,
			 "a node shows a head that is not ours: it starts from nothing");
		return 0;
	}
	r = store_read(cp->store, compare, &p);
	if (r != ERR_OUTCOME_UNKNOWN)
		return err_trace(r);
	log_line(LOG_LEVEL_WARN, "epoch", &call->log,
		 "a node has generation %llu, newer than the store: a new epoch begins",
		 (unsigned long long)p.generation);
	audit_begin(call, "tenant.epoch", &p.audit);
	return store_write(cp->store, begin_epoch, NULL, &p);
}
