/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an interface has, kept in memory so that a change need not read it:
 * peers by key, and who holds a prefix. Each question and each change costs its
 * own size, whatever the number of peers. Holds preshared keys: free wipes.
 */
#ifndef QM_WGMAP_H
#define QM_WGMAP_H

#include "server/wg/wglist.h"

struct wgmap;

struct wgmap_peer {
	struct key public_key, psk;
	uint16_t keepalive_s;
	size_t n_prefixes;
};

/* -EEXIST: a key or a prefix is there twice. -ENOMEM. */
int wgmap_new(const struct wg_list *list, struct wgmap **ret_map) _must_check_;
void wgmap_free(struct wgmap *m);
CLEANUP_DEFINE(struct wgmap, wgmap_free);
/* NULL: not there; nobody. Valid until the next replace. */
const struct wgmap_peer *wgmap_find(const struct wgmap *m, const struct key *public_key);
const struct wgmap_peer *wgmap_holder(const struct wgmap *m, const struct cidr *prefix);
size_t wgmap_count(const struct wgmap *m);
/*
 * Peers and prefixes of before leave, those of now come; a peer in both keeps what neither names.
 * -ENOENT, -EEXIST: that was not how it was; -ENOMEM. After any of them the map is only to be
 * freed.
 */
int wgmap_replace(struct wgmap *m, const struct wg_list *before, const struct wg_list *now)
	_must_check_;

#endif
