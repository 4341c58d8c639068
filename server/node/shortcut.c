/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two short lists are made: what the touched devices should have, and what the
 * interface has of theirs. Where devices of other nodes are among them, those
 * nodes' peers are in both, alike but for the touched addresses. The part is
 * closed when nobody outside it has, or gets, anything in it: that is checked,
 * for a list of a Control Panel gone mad may name a key or an address twice.
 */
#include "server/node/shortcut.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "server/node/applier.h"
#include "server/node/wanted.h"
#include "server/wg/sync.h"

#define PREFIXES_MAX (6 * TOUCHED_MAX)

struct part {
	struct applier *a;
	const struct touched *touched;
	struct members *members; /* touched devices as they are, and the nodes they go through */
	struct view view;
	struct wg_list wanted, running;
	/* All prefixes that either list may have, each once, and who holds them. */
	struct cidr prefixes[PREFIXES_MAX];
	const struct wgmap_peer *holders[PREFIXES_MAX];
	size_t n_prefixes;
};

static void part_free(struct part *p)
{
	if (!p)
		return;
	view_done(&p->view);
	wglist_done(&p->wanted);
	wglist_done(&p->running);
	members_free(p->members);
	free(p);
}
CLEANUP_DEFINE(struct part, part_free);

static int add_member(struct part *p, const struct uuid *id, enum member_kind kind)
{
	const struct member *m = members_get(p->a->replica->list, id);

	if (!m || m->kind != kind)
		return 0;
	return members_put(p->members, m->bytes, m->bytes_len);
}

static int add_members(struct part *p)
{
	int r = 0;

	p->members = members_new();
	if (!p->members)
		return -ENOMEM;
	for (size_t i = 0; i < p->touched->n_ids && !r; i++)
		r = add_member(p, &p->touched->ids[i], MEMBER_DEVICE);
	for (size_t i = 0; i < p->touched->n_homes && !r; i++)
		r = add_member(p, &p->touched->homes[i], MEMBER_NODE);
	return r;
}

static bool was_theirs(const struct part *p, const struct key *public_key)
{
	for (size_t i = 0; i < p->touched->n_keys; i++)
		if (key_equal(&p->touched->keys[i], public_key))
			return true;
	return false;
}

/* A node on the way is not touched itself: it wants what it has. Others may only have their own. */
static bool may_have_keys(const struct part *p)
{
	if (p->wanted.n_peers != p->view.n_peers)
		return false;
	for (size_t i = 0; i < p->wanted.n_peers; i++) {
		struct wg_peer *want = &p->wanted.peers[i];
		const struct wgmap_peer *has = wgmap_find(p->a->map, &want->public_key);

		if (p->view.peers[i].kind != VIEW_NODE) {
			if ((has && !was_theirs(p, &want->public_key)) ||
			    key_equal(&want->public_key, &p->a->identity->wg_public))
				return false;
			continue;
		}
		if (!has)
			return false;
		want->psk = has->psk;
		want->keepalive_s = has->keepalive_s;
		want->endpoint = (struct wg_endpoint){0};
		want->endpoint_is_new = false;
	}
	return true;
}

static bool add_prefix(struct part *p, const struct cidr *prefix)
{
	for (size_t i = 0; i < p->n_prefixes; i++)
		if (cidr_equal(&p->prefixes[i], prefix))
			return true;
	if (p->n_prefixes == PREFIXES_MAX)
		return false;
	p->prefixes[p->n_prefixes] = *prefix;
	p->holders[p->n_prefixes++] = wgmap_holder(p->a->map, prefix);
	return true;
}

/* The claim is the touched device's alone when whom it goes through holds it; or nobody does. */
static bool is_held_right(const struct part *p, size_t claim, const struct wgmap_peer *holder)
{
	const struct uuid *home = &p->touched->claims[claim].home;
	const struct member *node = members_get(p->members, home);

	if (!holder)
		return true;
	if (uuid_equal(home, &p->a->replica->self))
		return was_theirs(p, &holder->public_key);
	return node && key_equal(&node->node.public_key, &holder->public_key);
}

/* Nobody holds it, or a touched device had it, or it is a node's own. */
static bool may_have_prefix(const struct part *p, size_t index, const struct cidr *prefix)
{
	const struct wgmap_peer *holder = wgmap_holder(p->a->map, prefix);
	const struct member *m = members_get(p->members, &p->view.peers[index].id);

	if (!holder)
		return true;
	for (size_t i = 0; i < p->touched->n_claims; i++)
		if (cidr_equal(&p->touched->claims[i].prefix, prefix))
			return true;
	return m && m->kind == MEMBER_NODE && key_equal(&holder->public_key, &m->node.public_key) &&
	       (prefix->family == CIDR_V4 ? cidr_host4(prefix) == m->ip4
					  : m->has_ip6 && memcmp(prefix->addr, m->ip6, 16) == 0);
}

static bool may_have_prefixes(struct part *p)
{
	for (size_t i = 0; i < p->touched->n_claims; i++) {
		const struct cidr *prefix = &p->touched->claims[i].prefix;

		if (!is_held_right(p, i, wgmap_holder(p->a->map, prefix)) || !add_prefix(p, prefix))
			return false;
	}
	for (size_t i = 0; i < p->wanted.n_peers; i++) {
		const struct wg_peer *want = &p->wanted.peers[i];

		for (size_t k = 0; k < want->n_prefixes; k++) {
			const struct cidr *prefix = &p->wanted.prefixes[want->first_prefix + k];

			if (!may_have_prefix(p, i, prefix) || !add_prefix(p, prefix))
				return false;
		}
	}
	return true;
}

static int add_running(struct part *p, const struct wgmap_peer *has)
{
	struct wg_peer *run = wglist_add_peer(&p->running, &has->public_key);
	int r = run ? 0 : -ENOMEM;

	if (!r) {
		run->psk = has->psk;
		run->keepalive_s = has->keepalive_s;
	}
	for (size_t i = 0; i < p->n_prefixes && !r; i++)
		if (p->holders[i] == has)
			r = wglist_add_prefix(&p->running, &p->prefixes[i]);
	return r;
}

/* Their old keys, with all that those hold; then the nodes on the way, with what is theirs here. */
static bool add_all_running(struct part *p)
{
	const struct wgmap *map = p->a->map;
	size_t held = 0;

	for (size_t i = 0; i < p->touched->n_keys; i++) {
		const struct wgmap_peer *has = wgmap_find(map, &p->touched->keys[i]);
		size_t n = p->running.n_prefixes;

		if (!has)
			continue;
		if (add_running(p, has) || p->running.n_prefixes - n != has->n_prefixes)
			return false;
	}
	for (size_t i = 0; i < p->wanted.n_peers; i++)
		if (p->view.peers[i].kind == VIEW_NODE &&
		    add_running(p, wgmap_find(map, &p->wanted.peers[i].public_key)))
			return false;
	for (size_t i = 0; i < p->n_prefixes; i++)
		held += p->holders[i] != NULL;
	return held == p->running.n_prefixes;
}

/* Nothing twice in it. */
static bool is_sound(const struct wg_list *l)
{
	_cleanup_(wgmap_freep) struct wgmap *m = NULL;

	return wgmap_new(l, &m) == 0;
}

/* False: no part that could be looked at alone. */
static bool make_part(struct part *p)
{
	bool good = add_members(p) == 0 &&
		    wanted_make(p->a, p->members, &p->view, &p->wanted) == 0 &&
		    p->a->n_failed == 0 && may_have_keys(p) && may_have_prefixes(p) &&
		    add_all_running(p) && is_sound(&p->wanted) && is_sound(&p->running);

	p->a->n_failed = 0;
	return good;
}

static void count(struct applier *a, const struct wg_list *l, bool add)
{
	for (size_t i = 0; i < l->n_peers; i++) {
		const struct wg_peer *p = &l->peers[i];

		(add ? digest_add_peer : digest_sub_peer)(&a->digest, &p->public_key);
		for (size_t k = 0; k < p->n_prefixes; k++)
			(add ? digest_add_prefix : digest_sub_prefix)(
				&a->digest, &p->public_key, &l->prefixes[p->first_prefix + k]);
	}
}

/* The message, then what is known of the interface. */
static bool send_part(struct part *p)
{
	_cleanup_(wgdelta_done) struct wg_delta delta = {0};
	struct applier *a = p->a;
	int r;

	if (sync_make(&p->wanted, &p->running, &delta))
		return false;
	a->is_behind = true;
	if (delta.n_changes == 0)
		return true;
	a->is_unread = true;
	KILL_POINT("node_apply_before");
	r = wg_apply(a->wg, &delta);
	KILL_POINT("node_apply_after");
	if (!r)
		r = wgmap_replace(a->map, &p->running, &p->wanted);
	if (r) {
		log_debug("wg", "change of %zu peers alone: %d", delta.n_changes, r);
		return false;
	}
	count(a, &p->running, false);
	count(a, &p->wanted, true);
	a->n_peers = wgmap_count(a->map);
	return true;
}

bool shortcut_take(struct applier *a)
{
	_cleanup_(part_freep) struct part *p = NULL;

	if (!a->map || a->replica->touched.all)
		return false;
	p = calloc(1, sizeof(*p));
	if (!p)
		return false;
	p->a = a;
	p->touched = &a->replica->touched;
	return make_part(p) && send_part(p);
}
