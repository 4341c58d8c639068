/* SPDX-License-Identifier: Apache-2.0 */
/* Told once too often is no harm: nodes and watchers know what they know. */
#include "server/cp/unheard.h"

#include "base/clock.h"
#include "server/cp/hub.h"
#include "server/cp/licensing.h"
#include "server/cp/progress.h"
#include "server/cp/sessions.h"
#include "server/store/node_row.h"
#include "server/store/session_row.h"
#include "server/store/tenant_row.h"

struct tour {
	struct uuid after;
	struct uuid tenant;
	bool found;
	int64_t now_ms;
	struct sessions_ended ended;
};

void unheard_note(struct cp *cp)
{
	cp->unheard = true;
}

static int keep_tenant(void *arg, const struct tenant_row *row)
{
	struct tour *t = arg;

	t->tenant = row->id;
	t->found = true;
	return 0;
}

static int read_tenant(struct txn *txn, void *ctx)
{
	struct tour *t = ctx;
	int r;

	t->found = false;
	t->ended.n = 0;
	r = tenant_row_list(txn, &t->after, 1, keep_tenant, t);
	if (r || !t->found)
		return r;
	return session_row_revoked(txn, &t->tenant, t->now_ms, sessions_ended_add, &t->ended);
}

struct asked {
	const struct uuid *tenant, *node;
};

static int read_node(struct txn *txn, void *ctx)
{
	const struct asked *asked = ctx;
	struct node_row row;

	return node_row_get(txn, asked->tenant, asked->node, &row);
}

/* As fleet_remove leaves them. */
static int drop_removed(struct cp *cp, const struct uuid *tenant)
{
	_cleanup_(freep) struct uuid *nodes = NULL;
	size_t n = 0;
	int r = progress_nodes(cp->progress, tenant, &nodes, &n);

	for (size_t i = 0; i < n && !r; i++) {
		struct asked asked = {.tenant = tenant, .node = &nodes[i]};

		r = store_read(cp->store, read_node, &asked);
		if (r != ERR_NOT_FOUND)
			continue;
		hub_cut(cp->hub, tenant, &nodes[i]);
		progress_forget(cp->progress, tenant, &nodes[i]);
		r = 0;
	}
	return err_trace(r);
}

static int tell(struct cp *cp, struct tour *t)
{
	int r;

	for (;;) {
		r = store_read(cp->store, read_tenant, t);
		if (r || !t->found)
			return err_trace(r);
		hub_revoke(cp->hub, &t->tenant, t->ended.ids, t->ended.n);
		r = drop_removed(cp, &t->tenant);
		if (r)
			return r;
		t->after = t->tenant;
	}
}

void unheard_tell(struct cp *cp)
{
	struct tour t = {.now_ms = clock_wall_ms()};

	if (!atomic_exchange(&cp->unheard, false))
		return;
	licensing_doubt(cp->licensing);
	if (tell(cp, &t)) {
		log_warn("cp", "what may have been committed could not be read; tried again");
		unheard_note(cp);
	}
	sessions_ended_done(&t.ended);
}
