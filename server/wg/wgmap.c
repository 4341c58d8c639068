/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two balanced trees: keys and addresses are chosen by others, and no choice of
 * theirs makes a tree slow.
 */
#include "server/wg/wgmap.h"

#include <errno.h>
#include <search.h>
#include <string.h>

#include "base/err.h"

struct claim {
	struct cidr prefix;
	struct wgmap_peer *holder;
};

struct wgmap {
	void *peers, *claims; /* trees */
	size_t n_peers;
};

static int by_key(const void *a, const void *b)
{
	const struct wgmap_peer *x = a, *y = b;

	return memcmp(x->public_key.b, y->public_key.b, KEY_LEN);
}

static int by_prefix(const void *a, const void *b)
{
	const struct cidr *x = &((const struct claim *)a)->prefix;
	const struct cidr *y = &((const struct claim *)b)->prefix;

	if (x->family != y->family)
		return x->family - y->family;
	if (x->bits != y->bits)
		return x->bits - y->bits;
	return memcmp(x->addr, y->addr, x->family == CIDR_V4 ? 4 : 16);
}

static void free_peer(void *p)
{
	key_wipe(&((struct wgmap_peer *)p)->psk);
	free(p);
}

void wgmap_free(struct wgmap *m)
{
	if (!m)
		return;
	tdestroy(m->peers, free_peer);
	tdestroy(m->claims, free);
	free(m);
}

static struct wgmap_peer *find(const struct wgmap *m, const struct key *public_key)
{
	const struct wgmap_peer wanted = {.public_key = *public_key};
	struct wgmap_peer **found = tfind(&wanted, &m->peers, by_key);

	return found ? *found : NULL;
}

const struct wgmap_peer *wgmap_find(const struct wgmap *m, const struct key *public_key)
{
	return find(m, public_key);
}

static struct claim *claim_of(const struct wgmap *m, const struct cidr *prefix)
{
	const struct claim wanted = {.prefix = *prefix};
	struct claim **found = tfind(&wanted, &m->claims, by_prefix);

	return found ? *found : NULL;
}

const struct wgmap_peer *wgmap_holder(const struct wgmap *m, const struct cidr *prefix)
{
	const struct claim *claim = claim_of(m, prefix);

	return claim ? claim->holder : NULL;
}

size_t wgmap_count(const struct wgmap *m)
{
	return m->n_peers;
}

/* Into a tree; what is in it already, or the lack of memory, frees p. */
static int plant(void *p, void **tree, int (*compare)(const void *, const void *))
{
	void **found = p ? tsearch(p, tree, compare) : NULL;

	if (found && *found == p)
		return 0;
	free(p);
	return found ? -EEXIST : err_origin(-ENOMEM);
}

static int add_peer(struct wgmap *m, const struct key *public_key)
{
	struct wgmap_peer *p = calloc(1, sizeof(*p));
	int r;

	if (p)
		p->public_key = *public_key;
	r = plant(p, &m->peers, by_key);
	m->n_peers += r == 0;
	return r;
}

static int give(struct wgmap *m, struct wgmap_peer *holder, const struct cidr *prefix)
{
	struct claim *claim = calloc(1, sizeof(*claim));
	int r;

	if (claim)
		*claim = (struct claim){.prefix = *prefix, .holder = holder};
	r = plant(claim, &m->claims, by_prefix);
	holder->n_prefixes += r == 0;
	return r;
}

static int take(struct wgmap *m, const struct wgmap_peer *holder, const struct cidr *prefix)
{
	struct claim *claim = claim_of(m, prefix);

	if (!claim || claim->holder != holder)
		return -ENOENT;
	claim->holder->n_prefixes--;
	tdelete(claim, &m->claims, by_prefix);
	free(claim);
	return 0;
}

/* Each peer of the list with its part of the prefixes. */
static int take_all(struct wgmap *m, const struct wg_list *list)
{
	int r = 0;

	for (size_t i = 0; i < list->n_peers && !r; i++) {
		const struct wg_peer *p = &list->peers[i];
		const struct wgmap_peer *has = find(m, &p->public_key);

		if (!has)
			return -ENOENT;
		for (size_t k = 0; k < p->n_prefixes && !r; k++)
			r = take(m, has, &list->prefixes[p->first_prefix + k]);
	}
	return r;
}

static int remove_gone(struct wgmap *m, const struct wg_list *before, const struct wg_list *now)
{
	for (size_t i = 0; i < before->n_peers; i++) {
		const struct key *public_key = &before->peers[i].public_key;
		struct wgmap_peer *p = find(m, public_key);

		if (wglist_find(now, public_key))
			continue;
		if (!p || p->n_prefixes)
			return -ENOENT;
		tdelete(p, &m->peers, by_key);
		free_peer(p);
		m->n_peers--;
	}
	return 0;
}

static int put_all(struct wgmap *m, const struct wg_list *list, const struct wg_list *before)
{
	int r = 0;

	for (size_t i = 0; i < list->n_peers && !r; i++) {
		const struct wg_peer *p = &list->peers[i];
		struct wgmap_peer *has;

		if (!before || !wglist_find(before, &p->public_key))
			r = add_peer(m, &p->public_key);
		has = r ? NULL : find(m, &p->public_key);
		if (!has)
			return r ? r : -ENOENT;
		has->psk = p->psk;
		has->keepalive_s = p->keepalive_s;
		for (size_t k = 0; k < p->n_prefixes && !r; k++)
			r = give(m, has, &list->prefixes[p->first_prefix + k]);
	}
	return r;
}

int wgmap_new(const struct wg_list *list, struct wgmap **ret_map)
{
	_cleanup_(wgmap_freep) struct wgmap *m = calloc(1, sizeof(*m));
	int r;

	if (!m)
		return err_origin(-ENOMEM);
	r = put_all(m, list, NULL);
	if (r)
		return r;
	*ret_map = TAKE(m);
	return 0;
}

int wgmap_replace(struct wgmap *m, const struct wg_list *before, const struct wg_list *now)
{
	int r;

	r = take_all(m, before);
	if (!r)
		r = remove_gone(m, before, now);
	if (!r)
		r = put_all(m, now, before);
	return r;
}
