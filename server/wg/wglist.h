/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers as values: a list of them as wanted or as an interface has them, and
 * the changes that lead from one to the other. Prefixes of all peers lie in
 * one array; a peer names its part of it. Lists hold preshared keys: done wipes.
 */
#ifndef QM_WGLIST_H
#define QM_WGLIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cidr.h"
#include "base/cleanup.h"
#include "base/key.h"

#define WG_ENDPOINT_TEXT_LEN 64

/* Where a peer is reached; family 0: nowhere known. */
struct wg_endpoint {
	uint8_t family; /* CIDR_V4 or CIDR_V6 */
	uint16_t port;
	uint8_t addr[16];
};

struct wg_peer {
	struct key public_key;
	struct key psk; /* all zero: none */
	struct wg_endpoint endpoint;
	bool endpoint_is_new; /* wanted: set it even if the peer is there already */
	uint16_t keepalive_s; /* 0: off */
	size_t first_prefix, n_prefixes;
	int64_t handshake_ms; /* running: wall time of the last one; 0: never */
	uint64_t rx_bytes, tx_bytes;
};

struct wg_list {
	struct key private_key; /* running only */
	uint16_t listen_port;   /* running only */
	struct wg_peer *peers;
	size_t n_peers, cap_peers;
	struct cidr *prefixes;
	size_t n_prefixes, cap_prefixes;
	bool is_sorted; /* by wglist_sort; adding a peer ends it */
};

/* The new peer, zeroed but for its key, valid until the next add; NULL: out of memory. */
struct wg_peer *wglist_add_peer(struct wg_list *l, const struct key *public_key);
/* To the peer added last. -ENOMEM. */
int wglist_add_prefix(struct wg_list *l, const struct cidr *prefix) _must_check_;
void wglist_done(struct wg_list *l);
/* By key, so that wglist_find need not look at each. */
void wglist_sort(struct wg_list *l);
/* NULL: not there. */
const struct wg_peer *wglist_find(const struct wg_list *l, const struct key *public_key);

/* "192.0.2.1:51820", "[2001:db8::1]:51820"; numbers only. -EINVAL. */
int wg_endpoint_parse(const char *s, struct wg_endpoint *ret);
/* ret must hold WG_ENDPOINT_TEXT_LEN; "" when there is none. */
const char *wg_endpoint_text(const struct wg_endpoint *e, char *ret);
bool wg_endpoint_equal(const struct wg_endpoint *a, const struct wg_endpoint *b);

enum wg_change_kind {
	WG_CHANGE_ADD,    /* a peer not there yet, with all it has */
	WG_CHANGE_UPDATE, /* of a peer that is there: what the flags name; prefixes are added */
	WG_CHANGE_DROP,   /* prefixes leave whoever has them: a throw-away peer takes them along */
	WG_CHANGE_REMOVE,
};

enum wg_change_flag { WG_SET_PSK = 1, WG_SET_ENDPOINT = 2, WG_SET_KEEPALIVE = 4 };

/* Complete in itself: may be sent alone or with others in one message. */
struct wg_change {
	enum wg_change_kind kind;
	unsigned flags;
	struct key public_key; /* DROP: of the throw-away peer */
	struct key psk;
	struct wg_endpoint endpoint;
	uint16_t keepalive_s;
	size_t first_prefix, n_prefixes;
};

struct wg_delta {
	struct wg_change *changes;
	size_t n_changes, cap_changes;
	struct cidr *prefixes;
	size_t n_prefixes, cap_prefixes;
};

struct wg_change *wgdelta_add(struct wg_delta *d, enum wg_change_kind kind,
			      const struct key *public_key);
/* To the change added last. -ENOMEM. */
int wgdelta_add_prefix(struct wg_delta *d, const struct cidr *prefix) _must_check_;
void wgdelta_done(struct wg_delta *d);

#endif
