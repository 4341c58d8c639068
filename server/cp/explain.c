/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/explain.h"

#include <string.h>

#include "base/clock.h"
#include "server/cp/devices.h"
#include "server/cp/fields.h"
#include "server/cp/hub.h"
#include "server/cp/presence.h"
#include "server/cp/progress.h"
#include "server/peers/why.h"
#include "server/store/device_row.h"
#include "server/store/node_row.h"
#include "server/store/tenant_row.h"

struct look {
	struct uuid tenant_id, id, asked_at; /* nil: at the Control Panel itself */
	struct progress *progress;
	struct tenant_row tenant;
	struct device_row device;
	struct node_row home, cut_off;
	struct muster_node is; /* the home */
	bool is_cut_off;
};

static bool has(const struct muster_node *n, const struct uuid *id)
{
	for (uint32_t i = 0; i < n->n_unreached; i++)
		if (uuid_equal(&n->unreached[i], id))
			return true;
	return false;
}

/* A node that is switched off, or was removed since, is not one without a way to the home. */
static int find_cut_off(struct txn *txn, struct look *l)
{
	struct muster_node far;
	int r = 0;

	for (uint32_t i = 0; i < l->is.n_unreached && !r && !l->is_cut_off; i++) {
		progress_get(l->progress, &l->tenant_id, &l->is.unreached[i], &far);
		if (!far.online)
			continue;
		r = node_row_get(txn, &l->tenant_id, &l->is.unreached[i], &l->cut_off);
		l->is_cut_off = !r;
		r = r == ERR_NOT_FOUND ? 0 : r;
	}
	return r;
}

/* Between where it was asked and the home; asked here, between the home and any other node. */
static int look_at_way(struct txn *txn, struct look *l)
{
	struct muster_node from;
	int r;

	if (uuid_is_nil(&l->asked_at))
		return find_cut_off(txn, l);
	if (uuid_equal(&l->asked_at, &l->home.id))
		return 0;
	progress_get(l->progress, &l->tenant_id, &l->asked_at, &from);
	if (!has(&from, &l->home.id) && !has(&l->is, &l->asked_at))
		return 0;
	r = node_row_get(txn, &l->tenant_id, &l->asked_at, &l->cut_off);
	l->is_cut_off = !r;
	/* Removed since that report. */
	return r == ERR_NOT_FOUND ? 0 : r;
}

static int look_up(struct txn *txn, void *ctx)
{
	struct look *l = ctx;
	int r;

	l->is_cut_off = false;
	r = tenant_row_get(txn, &l->tenant_id, &l->tenant);
	if (!r)
		r = device_row_get(txn, &l->tenant_id, &l->id, &l->device);
	if (!r)
		r = node_row_get(txn, &l->tenant_id, &l->device.home, &l->home);
	if (r)
		return r;
	progress_get(l->progress, &l->tenant_id, &l->home.id, &l->is);
	return look_at_way(txn, l);
}

/* NULL: its home has it, as far as it told. */
static const char *not_applied(struct cp *cp, const struct look *l, char words[LAG_WORDS_MAX])
{
	const struct lag lag =
		progress_lag(cp->progress, &l->tenant_id, &l->home.id, l->device.generation);

	switch (lag.state) {
	case LAG_JOINING:
	case LAG_BEHIND:
	case LAG_SILENT:
	case LAG_DIFFERS:
		return lag_words(&lag, NULL, words);
	default:
		return NULL;
	}
}

static int refusal(const struct look *l)
{
	for (uint32_t i = 0; i < l->is.n_refused; i++)
		if (uuid_equal(&l->is.refused[i].id, &l->id))
			return (int)l->is.refused[i].error;
	return 0;
}

static int answer(struct call *call, const struct look *l, Pb__ExplainDeviceResponse *out)
{
	const struct device_row *d = &l->device;
	struct cp *cp = call->owner;
	struct presence_status seen;
	char lag[LAG_WORDS_MAX];
	struct why_facts f;
	struct why why;

	presence_get(cp->presence, &l->tenant_id, &l->id, &seen);
	f = (struct why_facts){
		.now_ms = clock_wall_ms(),
		.suspended = d->state == MEMBER_ROW_SUSPENDED,
		.needs_new_config = d->needs_new_config,
		.newest_key =
			d->pending.key_version ? d->pending.key_version : d->active.key_version,
		.active_key = d->active.key_version,
		.pending_until_ms = d->pending.until_ms,
		.home = l->home.label,
		.endpoint = l->home.endpoint,
		.home_away = !l->is.online,
		.home_lost_ms = l->is.turned_ms,
		.lease_over = l->is.lease_over,
		.lease_s = l->tenant.lease_s,
		.not_applied = not_applied(cp, l, lag),
		.failed_errno = refusal(l),
		.clock_off_ms = l->is.clock_off_ms,
		.blocked = l->is.forwarding[0] ? l->is.forwarding : NULL,
		.overlap = l->is.overlap[0] ? l->is.overlap : NULL,
		.seen_key = seen.key_version,
		.handshake_ms = seen.handshake_ms,
		.last_rx_ms = seen.rx_at_ms,
		.cut_off = l->is_cut_off ? l->cut_off.label : NULL,
	};
	why_make(&f, &why);
	out->reason = (char *)why.reason;
	out->evidence = arena_strdup(&call->arena, why.evidence);
	out->next_step = arena_strdup(&call->arena, why.next_step);
	return out->evidence && out->next_step ? 0 : -ENOMEM;
}

int explain_device(struct call *call, const Pb__ExplainDeviceRequest *in,
		   Pb__ExplainDeviceResponse *out)
{
	struct cp *cp = call->owner;
	static const struct uuid here;
	struct look l = {.tenant_id = call->caller.tenant_id,
			 .asked_at = call->caller.node_id,
			 .progress = cp->progress};
	int r;

	if (uuid_parse(in->id, &l.id))
		return call_field(call, "id", "must be a UUID");
	r = devices_seen(call, store_read(cp->store, look_up, &l), &l.device);
	if (r)
		return r;
	/* Homes tell at once what changes while somebody looks. */
	hub_interest(cp->hub, &l.tenant_id, &here);
	return answer(call, &l, out);
}
