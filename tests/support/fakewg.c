/* SPDX-License-Identifier: Apache-2.0 */
/* Two trees per interface, one for all interfaces; one thread. */
#include "tests/support/fakewg.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct claim {
	struct cidr prefix;
	struct fakewg_peer *holder;
};

static void *interfaces;

static int by_name(const void *a, const void *b)
{
	const struct fakewg *x = a, *y = b;

	return strcmp(x->interface, y->interface);
}

static int by_key(const void *a, const void *b)
{
	const struct fakewg_peer *x = a, *y = b;

	return memcmp(x->is.public_key.b, y->is.public_key.b, KEY_LEN);
}

static int by_prefix(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;

	return memcmp(&x->prefix, &y->prefix, sizeof(x->prefix));
}

static struct fakewg *find(const struct wg_options *o)
{
	struct fakewg wanted, **found;

	snprintf(wanted.interface, sizeof(wanted.interface), "%s", o->interface);
	found = tfind(&wanted, &interfaces, by_name);
	return found ? *found : NULL;
}

struct fakewg_peer *fakewg_peer(const struct fakewg *f, const struct key *public_key)
{
	const struct fakewg_peer wanted = {.is.public_key = *public_key};
	struct fakewg_peer **found = tfind(&wanted, &f->by_key, by_key);

	return found ? *found : NULL;
}

static struct claim *claim_of(const struct fakewg *f, const struct cidr *prefix)
{
	const struct claim wanted = {.prefix = *prefix};
	struct claim **found = tfind(&wanted, &f->claims, by_prefix);

	return found ? *found : NULL;
}

struct fakewg_peer *fakewg_holder(const struct fakewg *f, const struct cidr *prefix)
{
	struct claim *claim = claim_of(f, prefix);

	return claim ? claim->holder : NULL;
}

static void *grown(void *list, size_t n, size_t *cap, size_t size)
{
	if (n < *cap)
		return list;
	*cap = *cap ? *cap * 2 : 4;
	list = reallocarray(list, *cap, size);
	if (!list)
		abort();
	return list;
}

static void fault(struct fakewg *f, const char *what, const struct key *k)
{
	char text[KEY_TEXT_LEN + 1];

	if (!*f->fault)
		snprintf(f->fault, sizeof(f->fault), "%s: %s of peer %s", f->interface, what,
			 key_text(k, text));
}

/* --- changes --- */

static void take_away(struct claim *claim)
{
	struct fakewg_peer *p = claim->holder;
	size_t i = 0;

	while (memcmp(&p->prefixes[i], &claim->prefix, sizeof(claim->prefix)) != 0)
		i++;
	p->prefixes[i] = p->prefixes[--p->n_prefixes];
}

static void give(struct fakewg *f, struct fakewg_peer *p, const struct cidr *prefix)
{
	struct claim *claim = claim_of(f, prefix);

	if (claim && claim->holder == p)
		return;
	if (claim) {
		take_away(claim);
	} else {
		claim = calloc(1, sizeof(*claim));
		if (!claim)
			abort();
		claim->prefix = *prefix;
		tsearch(claim, &f->claims, by_prefix);
	}
	claim->holder = p;
	p->prefixes = grown(p->prefixes, p->n_prefixes, &p->cap_prefixes, sizeof(*prefix));
	p->prefixes[p->n_prefixes++] = *prefix;
}

static void drop_claim(struct fakewg *f, const struct cidr *prefix)
{
	struct claim *claim = claim_of(f, prefix);

	tdelete(claim, &f->claims, by_prefix);
	free(claim);
	if (f->lost)
		f->lost(f->arg, prefix);
}

static struct fakewg_peer *add_peer(struct fakewg *f, const struct key *public_key)
{
	struct fakewg_peer *p = calloc(1, sizeof(*p));

	f->peers = grown(f->peers, f->n_peers, &f->cap_peers, sizeof(struct fakewg_peer *));
	if (!p)
		abort();
	p->is.public_key = *public_key;
	p->born = f->n_messages;
	p->at = f->n_peers;
	f->peers[f->n_peers++] = p;
	tsearch(p, &f->by_key, by_key);
	return p;
}

static void remove_peer(struct fakewg *f, struct fakewg_peer *p)
{
	for (size_t i = 0; i < p->n_prefixes; i++)
		drop_claim(f, &p->prefixes[i]);
	f->peers[p->at] = f->peers[--f->n_peers];
	f->peers[p->at]->at = p->at;
	tdelete(p, &f->by_key, by_key);
	free(p->prefixes);
	key_wipe(&p->is.psk);
	free(p);
}

static void set(struct fakewg *f, struct fakewg_peer *p, const struct wg_delta *d,
		const struct wg_change *c)
{
	p->touched = f->n_messages;
	if (c->flags & WG_SET_PSK)
		p->is.psk = c->psk;
	if (c->flags & WG_SET_ENDPOINT)
		p->is.endpoint = c->endpoint;
	if (c->flags & WG_SET_KEEPALIVE)
		p->is.keepalive_s = c->keepalive_s;
	for (size_t i = 0; i < c->n_prefixes; i++)
		give(f, p, &d->prefixes[c->first_prefix + i]);
}

static int carry_out(struct fakewg *f, const struct wg_delta *d, const struct wg_change *c)
{
	static const char *const words[] = {"addition", "update", "drop", "removal"};
	struct fakewg_peer *p = fakewg_peer(f, &c->public_key);
	bool is_new = c->kind == WG_CHANGE_ADD || c->kind == WG_CHANGE_DROP;

	f->n_changes++;
	if (f->change)
		f->change(f->arg, d, c);
	if (is_new == (p != NULL)) {
		fault(f, words[c->kind], &c->public_key);
		return -ENOENT;
	}
	if (c->kind == WG_CHANGE_ADD && f->refuses && f->refuses(f->arg, &c->public_key))
		return -EADDRNOTAVAIL;
	if (is_new)
		p = add_peer(f, &c->public_key);
	if (c->kind != WG_CHANGE_REMOVE)
		set(f, p, d, c);
	if (c->kind == WG_CHANGE_REMOVE || c->kind == WG_CHANGE_DROP)
		remove_peer(f, p);
	return 0;
}

/* --- the back end --- */

static int apply(const struct wg_options *o, const struct wg_delta *d, size_t from, size_t n)
{
	struct fakewg *f = find(o);
	int r = 0;

	if (!f || !f->is_there)
		return -ENODEV;
	f->n_messages++;
	for (size_t i = from; i < from + n && !r; i++)
		r = carry_out(f, d, &d->changes[i]);
	return r;
}

static int dump(const struct wg_options *o, struct wg_list *ret_list)
{
	struct fakewg *f = find(o);
	struct wg_list list = {0};
	int r = 0;

	if (!f || !f->is_there)
		return -ENODEV;
	f->n_dumps++;
	list.private_key = f->private_key;
	list.listen_port = f->port;
	for (size_t i = 0; i < f->n_peers && !r; i++) {
		const struct fakewg_peer *p = f->peers[i];
		struct wg_peer *to = wglist_add_peer(&list, &p->is.public_key);

		if (!to) {
			r = -ENOMEM;
			break;
		}
		to->psk = p->is.psk;
		to->endpoint = p->is.endpoint;
		to->keepalive_s = p->is.keepalive_s;
		to->handshake_ms = p->is.handshake_ms;
		to->rx_bytes = p->is.rx_bytes;
		to->tx_bytes = p->is.tx_bytes;
		for (size_t k = 0; k < p->n_prefixes && !r; k++)
			r = wglist_add_prefix(&list, &p->prefixes[k]);
	}
	if (r) {
		wglist_done(&list);
		return r;
	}
	*ret_list = list;
	return 0;
}

static int open_one(const struct wg_options *o, bool *ret_made)
{
	struct fakewg *f = find(o);

	if (!f)
		return -ENODEV;
	*ret_made = !f->is_there;
	f->is_there = true;
	return 0;
}

static int destroy(const struct wg_options *o)
{
	struct fakewg *f = find(o);

	while (f && f->n_peers)
		remove_peer(f, f->peers[0]);
	if (f)
		f->is_there = false;
	return 0;
}

static int set_device(const struct wg_options *o, const struct key *private_key, uint16_t port)
{
	struct fakewg *f = find(o);

	if (!f || !f->is_there)
		return -ENODEV;
	f->private_key = *private_key;
	f->port = port;
	return 0;
}

const struct wg_backend fakewg_backend = {.name = "fake",
					  .open = open_one,
					  .destroy = destroy,
					  .set_device = set_device,
					  .dump = dump,
					  .apply = apply};

struct fakewg *fakewg_new(const char *interface)
{
	struct fakewg *f = calloc(1, sizeof(*f));

	if (!f)
		return NULL;
	snprintf(f->interface, sizeof(f->interface), "%s", interface);
	tsearch(f, &interfaces, by_name);
	return f;
}

void fakewg_free(struct fakewg *f)
{
	const struct wg_options o = {.interface = f ? f->interface : ""};

	if (!f)
		return;
	f->lost = NULL;
	destroy(&o);
	tdelete(f, &interfaces, by_name);
	free(f->peers);
	key_wipe(&f->private_key);
	free(f);
}
