/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replica -> interface: view, preshared keys, endpoints, the smallest delta,
 * and what the interface then has. A change of few devices goes there alone
 * (shortcut.h), and the next look at the interface is one at all of it. Belongs
 * to the keeper's thread, which alone dumps and changes WireGuard.
 */
#ifndef QM_APPLIER_H
#define QM_APPLIER_H

#include <stdbool.h>

#include "server/node/endpoints.h"
#include "server/node/identity.h"
#include "server/node/node_conf.h"
#include "server/node/replica.h"
#include "server/peers/view.h"
#include "server/wg/wg.h"
#include "server/wg/wgmap.h"

struct applier {
	const struct node_conf *conf;
	const struct identity *identity;
	struct replica *replica;
	struct endpoints *endpoints;
	struct wg *wg;
	struct view view;               /* as applied last; borrows from the replica's members */
	struct wg_list wanted, running; /* as made and as read last */
	struct wgmap *map;    /* what runs, when that is exactly what is wanted; or NULL */
	struct digest digest; /* of what runs, and its peers */
	size_t n_peers;
	bool fits;      /* the last comparison found nothing to do */
	bool is_behind; /* view and wanted are older than what was applied ... */
	bool is_unread; /* ... and so is running */
	struct replica_failed *failed;
	size_t n_failed;
	bool is_up;               /* interface, key, addresses, firewall stand */
	bool lease_over;          /* as of the last apply: no device peers */
	bool is_removed;          /* the list does not name us: all is taken back */
	bool from_cache;          /* the list is what an earlier run applied */
	struct cidr addresses[2]; /* as set last */
	char forwarding[REPLICA_REASON_LEN];
	char not_integrated[REPLICA_REASON_LEN]; /* as logged last */
	char overlap[REPLICA_DNS_LEN];
};

int applier_init(struct applier *a, const struct node_conf *conf, const struct identity *identity,
		 struct replica *replica, void (*resolved)(void *arg), void *arg) _must_check_;
void applier_done(struct applier *a);
/* Makes the interface what the replica says. -ENODATA: the list does not know us yet. */
int applier_apply(struct applier *a) _must_check_;
/* The same when only replica->touched is new: what they have and had, where that can be told. */
int applier_follow(struct applier *a) _must_check_;
/* Reads the interface; puts right what somebody else changed. View and running are new then. */
int applier_poll(struct applier *a) _must_check_;
/* error: positive errno; the first one of a member counts. */
void applier_note_failed(struct applier *a, const struct uuid *id, int error);
/* Looks at firewall rules, ours and others', and at routes. True: what people see has changed. */
bool applier_look(struct applier *a);
/* Interface, firewall and switches go; for --teardown. */
int applier_teardown(const struct node_conf *conf) _must_check_;

#endif
