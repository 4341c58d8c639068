/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/epoch.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "quazzar/mesh/v1/member.pb-c.h"
#include "server/cp/audit.h"
#include "server/cp/change.h"
#include "server/cp/keyring.h"
#include "server/cp/misdeeds.h"
#include "server/cp/progress.h"
#include "server/cp/publish.h"

enum { HEAD_MAX = 512 };

/* What a node showed to be ours. */
struct proof {
	struct uuid tenant_id;
	uint64_t epoch, generation;
	uint8_t digest[32];
	bool has_digest;
	bool forgotten; /* the store remembers neither its digest nor what was removed since */
	uint64_t begun; /* the new epoch; 0: another call began it */
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
	ret->has_digest = head->list_digest.len == sizeof(ret->digest);
	if (ret->has_digest)
		memcpy(ret->digest, head->list_digest.data, sizeof(ret->digest));
	return true;
}

/* It was ahead of this store, or this store has told it otherwise. */
static int is_other(struct txn *txn, struct proof *p, const struct tenant_row *tenant,
		    bool *ret_other)
{
	uint8_t digest[32];
	int r;

	*ret_other = p->epoch > tenant->epoch ||
		     (p->epoch == tenant->epoch && p->generation > tenant->generation);
	if (*ret_other || p->epoch != tenant->epoch || !p->has_digest)
		return 0;
	r = tenant_row_digest(txn, &tenant->id, p->generation, digest);
	if (!r)
		*ret_other = memcmp(digest, p->digest, sizeof(digest)) != 0;
	p->forgotten = r == ERR_NOT_FOUND;
	return p->forgotten ? 0 : r;
}

static int compare(struct txn *txn, void *ctx)
{
	struct proof *p = ctx;
	struct tenant_row tenant;
	bool other;
	int r;

	r = tenant_row_get(txn, &p->tenant_id, &tenant);
	if (!r)
		r = is_other(txn, p, &tenant, &other);
	return r ? r : other ? ERR_OUTCOME_UNKNOWN : 0;
}

static int begin_epoch(struct txn *txn, void *ctx)
{
	struct proof *p = ctx;
	struct tenant_row tenant;
	struct change change;
	uint64_t epoch;
	bool other;
	int r;

	p->begun = 0;
	/* Another node may have shown the same meanwhile. */
	r = tenant_row_get(txn, &p->tenant_id, &tenant);
	if (!r)
		r = is_other(txn, p, &tenant, &other);
	if (r || !other)
		return r;
	r = change_begin(txn, &p->tenant_id, p->now_ms, &change);
	if (r)
		return err_trace(r);
	epoch = tenant.epoch > p->epoch ? tenant.epoch + 1 : p->epoch + 1;
	if (epoch < (uint64_t)p->now_ms)
		epoch = (uint64_t)p->now_ms;
	change.tenant.epoch = epoch;
	p->begun = epoch;
	r = change_end(txn, &change);
	return r ? err_trace(r) : audit_end(txn, &p->audit, 0);
}

static int unproven(struct call *call)
{
	struct cp *cp = call->owner;

	log_line(LOG_LEVEL_WARN, "epoch", &call->log,
		 "a node shows a head that is not ours: it starts from nothing");
	tally_add(&cp->tally, TALLY_HEADS_BAD, 1);
	misdeeds_note(cp->misdeeds, call, "node.head", "its head is not signed by this panel");
	return 0;
}

static int renew(struct call *call, struct proof *p)
{
	struct cp *cp = call->owner;
	int r;

	log_line(LOG_LEVEL_WARN, "epoch", &call->log,
		 "a node has generation %llu of a log that this store does not have: a new epoch "
		 "begins",
		 (unsigned long long)p->generation);
	tally_add(&cp->tally, TALLY_HEADS_AHEAD, 1);
	audit_begin(call, "tenant.epoch", &p->audit);
	r = store_write(cp->store, begin_epoch, NULL, p);
	/* What nodes have of the old one counts for nothing from now on, not from the next event.
	 */
	if (!r && p->begun)
		progress_epoch(cp->progress, &p->tenant_id, p->begun);
	return r;
}

int epoch_check(struct call *call, const Pb__SubscribeRequest *hello,
		struct epoch_position *ret_from)
{
	struct proof p = {.now_ms = clock_wall_ms()};
	struct cp *cp = call->owner;
	int r;

	*ret_from = (struct epoch_position){0};
	if (!hello->head.len)
		return 0;
	if (!signature_good(cp, hello) || !read_head(call, hello, &p))
		return unproven(call);
	r = store_read(cp->store, compare, &p);
	if (r == ERR_OUTCOME_UNKNOWN)
		return renew(call, &p);
	/* Generation 0: the head is shown, and everything asked for. */
	if (!r && hello->generation && !p.forgotten)
		*ret_from = (struct epoch_position){.epoch = p.epoch, .generation = p.generation};
	return err_trace(r);
}
