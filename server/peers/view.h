/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the member list means for one node's WireGuard interface: the peers it
 * should have. The node applies it, the Control Panel answers GetNodePeers and
 * checks device digests with the very same function. Pure.
 */
#ifndef QM_VIEW_H
#define QM_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cidr.h"
#include "base/cleanup.h"
#include "server/peers/members.h"

#define VIEW_NODE_KEEPALIVE_S 25

enum view_kind {
	VIEW_NODE,    /* another node: its own and its homed devices' addresses */
	VIEW_DEVICE,  /* a device homed here with the key in use */
	VIEW_PENDING, /* its next key: may shake hands, holds no address yet */
};

/* A pending key that its home has put in place before the log says so. */
struct view_promoted {
	struct uuid device_id;
	uint32_t key_version;
};

struct view_peer {
	struct key public_key;
	struct uuid id;
	enum view_kind kind;
	uint32_t key_version,
		psk_version;  /* devices: what the PSK derives from; nodes: 0, no PSK */
	const char *endpoint; /* of a node, as its record has it; borrowed; "" none */
	uint16_t keepalive_s;
	size_t first_prefix, n_prefixes; /* in view->prefixes */
};

/* Peers in the order of member ids, an active key before its pending one. */
struct view {
	struct view_peer *peers;
	size_t n_peers;
	struct cidr *prefixes;
	size_t n_prefixes;
	struct digest digest; /* the device digest an interface with these peers has */
};

struct view_options {
	const struct view_promoted *promoted;
	size_t n_promoted;
	bool lease_over; /* device peers are dropped, node peers stay */
};

/* options may be NULL. Borrows strings of ms. -ENOMEM. */
int view_make(const struct members *ms, const struct uuid *self, const struct view_options *options,
	      struct view *ret_view) _must_check_;
void view_done(struct view *v);
/* Does the log still lack this promotion? False once it agrees, or the rotation is gone. */
bool view_promoted_counts(const struct members *ms, const struct view_promoted *p);

#endif
