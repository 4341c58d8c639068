/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each side has two hash tables, peers by key and prefixes with their owner;
 * then every question is one look-up, and a list of any length costs its length.
 * Keys and addresses are chosen by others: the hash has secret coefficients.
 * Order of the answer: additions and moves, drops, removals, so that no address
 * is ever without a peer.
 */
#include "server/wg/sync.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/sign.h"

#define EMPTY UINT32_MAX

/* Slots hold indexes of peers or prefixes; open addressing, at most half full. */
struct table {
	uint32_t *slots;
	size_t mask;
};

struct side {
	const struct wg_list *list;
	struct table by_key, by_prefix;
	uint32_t *owner_of; /* of each prefix: index of its peer */
	uint64_t secret[5];
};

static uint64_t mix(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Pairs of words, each with its own secret, as in any multilinear hash. */
static uint64_t hash_words(const uint64_t secret[5], const uint64_t w[4])
{
	return mix(w[0] ^ secret[0], w[1] ^ secret[1]) ^ mix(w[2] ^ secret[2], w[3] ^ secret[3]) ^
	       secret[4];
}

static size_t hash_key(const struct side *s, const struct key *k)
{
	uint64_t w[4];

	memcpy(w, k->b, sizeof(w));
	return (size_t)hash_words(s->secret, w);
}

static size_t hash_prefix(const struct side *s, const struct cidr *c)
{
	uint64_t w[4] = {0, 0, c->family, c->bits};

	memcpy(w, c->addr, c->family == CIDR_V4 ? 4 : 16);
	return (size_t)hash_words(s->secret, w);
}

static bool same_prefix(const struct cidr *a, const struct cidr *b)
{
	return a->family == b->family && a->bits == b->bits &&
	       memcmp(a->addr, b->addr, a->family == CIDR_V4 ? 4 : 16) == 0;
}

static int table_init(struct table *t, size_t n)
{
	size_t size = 16;

	while (size < n * 2)
		size *= 2;
	t->slots = malloc(size * sizeof(*t->slots));
	if (!t->slots)
		return err_origin(-ENOMEM);
	memset(t->slots, 0xff, size * sizeof(*t->slots));
	t->mask = size - 1;
	return 0;
}

static void side_done(struct side *s)
{
	free(s->by_key.slots);
	free(s->by_prefix.slots);
	free(s->owner_of);
}

/* Where the key is, or would be. */
static uint32_t *slot_of_key(const struct side *s, const struct key *k)
{
	size_t at = hash_key(s, k) & s->by_key.mask;

	while (s->by_key.slots[at] != EMPTY &&
	       memcmp(s->list->peers[s->by_key.slots[at]].public_key.b, k->b, KEY_LEN) != 0)
		at = (at + 1) & s->by_key.mask;
	return &s->by_key.slots[at];
}

static uint32_t *slot_of_prefix(const struct side *s, const struct cidr *c)
{
	size_t at = hash_prefix(s, c) & s->by_prefix.mask;

	while (s->by_prefix.slots[at] != EMPTY &&
	       !same_prefix(&s->list->prefixes[s->by_prefix.slots[at]], c))
		at = (at + 1) & s->by_prefix.mask;
	return &s->by_prefix.slots[at];
}

/* The first one of two with one key or prefix stays. */
static void fill(struct side *s)
{
	for (size_t i = 0; i < s->list->n_peers; i++) {
		const struct wg_peer *p = &s->list->peers[i];
		uint32_t *slot = slot_of_key(s, &p->public_key);

		if (*slot == EMPTY)
			*slot = (uint32_t)i;
		for (size_t k = p->first_prefix; k < p->first_prefix + p->n_prefixes; k++) {
			s->owner_of[k] = (uint32_t)i;
			slot = slot_of_prefix(s, &s->list->prefixes[k]);
			if (*slot == EMPTY)
				*slot = (uint32_t)k;
		}
	}
}

static int side_init(struct side *s, const struct wg_list *list)
{
	int r;

	if (list->n_peers >= EMPTY / 4 || list->n_prefixes >= EMPTY / 4)
		return err_origin(-E2BIG);
	s->list = list;
	sign_random(s->secret, sizeof(s->secret));
	s->owner_of = malloc((list->n_prefixes + 1) * sizeof(*s->owner_of));
	if (!s->owner_of)
		return err_origin(-ENOMEM);
	r = table_init(&s->by_key, list->n_peers);
	if (!r)
		r = table_init(&s->by_prefix, list->n_prefixes);
	if (!r)
		fill(s);
	return r;
}

static const struct wg_peer *find_peer(const struct side *s, const struct key *public_key)
{
	uint32_t at = *slot_of_key(s, public_key);

	return at == EMPTY ? NULL : &s->list->peers[at];
}

/* Who owns the prefix: index of the first peer that claims it, SIZE_MAX: nobody. */
static size_t owner(const struct side *s, const struct cidr *prefix)
{
	uint32_t at = *slot_of_prefix(s, prefix);

	return at == EMPTY ? SIZE_MAX : s->owner_of[at];
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
	/* Where nothing was learnt nothing better is lost. */
	if (want->endpoint.family && (want->endpoint_is_new || !run->endpoint.family) &&
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
		const struct cidr *prefix = &running->list->prefixes[i];
		size_t holder = owner(running, prefix);
		struct key private, public;
		int r;

		if (owner(wanted, prefix) != SIZE_MAX)
			continue;
		if (!find_peer(wanted, &running->list->peers[holder].public_key))
			continue;
		if (!c) {
			key_make(&private, &public);
			key_wipe(&private);
			c = wgdelta_add(d, WG_CHANGE_DROP, &public);
		}
		if (!c)
			return -ENOMEM;
		r = wgdelta_add_prefix(d, prefix);
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
