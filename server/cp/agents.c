/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/agents.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "gen/rpc/agent_service.h"
#include "server/cp/fields.h"
#include "server/cp/hub.h"
#include "server/cp/inspection.h"
#include "server/cp/manners.h"
#include "server/cp/misdeeds.h"
#include "server/cp/presence.h"
#include "server/cp/progress.h"
#include "server/cp/rotation.h"
#include "server/peers/view.h"
#include "server/store/device_row.h"
#include "server/store/member_row.h"
#include "server/store/node_row.h"
#include "server/store/tenant_row.h"

enum { PAGE_DEFAULT = 1024, PAGE_MAX = 4096 };

struct look {
	struct uuid tenant_id, node_id;
	uint64_t generation;
	Pb__PeerStatus **statuses;
	size_t n_statuses;
	Pb__Promoted **promoted;
	size_t n_promoted;
	struct tenant_row tenant;
	uint8_t digest[32];
	bool has_digest;
};

static int own_device(struct txn *txn, const struct look *l, const ProtobufCBinaryData *id,
		      struct device_row *ret_device)
{
	struct uuid device;
	int r;

	if (id->len != sizeof(device.b))
		return ERR_NOT_FOUND;
	memcpy(device.b, id->data, sizeof(device.b));
	r = device_row_get(txn, &l->tenant_id, &device, ret_device);
	if (r)
		return r;
	return uuid_equal(&ret_device->home, &l->node_id) ? 0 : ERR_NOT_FOUND;
}

/* A node speaks for devices that live with it, not for what is gone or never was. */
static int keep_own(struct txn *txn, struct look *l)
{
	struct device_row device;
	size_t kept = 0;
	int r;

	for (size_t i = 0; i < l->n_statuses; i++) {
		r = own_device(txn, l, &l->statuses[i]->device_id, &device);
		if (r < 0)
			return err_trace(r);
		if (!r)
			l->statuses[kept++] = l->statuses[i];
	}
	l->n_statuses = kept;
	return 0;
}

/* Those that change something: only they are worth a write. */
static int keep_pending(struct txn *txn, struct look *l)
{
	struct device_row device;
	size_t kept = 0;
	int r;

	for (size_t i = 0; i < l->n_promoted; i++) {
		r = own_device(txn, l, &l->promoted[i]->device_id, &device);
		if (r < 0)
			return err_trace(r);
		if (!r && device.pending.key_version == l->promoted[i]->key_version)
			l->promoted[kept++] = l->promoted[i];
	}
	l->n_promoted = kept;
	return 0;
}

static int look_up(struct txn *txn, void *ctx)
{
	struct look *l = ctx;
	int r;

	r = tenant_row_get(txn, &l->tenant_id, &l->tenant);
	if (r)
		return r;
	r = tenant_row_digest(txn, &l->tenant_id, l->generation, l->digest);
	l->has_digest = !r;
	if (!r || r == ERR_NOT_FOUND)
		r = keep_own(txn, l);
	return r ? r : keep_pending(txn, l);
}

/* It cannot have what was never published. */
static bool invents(const struct look *l, const Pb__ReportRequest *in)
{
	return in->epoch > l->tenant.epoch ||
	       (in->epoch == l->tenant.epoch && in->applied_generation > l->tenant.generation);
}

/* The node's list is not what was published. */
static bool list_differs(const struct look *l, const Pb__ReportRequest *in)
{
	return l->has_digest && in->list_digest.len && in->epoch == l->tenant.epoch &&
	       (in->list_digest.len != sizeof(l->digest) ||
		memcmp(in->list_digest.data, l->digest, sizeof(l->digest)));
}

/*
 * Once more from the start, once for each generation. A node for which that does
 * not help is left alone for longer and longer, and shown.
 */
static void judge(struct cp *cp, struct call *call, const struct look *l,
		  const Pb__ReportRequest *in, bool differs)
{
	if (differs) {
		tally_add(&cp->tally, TALLY_DIGEST_BAD, 1);
		misdeeds_note(cp->misdeeds, call, "node.digest",
			      invents(l, in) ? "reports a generation that was never published"
					     : "its list is not the one published");
	}
	if (!manners_digest(cp->manners, &l->node_id, differs, in->applied_generation))
		return;
	tally_add(&cp->tally, TALLY_RESYNC_DIGEST, 1);
	log_line(LOG_LEVEL_WARN, "agents", &call->log,
		 "list digest of generation %llu differs: resync",
		 (unsigned long long)in->applied_generation);
	hub_refresh(cp->hub, &l->tenant_id, &l->node_id);
}

/* Told and counted; its node compares the two all the time and mends what it can. */
static enum lag_differs judge_interface(struct cp *cp, struct call *call, const struct look *l,
					const Pb__ReportRequest *in)
{
	if (!inspection_differs(cp->inspection, &l->tenant, &l->node_id, in))
		return LAG_FITS;
	tally_add(&cp->tally, TALLY_INTERFACE_BAD, 1);
	misdeeds_note(cp->misdeeds, call, "node.interface",
		      "its interface has other peers than its list gives it");
	return LAG_INTERFACE;
}

static int too_often(struct call *call, uint64_t wait_ms)
{
	struct cp *cp = call->owner;
	int r;

	tally_add(&cp->tally, TALLY_REPORTS_LATER, 1);
	misdeeds_note(cp->misdeeds, call, "node.reports", "reports too often");
	r = call_fail(call, ERR_RATE_LIMITED, "This node reports too often.");
	status_retry(&call->status, wait_ms);
	return r;
}

int agents_admit(struct call *call, void *owner)
{
	struct cp *cp = owner;
	uint64_t wait_ms;

	if (call->method != &agent_service_methods[METHOD_AGENT_REPORT])
		return 0;
	wait_ms = manners_admit(cp->manners, &call->caller.node_id, MANNERS_REPORT, 1);
	return wait_ms ? too_often(call, wait_ms) : 0;
}

int agents_report(struct call *call, const Pb__ReportRequest *in, Pb__ReportResponse *out)
{
	const struct uuid *tenant = &call->caller.tenant_id, *node = &call->caller.node_id;
	struct look l = {.tenant_id = *tenant,
			 .node_id = *node,
			 .generation = in->applied_generation,
			 .statuses = in->statuses,
			 .n_statuses = in->n_statuses,
			 .promoted = in->promoted,
			 .n_promoted = in->n_promoted};
	struct cp *cp = call->owner;
	Pb__ReportRequest told;
	uint64_t wait_ms;
	bool differs;
	int r;

	wait_ms = manners_admit(cp->manners, node, MANNERS_DEVICES,
				manners_weight(in->n_statuses + in->n_promoted));
	if (wait_ms)
		return too_often(call, wait_ms);
	r = store_read(cp->store, look_up, &l);
	for (size_t i = 0; !r && i < l.n_promoted; i++)
		r = rotation_promoted(call, l.promoted[i]);
	if (r)
		return err_trace(r);
	/* What it invented is not applied. */
	told = *in;
	if (invents(&l, in))
		told.applied_generation = 0;
	differs = invents(&l, in) || list_differs(&l, in);
	progress_epoch(cp->progress, tenant, l.tenant.epoch);
	judge(cp, call, &l, in, differs);
	progress_report(cp->progress, tenant, node, &told,
			differs ? LAG_LIST : judge_interface(cp, call, &l, in));
	presence_report(cp->presence, tenant, node, l.statuses, l.n_statuses);
	if (in->interest)
		hub_interest(cp->hub, tenant, node);
	out->generation = l.tenant.generation;
	out->epoch = l.tenant.epoch;
	out->reconnect_spread_ms = hub_spread(cp->hub);
	out->time = fields_time(call, clock_wall_ms());
	return 0;
}

/* --- the peer list of one node --- */

struct peers {
	struct uuid tenant_id, node_id;
	struct tenant_row tenant;
	struct members *members;
	struct node_row node;
};

static int put(void *arg, const struct uuid *id, const uint8_t *record, size_t len)
{
	(void)id;
	return members_put(arg, record, len);
}

static int load_members(struct txn *txn, void *ctx)
{
	struct peers *p = ctx;
	int r;

	r = node_row_get(txn, &p->tenant_id, &p->node_id, &p->node);
	if (!r)
		r = tenant_row_get(txn, &p->tenant_id, &p->tenant);
	if (!r)
		r = member_row_since(txn, &p->tenant_id, 0, put, p->members);
	return r;
}

static Pb__Peer *fill(struct call *call, const struct view *view, const struct view_peer *peer)
{
	static const char *const kinds[] = {
		[VIEW_NODE] = "node", [VIEW_DEVICE] = "device", [VIEW_PENDING] = "pending"};
	Pb__Peer *out = FIELDS_NEW(call, Pb__Peer, pb__peer__init);
	char text[CIDR_TEXT_LEN + 1];

	if (!out)
		return NULL;
	out->public_key = fields_key(call, peer->public_key.b);
	out->device_id = fields_uuid(call, &peer->id);
	out->endpoint = arena_strdup(&call->arena, peer->endpoint ? peer->endpoint : "");
	out->kind = (char *)kinds[peer->kind];
	out->keepalive = peer->keepalive_s;
	out->allowed_ips = call_alloc(call, (peer->n_prefixes + 1) * sizeof(*out->allowed_ips));
	if (!out->public_key || !out->device_id || !out->endpoint || !out->allowed_ips)
		return NULL;
	for (size_t i = 0; i < peer->n_prefixes; i++) {
		cidr_text(&view->prefixes[peer->first_prefix + i], text);
		out->allowed_ips[i] = arena_strdup(&call->arena, text);
		if (!out->allowed_ips[i])
			return NULL;
		out->n_allowed_ips++;
	}
	return out;
}

/* "<generation>.<index>": another generation is another list. */
static int parse_page(struct call *call, const char *token, uint64_t generation, size_t *ret_first)
{
	unsigned long long of, first;
	char rest;

	*ret_first = 0;
	if (!*token)
		return 0;
	if (strspn(token, "0123456789.") != strlen(token) ||
	    sscanf(token, "%19llu.%9llu%c", &of, &first, &rest) != 2 || of != generation)
		return call_fail(call, ERR_PAGE_TOKEN_INVALID,
				 "The list has changed. Start from the first page.");
	*ret_first = (size_t)first;
	return 0;
}

static int fill_page(struct call *call, const Pb__GetNodePeersRequest *in, const struct peers *p,
		     const struct view *view, Pb__GetNodePeersResponse *out)
{
	size_t limit = in->page_size ? in->page_size : PAGE_DEFAULT, first;
	char *digest = call_alloc(call, TEXT_HEX_LEN(DIGEST_LEN) + 1);
	int r;

	r = parse_page(call, in->page_token, p->tenant.generation, &first);
	if (r)
		return r;
	if (limit > PAGE_MAX)
		limit = PAGE_MAX;
	out->peers = call_alloc(call, limit * sizeof(*out->peers));
	if (!digest || !out->peers)
		return -ENOMEM;
	text_hex(view->digest.b, DIGEST_LEN, digest);
	out->digest = digest;
	out->epoch = p->tenant.epoch;
	out->generation = p->tenant.generation;
	for (size_t i = first; i < view->n_peers && out->n_peers < limit; i++) {
		out->peers[out->n_peers] = fill(call, view, &view->peers[i]);
		if (!out->peers[out->n_peers++])
			return -ENOMEM;
	}
	if (first + out->n_peers < view->n_peers)
		out->next_page_token = arena_printf(&call->arena, "%llu.%zu",
						    (unsigned long long)p->tenant.generation,
						    first + out->n_peers);
	return out->next_page_token ? 0 : -ENOMEM;
}

int agents_peers(struct call *call, const Pb__GetNodePeersRequest *in,
		 Pb__GetNodePeersResponse *out)
{
	_cleanup_(members_freep) struct members *members = members_new();
	struct peers p = {.tenant_id = call->caller.tenant_id, .members = members};
	struct cp *cp = call->owner;
	struct view view;
	int r;

	if (!members)
		return -ENOMEM;
	if (uuid_parse(in->node_id, &p.node_id))
		return call_field(call, "node_id", "must be a UUID");
	r = store_read(cp->store, load_members, &p);
	if (r == ERR_NOT_FOUND)
		return call_fail(call, r, "There is no such node.");
	if (r)
		return err_trace(r);
	if (!uuid_equal(&p.node_id, &call->caller.node_id))
		return call_fail(call, ERR_NOT_OWNER, "A node may ask for its own list only.");
	r = view_make(members, &p.node_id, NULL, &view);
	if (r)
		return err_trace(r);
	r = fill_page(call, in, &p, &view, out);
	view_done(&view);
	return r;
}
