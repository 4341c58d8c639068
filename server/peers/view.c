/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Members -> wanted WireGuard peers of one node. Two passes: count, then fill.
 * Prefixes of a node peer must lie together, so devices of other nodes are
 * counted per home first.
 */
#include "server/peers/view.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

struct build {
	const struct members *ms;
	const struct uuid *self;
	const struct view_options *options;
	struct view *view;
	size_t *peer_of; /* member index -> peer index + 1 of a node; 0: none */
};

void view_done(struct view *v)
{
	free(v->peers);
	free(v->prefixes);
	*v = (struct view){0};
}

static size_t n_prefixes_of(const struct member *m)
{
	return (m->ip4 != 0) + m->has_ip6;
}

static void add_prefixes(struct view *v, struct view_peer *peer, const struct member *m)
{
	struct cidr *at = v->prefixes + peer->first_prefix + peer->n_prefixes;

	if (m->ip4)
		*at++ = cidr_v4(m->ip4, 32);
	if (m->has_ip6)
		*at++ = cidr_v6(m->ip6, 128);
	peer->n_prefixes = (size_t)(at - v->prefixes) - peer->first_prefix;
}

static bool is_live_device(const struct member *m)
{
	return m->kind == MEMBER_DEVICE && !m->suspended &&
	       (m->device.active.key_version || m->device.pending.key_version);
}

static bool is_other_node(const struct build *b, const struct member *m)
{
	return m->kind == MEMBER_NODE && !m->suspended && !uuid_equal(&m->id, b->self);
}

static bool is_own_device(const struct build *b, const struct member *m)
{
	return is_live_device(m) && uuid_equal(&m->device.home, b->self);
}

static bool is_promoted(const struct build *b, const struct member *m)
{
	for (size_t i = 0; b->options && i < b->options->n_promoted; i++) {
		const struct view_promoted *p = &b->options->promoted[i];

		if (uuid_equal(&p->device_id, &m->id) && m->device.pending.key_version &&
		    p->key_version == m->device.pending.key_version)
			return true;
	}
	return false;
}

static struct view_peer *add_peer(struct build *b, const struct member *m, const struct key *key,
				  enum view_kind kind)
{
	struct view_peer *peer = &b->view->peers[b->view->n_peers++];

	peer->public_key = *key;
	peer->id = m->id;
	peer->kind = kind;
	peer->endpoint = "";
	peer->first_prefix = b->view->n_prefixes;
	return peer;
}

static void add_own_key(struct build *b, const struct member *m, const struct member_key *k,
			enum view_kind kind)
{
	struct view_peer *peer = add_peer(b, m, &k->public_key, kind);

	peer->key_version = k->key_version;
	peer->psk_version = k->psk_version;
	if (kind == VIEW_DEVICE) {
		add_prefixes(b->view, peer, m);
		b->view->n_prefixes += peer->n_prefixes;
	}
}

static void add_own_device(struct build *b, const struct member *m)
{
	if (b->options && b->options->lease_over)
		return;
	if (is_promoted(b, m)) {
		add_own_key(b, m, &m->device.pending, VIEW_DEVICE);
		return;
	}
	if (m->device.active.key_version)
		add_own_key(b, m, &m->device.active, VIEW_DEVICE);
	if (m->device.pending.key_version)
		add_own_key(b, m, &m->device.pending, VIEW_PENDING);
}

/* The node's own prefixes; room for its devices' comes right behind. */
static void add_node(struct build *b, size_t index, const struct member *m, size_t room)
{
	struct view_peer *peer = add_peer(b, m, &m->node.public_key, VIEW_NODE);

	peer->endpoint = m->node.endpoint;
	peer->keepalive_s = VIEW_NODE_KEEPALIVE_S;
	add_prefixes(b->view, peer, m);
	b->view->n_prefixes += peer->n_prefixes + room;
	b->peer_of[index] = b->view->n_peers;
}

static size_t index_of(const struct members *ms, const struct uuid *id)
{
	size_t after = members_after(ms, id);

	if (after == 0 || !uuid_equal(&members_at(ms, after - 1)->id, id))
		return SIZE_MAX;
	return after - 1;
}

/* The row of the other node that this device reaches us through; SIZE_MAX: none. */
static size_t home_index(const struct build *b, const struct member *m)
{
	size_t home;

	if (!is_live_device(m) || uuid_equal(&m->device.home, b->self))
		return SIZE_MAX;
	home = index_of(b->ms, &m->device.home);
	if (home == SIZE_MAX || !is_other_node(b, members_at(b->ms, home)))
		return SIZE_MAX;
	return home;
}

static void add_peers(struct build *b, const size_t *room)
{
	size_t n = members_count(b->ms);

	for (size_t i = 0; i < n; i++) {
		const struct member *m = members_at(b->ms, i);

		if (is_other_node(b, m))
			add_node(b, i, m, room[i]);
		else if (is_own_device(b, m))
			add_own_device(b, m);
	}
	for (size_t i = 0; i < n; i++) {
		const struct member *m = members_at(b->ms, i);
		size_t home = home_index(b, m);

		if (home != SIZE_MAX)
			add_prefixes(b->view, &b->view->peers[b->peer_of[home] - 1], m);
	}
}

static void sum_digest(struct view *v)
{
	for (size_t i = 0; i < v->n_peers; i++) {
		const struct view_peer *peer = &v->peers[i];

		digest_add_peer(&v->digest, &peer->public_key);
		for (size_t k = 0; k < peer->n_prefixes; k++)
			digest_add_prefix(&v->digest, &peer->public_key,
					  &v->prefixes[peer->first_prefix + k]);
	}
}

int view_make(const struct members *ms, const struct uuid *self, const struct view_options *options,
	      struct view *ret_view)
{
	struct view view = {0};
	size_t n = members_count(ms), n_peers = 0, n_prefixes = 0;
	_cleanup_(freep) size_t *room = calloc(n + 1, sizeof(size_t));
	_cleanup_(freep) size_t *peer_of = calloc(n + 1, sizeof(size_t));
	struct build b = {
		.ms = ms, .self = self, .options = options, .view = &view, .peer_of = peer_of};

	if (!room || !peer_of)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < n; i++) {
		const struct member *m = members_at(ms, i);
		size_t home = home_index(&b, m);

		if (home != SIZE_MAX)
			room[home] += n_prefixes_of(m);
		n_peers += is_other_node(&b, m) + 2 * (size_t)is_own_device(&b, m);
		n_prefixes += n_prefixes_of(m);
	}
	view.peers = calloc(n_peers + 1, sizeof(struct view_peer));
	view.prefixes = calloc(n_prefixes + 1, sizeof(struct cidr));
	if (!view.peers || !view.prefixes) {
		view_done(&view);
		return err_origin(-ENOMEM);
	}
	add_peers(&b, room);
	sum_digest(&view);
	*ret_view = view;
	return 0;
}

bool view_promoted_counts(const struct members *ms, const struct view_promoted *p)
{
	const struct member *m = members_get(ms, &p->device_id);

	return m && m->kind == MEMBER_DEVICE && m->device.pending.key_version &&
	       m->device.pending.key_version == p->key_version;
}
