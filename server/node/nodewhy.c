/* SPDX-License-Identifier: Apache-2.0 */
#include "server/node/nodewhy.h"

#include <errno.h>

#include "base/clock.h"
#include "server/node/forward.h"
#include "server/node/keeper.h"
#include "server/node/node.h"
#include "server/node/nodedevice.h"
#include "server/peers/why.h"

static const char *label_of(const struct replica *r, const struct uuid *id)
{
	const struct member *m = members_get(r->list, id);

	return m ? m->label : "its node";
}

/* NULL: it has. */
static const char *not_applied(struct call *call, const struct replica_interface *now,
			       uint64_t generation)
{
	if (!now->active)
		return "its interface could not be set up, see the log of qmesh-noded";
	if (now->generation >= generation)
		return NULL;
	return arena_printf(&call->arena, "its interface is at generation %llu of %llu",
			    (unsigned long long)now->generation, (unsigned long long)generation);
}

static void fill_own(struct call *call, const struct replica *r, const struct member *m,
		     struct why_facts *f)
{
	const struct replica_failed *failed = replica_failure(r, &m->id);
	const struct replica_interface *now = &r->interface;

	f->lease_over = now->lease_over;
	f->failed_errno = failed ? failed->error : 0;
	f->not_applied = not_applied(call, now, r->head.generation);
	f->clock_off_ms = r->clock_off_ms;
	f->blocked = now->forwarding[0] ? now->forwarding : NULL;
	f->overlap = now->overlap[0] ? now->overlap : NULL;
}

static void fill(struct call *call, const struct replica *r, const struct member *m,
		 struct why_facts *f)
{
	const struct member_key *newest = member_newest_key(m);
	const struct pill_row *row = pill_get(&r->pills, &m->id);
	const struct uuid *home_id = &m->device.home;
	const struct member *home = members_get(r->list, home_id);
	bool is_own = uuid_equal(home_id, &r->self);

	*f = (struct why_facts){
		.now_ms = clock_wall_ms(),
		.suspended = m->suspended,
		.needs_new_config = m->device.needs_new_config,
		.newest_key = newest ? newest->key_version : 0,
		.active_key = m->device.active.key_version,
		.pending_until_ms = m->device.pending.until_ms,
		.home = label_of(r, home_id),
		.endpoint = home ? home->node.endpoint : NULL,
		.home_away = !is_own && replica_is_down(r, home_id),
		.lease_s = r->lease.length_ms / 1000,
	};
	if (row) {
		f->seen_key = row->key_version;
		f->handshake_ms = row->handshake_ms;
		f->last_rx_ms = row->last_rx_ms;
	}
	if (is_own)
		fill_own(call, r, m, f);
	else if (pill_is_unreached(pill_get(&r->pills, home_id), f->now_ms))
		f->cut_off = label_of(r, &r->self);
}

/* *ret_elsewhere: the Control Panel knows better. */
static int explain_here(struct call *call, const Pb__ExplainDeviceRequest *in,
			Pb__ExplainDeviceResponse *out, bool *ret_elsewhere)
{
	struct node *n = call->owner;
	struct replica *r = &n->replica;
	const struct member *m;
	struct why_facts facts;
	struct why why;
	int e;

	pthread_rwlock_rdlock(&r->lock);
	e = nodedevice_find(call, in->id, &m);
	*ret_elsewhere = !e && !uuid_equal(&m->device.home, &r->self) && r->cp_connected;
	if (!e && !*ret_elsewhere) {
		fill(call, r, m, &facts);
		why_make(&facts, &why);
	}
	pthread_rwlock_unlock(&r->lock);
	if (e || *ret_elsewhere)
		return e;
	out->reason = (char *)why.reason;
	out->evidence = arena_strdup(&call->arena, why.evidence);
	out->next_step = arena_strdup(&call->arena, why.next_step);
	return out->evidence && out->next_step ? 0 : err_origin(-ENOMEM);
}

int nodewhy_explain(struct call *call, const Pb__ExplainDeviceRequest *in,
		    Pb__ExplainDeviceResponse *out)
{
	struct node *n = call->owner;
	bool elsewhere;
	int r;

	/* Somebody looks: what is told is to be a second old at most from here on. */
	keeper_interest(n->keeper);
	r = explain_here(call, in, out, &elsewhere);

	return !r && elsewhere ? forward_call(call, n) : r;
}
