/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/keysweep.h"

#include <stdio.h>

#include "server/cp/audit.h"
#include "server/cp/hub.h"
#include "server/cp/progress.h"
#include "server/cp/sessions.h"
#include "server/store/node_row.h"
#include "server/store/session_row.h"
#include "server/store/tenant_row.h"

enum { TOLD_AT_ONCE = 1000 };

/* One tenant after the other: none waits for a write over all of them. */
struct walk {
	struct uuid after;
	struct tenant_row tenant;
	bool found;
	struct keysweep *sweep;
	struct sessions_ended ended;
	struct progress *progress;
	int64_t since_ms;
	uint32_t n_untold;
};

static int keep(void *arg, const struct tenant_row *row)
{
	struct walk *w = arg;

	w->tenant = *row;
	w->found = true;
	return 0;
}

static int next_tenant(struct txn *txn, void *ctx)
{
	struct walk *w = ctx;

	w->found = false;
	return tenant_row_list(txn, &w->after, 1, keep, w);
}

static int sweep_one(struct txn *txn, void *ctx)
{
	struct walk *w = ctx;
	struct keysweep *s = w->sweep;
	int r = 0;

	w->ended.n = 0;
	s->audit.tenant = w->tenant.id;
	if (s->end_sessions)
		r = session_row_end_before(txn, &w->tenant.id, s->now_ms, sessions_ended_add,
					   &w->ended);
	return r ? err_trace(r) : audit_end(txn, &s->audit, 0);
}

static void tell_nodes(struct cp *cp, const struct walk *w)
{
	for (size_t i = 0; i < w->ended.n; i += TOLD_AT_ONCE) {
		size_t n = w->ended.n - i < TOLD_AT_ONCE ? w->ended.n - i : TOLD_AT_ONCE;

		hub_revoke(cp->hub, &w->tenant.id, (const uint8_t(*)[16])w->ended.ids + i, n);
	}
}

static void name_object(struct cp *cp, struct keysweep *s)
{
	_cleanup_(freep) struct keyring_info *infos = NULL;
	size_t n = 0;

	if (!s->version && !keyring_list(cp->keyring, &infos, &n)) {
		for (size_t i = 0; i < n; i++) {
			if (infos[i].use == s->use && infos[i].version > s->version)
				s->version = infos[i].version;
		}
	}
	snprintf(s->audit.object, sizeof(s->audit.object), "%s %u", keyring_use_name(s->use),
		 s->version);
}

int keysweep_run(struct cp *cp, struct keysweep *sweep)
{
	struct walk w = {.sweep = sweep};
	int r;

	name_object(cp, sweep);
	for (;;) {
		r = store_read(cp->store, next_tenant, &w);
		if (r || !w.found)
			break;
		w.after = w.tenant.id;
		r = store_write(cp->store, sweep_one, NULL, &w);
		if (r)
			break;
		sweep->n_ended += (uint32_t)w.ended.n;
		tell_nodes(cp, &w);
	}
	sessions_ended_done(&w.ended);
	return err_trace(r);
}

static int look_at_node(void *arg, const struct node_row *row)
{
	struct walk *w = arg;
	struct muster_node is;

	progress_get(w->progress, &row->tenant, &row->id, &is);
	w->n_untold += !is.online && is.reported_ms < w->since_ms && is.turned_ms < w->since_ms;
	return 0;
}

static int look_at_nodes(struct txn *txn, void *ctx)
{
	struct walk *w = ctx;
	struct uuid first = {0};
	uint32_t before = w->n_untold;
	int r;

	r = node_row_list(txn, &w->tenant.id, &first, UINT32_MAX, look_at_node, w);
	if (r)
		w->n_untold = before;
	return r;
}

int keysweep_untold(struct cp *cp, int64_t since_ms, uint32_t *ret_n)
{
	struct walk w = {.progress = cp->progress, .since_ms = since_ms};
	int r;

	for (;;) {
		r = store_read(cp->store, next_tenant, &w);
		if (!r && w.found)
			r = store_read(cp->store, look_at_nodes, &w);
		if (r || !w.found)
			break;
		w.after = w.tenant.id;
	}
	if (!r)
		*ret_n = w.n_untold;
	return err_trace(r);
}
