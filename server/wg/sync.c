/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both lists are sorted by key (through index arrays), all prefixes by value;
 * then every question is one binary search. Order of the answer: additions and
 * moves, drops, removals, so that no address is ever without a peer.
 */
#include "server/wg/sync.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"

/* Sorted by prefix; of equal ones the peer that comes first. */
struct claim {
	struct cidr prefix;
	size_t peer;
};

struct side {
	const struct wg_list *list;
	const struct wg_peer **by_key;
	struct claim *claims;
};

static int compare_key(const void *a, const void *b)
{
	const struct wg_peer *const *x = a, *const *y = b;

	return memcmp((*x)->public_key.b, (*y)->public_key.b, KEY_LEN);
}

static int compare_prefix(const struct cidr *a, const struct cidr *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->bits != b->bits)
		return a->bits < b->bits ? -1 : 1;
	return memcmp(a->addr, b->addr, a->family == CIDR_V4 ? 4 : 16);
}

static int compare_claim(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = compare_prefix(&x->prefix, &y->prefix);

	if (order)
		return order;
	return x->peer < y->peer ? -1 : x->peer > y->peer;
}

static void side_done(struct side *s)
{
	free(s->by_key);
	free(s->claims);
}

static int side_init(struct side *s, const struct wg_list *list)
{
	size_t n = 0;

	s->list = list;
	s->by_key = calloc(list->n_peers + 1, sizeof(const struct wg_peer *));
	s->claims = calloc(list->n_prefixes + 1, sizeof(*s->claims));
	if (!s->by_key || !s->claims)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < list->n_peers; i++) {
		const struct wg_peer *p = &list->peers[i];

		s->by_key[i] = p;
		for (size_t k = 0; k < p->n_prefixes; k++) {
			s->claims[n].prefix = list->prefixes[p->first_prefix + k];
			s->claims[n++].peer = i;
		}
	}
	qsort(s->by_key, list->n_peers, sizeof(const struct wg_peer *), compare_key);
	qsort(s->claims, n, sizeof(*s->claims), compare_claim);
	return 0;
}

static const struct wg_peer *find_peer(const struct side *s, const struct key *public_key)
{
	const struct wg_peer wanted = {.public_key = *public_key}, *p = &wanted;
	const struct wg_peer **found = bsearch(&p, s->by_key, s->list->n_peers,
					       sizeof(const struct wg_peer *), compare_key);

	return found ? *found : NULL;
}

/* Who owns the prefix: index of the first peer that claims it, SIZE_MAX: nobody. */
static size_t owner(const struct side *s, const struct cidr *prefix)
{
	size_t low = 0, high = s->list->n_prefixes;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (compare_prefix(&s->claims[middle].prefix, prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == s->list->n_prefixes || compare_prefix(&s->claims[low].prefix, prefix) != 0)
		return SIZE_MAX;
	return s->claims[low].peer;
}

static int add_new(struct wg_delta *d, const struct side *wanted, size_t index)
{
	const struct wg_peer *peer = &wanted->list->peers[index];
	struct wg_change *c = wgdelta_add(d, WG_CHANGE_ADD, &peer->public_key);

	if (!c)
		return -ENOMEM;
	if (!key_is_zero(&peer->psk)) {
		c->flags |= WG_SET_PSK;
		c->psk = peer->psk;
	}
	if (peer->endpoint.family) {
		c->flags |= WG_SET_ENDPOINT;
		c->endpoint = peer->endpoint;
	}
	if (peer->keepalive_s) {
		c->flags |= WG_SET_KEEPALIVE;
		c->keepalive_s = peer->keepalive_s;
	}
	for (size_t k = 0; k < peer->n_prefixes; k++) {
		const struct cidr *prefix = &wanted->list->prefixes[peer->first_prefix + k];
		int r = owner(wanted, prefix) == index ? wgdelta_add_prefix(d, prefix) : 0;

		if (r)
			return r;
	}
	return 0;
}

static unsigned changed_flags(const struct wg_peer *want, const struct wg_peer *run)
{
	unsigned flags = 0;

	if (!key_equal(&want->psk, &run->psk))
		flags |= WG_SET_PSK;
	if (want->keepalive_s != run->keepalive_s)
		flags |= WG_SET_KEEPALIVE;
	if (want->endpoint.family && want->endpoint_is_new &&
	    !wg_endpoint_equal(&want->endpoint, &run->endpoint))
		flags |= WG_SET_ENDPOINT;
	return flags;
}

static int add_update(struct wg_delta *d, const struct side *wanted, size_t index,
		      const struct side *running, const struct wg_peer *run)
{
	const struct wg_peer *want = &wanted->list->peers[index];
	size_t run_index = (size_t)(run - running->list->peers);
	unsigned flags = changed_flags(want, run);
	struct wg_change *c = NULL;

	if (flags) {
		c = wgdelta_add(d, WG_CHANGE_UPDATE, &want->public_key);
		if (!c)
			return -ENOMEM;
		c->flags = flags;
		c->psk = want->psk;
		c->endpoint = want->endpoint;
		c->keepalive_s = want->keepalive_s;
	}
	for (size_t k = 0; k < want->n_prefixes; k++) {
		const struct cidr *prefix = &wanted->list->prefixes[want->first_prefix + k];
		int r;

		if (owner(wanted, prefix) != index || owner(running, prefix) == run_index)
			continue;
		if (!c)
			c = wgdelta_add(d, WG_CHANGE_UPDATE, &want->public_key);
		if (!c)
			return -ENOMEM;
		r = wgdelta_add_prefix(d, prefix);
		if (r)
			return r;
	}
	return 0;
}

/* Prefixes of peers that stay, which nobody wants any more, leave with one throw-away peer. */
static int add_drops(struct wg_delta *d, const struct side *wanted, const struct side *running)
{
	struct wg_change *c = NULL;

	for (size_t i = 0; i < running->list->n_prefixes; i++) {
		const struct claim *claim = &running->claims[i];
		struct key private, public;
		int r;

		if (owner(wanted, &claim->prefix) != SIZE_MAX)
			continue;
		if (!find_peer(wanted, &running->list->peers[claim->peer].public_key))
			continue;
		if (!c) {
			key_make(&private, &public);
			key_wipe(&private);
			c = wgdelta_add(d, WG_CHANGE_DROP, &public);
		}
		if (!c)
			return -ENOMEM;
		r = wgdelta_add_prefix(d, &claim->prefix);
		if (r)
			return r;
	}
	return 0;
}

static int make(struct wg_delta *d, const struct side *wanted, const struct side *running)
{
	int r;

	for (size_t i = 0; i < wanted->list->n_peers; i++) {
		const struct wg_peer *run = find_peer(running, &wanted->list->peers[i].public_key);

		r = run ? add_update(d, wanted, i, running, run) : add_new(d, wanted, i);
		if (r)
			return r;
	}
	r = add_drops(d, wanted, running);
	if (r)
		return r;
	for (size_t i = 0; i < running->list->n_peers; i++) {
		const struct key *public_key = &running->list->peers[i].public_key;

		if (!find_peer(wanted, public_key) && !wgdelta_add(d, WG_CHANGE_REMOVE, public_key))
			return -ENOMEM;
	}
	return 0;
}

int sync_make(const struct wg_list *wanted, const struct wg_list *running,
	      struct wg_delta *ret_delta)
{
	_cleanup_(side_done) struct side w = {0}, u = {0};
	struct wg_delta d = {0};
	int r;

	r = side_init(&w, wanted);
	if (!r)
		r = side_init(&u, running);
	if (!r)
		r = make(&d, &w, &u);
	if (r) {
		wgdelta_done(&d);
		return err_trace(r);
	}
	*ret_delta = d;
	return 0;
}
