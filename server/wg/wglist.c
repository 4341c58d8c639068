/* SPDX-License-Identifier: Apache-2.0 */
/* Growing lists of peers and changes. Pure; any thread. */
#include "server/wg/wglist.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/err.h"

/* Old memory is wiped: realloc would leave preshared keys behind. */
static int grow(void **items, size_t *cap, size_t n, size_t item_len)
{
	size_t new_cap = *cap ? *cap * 2 : 8;
	void *p;

	if (n < *cap)
		return 0;
	p = calloc(new_cap, item_len);
	if (!p)
		return err_origin(-ENOMEM);
	if (n) {
		memcpy(p, *items, n * item_len);
		key_wipe_bytes(*items, n * item_len);
	}
	free(*items);
	*items = p;
	*cap = new_cap;
	return 0;
}

struct wg_peer *wglist_add_peer(struct wg_list *l, const struct key *public_key)
{
	struct wg_peer *peer;

	if (grow((void **)&l->peers, &l->cap_peers, l->n_peers, sizeof(*l->peers)))
		return NULL;
	l->is_sorted = false;
	peer = &l->peers[l->n_peers++];
	*peer = (struct wg_peer){.public_key = *public_key, .first_prefix = l->n_prefixes};
	return peer;
}

int wglist_add_prefix(struct wg_list *l, const struct cidr *prefix)
{
	int r = grow((void **)&l->prefixes, &l->cap_prefixes, l->n_prefixes, sizeof(*l->prefixes));

	if (r)
		return r;
	l->prefixes[l->n_prefixes++] = *prefix;
	l->peers[l->n_peers - 1].n_prefixes++;
	return 0;
}

void wglist_done(struct wg_list *l)
{
	if (l->peers)
		key_wipe_bytes(l->peers, l->n_peers * sizeof(*l->peers));
	free(l->peers);
	free(l->prefixes);
	key_wipe_bytes(l, sizeof(*l));
}

static int compare_keys(const void *a, const void *b)
{
	const struct wg_peer *x = a, *y = b;

	return memcmp(x->public_key.b, y->public_key.b, KEY_LEN);
}

void wglist_sort(struct wg_list *l)
{
	if (l->n_peers)
		qsort(l->peers, l->n_peers, sizeof(*l->peers), compare_keys);
	l->is_sorted = true;
}

const struct wg_peer *wglist_find(const struct wg_list *l, const struct key *public_key)
{
	struct wg_peer wanted = {.public_key = *public_key};

	if (l->is_sorted && l->n_peers)
		return bsearch(&wanted, l->peers, l->n_peers, sizeof(*l->peers), compare_keys);
	for (size_t i = 0; i < l->n_peers; i++)
		if (compare_keys(&l->peers[i], &wanted) == 0)
			return &l->peers[i];
	return NULL;
}

struct wg_change *wgdelta_add(struct wg_delta *d, enum wg_change_kind kind,
			      const struct key *public_key)
{
	struct wg_change *c;

	if (grow((void **)&d->changes, &d->cap_changes, d->n_changes, sizeof(*d->changes)))
		return NULL;
	c = &d->changes[d->n_changes++];
	*c = (struct wg_change){
		.kind = kind, .public_key = *public_key, .first_prefix = d->n_prefixes};
	return c;
}

int wgdelta_add_prefix(struct wg_delta *d, const struct cidr *prefix)
{
	int r = grow((void **)&d->prefixes, &d->cap_prefixes, d->n_prefixes, sizeof(*d->prefixes));

	if (r)
		return r;
	d->prefixes[d->n_prefixes++] = *prefix;
	d->changes[d->n_changes - 1].n_prefixes++;
	return 0;
}

void wgdelta_done(struct wg_delta *d)
{
	if (d->changes)
		key_wipe_bytes(d->changes, d->n_changes * sizeof(*d->changes));
	free(d->changes);
	free(d->prefixes);
	*d = (struct wg_delta){0};
}

int wg_endpoint_parse(const char *s, struct wg_endpoint *ret)
{
	struct wg_endpoint e = {0};
	char host[256];
	int r;

	r = hostport_split(s, host, &e.port);
	if (r)
		return -EINVAL;
	if (inet_pton(AF_INET, host, e.addr) == 1)
		e.family = CIDR_V4;
	else if (inet_pton(AF_INET6, host, e.addr) == 1)
		e.family = CIDR_V6;
	else
		return -EINVAL;
	*ret = e;
	return 0;
}

const char *wg_endpoint_text(const struct wg_endpoint *e, char *ret)
{
	char addr[INET6_ADDRSTRLEN] = "";

	ret[0] = '\0';
	if (e->family == CIDR_V4) {
		inet_ntop(AF_INET, e->addr, addr, sizeof(addr));
		snprintf(ret, WG_ENDPOINT_TEXT_LEN, "%s:%u", addr, e->port);
	} else if (e->family == CIDR_V6) {
		inet_ntop(AF_INET6, e->addr, addr, sizeof(addr));
		snprintf(ret, WG_ENDPOINT_TEXT_LEN, "[%s]:%u", addr, e->port);
	}
	return ret;
}

bool wg_endpoint_equal(const struct wg_endpoint *a, const struct wg_endpoint *b)
{
	return a->family == b->family && a->port == b->port &&
	       memcmp(a->addr, b->addr, sizeof(a->addr)) == 0;
}
