/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over our own devices' peers. A pending key is promoted by its first
 * handshake; a stamp that an interface lost with a restart is kept here.
 */
#include "server/node/poll.h"

#include "base/clock.h"
#include "base/log.h"
#include "server/node/node.h"
#include "server/node/rings.h"

struct pass {
	struct node *node;
	struct replica *replica;
	const struct wg_list *running;
	struct poll_result *result;
	int64_t now_ms;
};

static bool is_young(const struct pass *p, const struct member *m)
{
	return p->now_ms - m->created_at_ms < POLL_WAIT_FOR_MS;
}

static void update_row(struct pill_row *row, const struct view_peer *peer,
		       const struct wg_peer *run, int64_t now_ms)
{
	bool same_key = row->key_version == peer->key_version;

	if (!same_key && run->handshake_ms)
		*row = (struct pill_row){.device_id = row->device_id,
					 .key_version = peer->key_version,
					 .told = row->told};
	else if (!same_key)
		return;
	if (run->rx_bytes > row->rx_bytes && row->handshake_ms)
		row->last_rx_ms = now_ms;
	if (run->handshake_ms > row->handshake_ms)
		row->handshake_ms = run->handshake_ms;
	row->rx_bytes = run->rx_bytes;
	row->tx_bytes = run->tx_bytes;
}

static void read_device(struct pass *p, const struct member *m, const struct view_peer *peer,
			const struct wg_peer *run)
{
	struct pill_row *row = pill_put(&p->replica->pills, &m->id);
	struct pill_view view = {.device = m, .row = row, .applied = run, .now_ms = p->now_ms};
	int64_t before;
	enum pill pill;

	if (!row)
		return;
	before = row->handshake_ms;
	if (!row->key_version)
		row->key_version = peer->key_version;
	if (run)
		update_row(row, peer, run, p->now_ms);
	pill = pill_of(&view);
	if (pill != row->told || row->handshake_ms != before) {
		row->is_unsent = true;
		p->result->changed = true;
	}
	if (pill != row->told && pill == PILL_CONNECTED)
		log_info("node", "%s is connected", m->slug);
	row->told = pill;
	if (pill == PILL_WAITING && is_young(p, m))
		p->result->waiting = true;
	if (run)
		rings_add(p->node->rings, &m->id, run->rx_bytes, run->tx_bytes);
}

static void read_pending(struct pass *p, const struct member *m, const struct view_peer *peer,
			 const struct wg_peer *run)
{
	struct view_promoted promoted = {.device_id = m->id, .key_version = peer->key_version};

	if (!run || !run->handshake_ms) {
		p->result->waiting = true;
		return;
	}
	/* Counted by the caller, who holds the lock. */
	if (!view_promoted_counts(p->replica->list, &promoted))
		return;
	log_info("node", "%s shook hands with its new key, version %u", m->slug, peer->key_version);
	p->result->promoted = true;
}

/* How other nodes are reached: for ExplainDevice. */
static void read_node(struct pass *p, const struct member *m, const struct wg_peer *run)
{
	struct pill_row *row = pill_put(&p->replica->pills, &m->id);
	enum pill pill;

	if (!row)
		return;
	if (!row->is_node)
		row->since_ms = p->now_ms;
	row->is_node = true;
	if (run) {
		row->handshake_ms = run->handshake_ms;
		row->rx_bytes = run->rx_bytes;
		row->tx_bytes = run->tx_bytes;
	}
	pill = pill_is_unreached(row, p->now_ms) ? PILL_OFFLINE : PILL_CONNECTED;
	if (pill != row->told)
		p->result->changed = true;
	row->told = pill;
}

static void read_all(struct pass *p, const struct view *view)
{
	pthread_rwlock_wrlock(&p->replica->lock);
	for (size_t i = 0; i < view->n_peers; i++) {
		const struct view_peer *peer = &view->peers[i];
		const struct member *m = members_get(p->replica->list, &peer->id);

		if (!m)
			continue;
		if (peer->kind == VIEW_NODE)
			read_node(p, m, wglist_find(p->running, &peer->public_key));
		else if (peer->kind == VIEW_DEVICE)
			read_device(p, m, peer, wglist_find(p->running, &peer->public_key));
		else
			read_pending(p, m, peer, wglist_find(p->running, &peer->public_key));
	}
	pthread_rwlock_unlock(&p->replica->lock);
}

static void promote_all(struct pass *p, const struct view *view)
{
	for (size_t i = 0; i < view->n_peers; i++) {
		const struct view_peer *peer = &view->peers[i];
		const struct wg_peer *run = wglist_find(p->running, &peer->public_key);

		if (peer->kind == VIEW_PENDING && run && run->handshake_ms &&
		    replica_promote(p->replica, &peer->id, peer->key_version))
			log_error("node", "a promotion was lost: out of memory");
	}
}

void poll_read(struct node *n, const struct view *view, const struct wg_list *running,
	       struct poll_result *ret)
{
	struct pass p = {.node = n,
			 .replica = &n->replica,
			 .running = running,
			 .result = ret,
			 .now_ms = clock_wall_ms()};

	*ret = (struct poll_result){0};
	read_all(&p, view);
	if (ret->promoted)
		promote_all(&p, view);
}
