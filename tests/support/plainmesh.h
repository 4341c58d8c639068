/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A small mesh by the plain rules: members in arrays, and which peers one node
 * should have, told anew and asking nothing of server/peers. Who a key and an
 * address belong to can be read off them.
 */
#ifndef QM_PLAINMESH_H
#define QM_PLAINMESH_H

#include "base/cidr.h"
#include "base/key.h"
#include "base/text.h"
#include "server/peers/digest.h"

enum {
	NODES = 6,
	DEVICES = 12,
	OWNERS = 5,
	MEMBERS = NODES + DEVICES,
	PSK_VERSIONS = 2,
	NOBODY = -1,
};

/* A member. */
struct thing {
	bool there, suspended, has_ip6;
	int home;                 /* of a device */
	unsigned active, pending; /* key versions; 0: none. A node's key is its active one */
	unsigned endpoint;        /* of a node; 0: none */
	unsigned label;
};

/* A peer that the interface should have: whose, and with which key. */
struct want {
	int member;
	unsigned version;
	bool is_device, is_refused;
	bool endpoint_is_new;
};

struct plainmesh {
	struct thing things[MEMBERS];
	bool owner_suspended[OWNERS];
	unsigned promoted[MEMBERS]; /* key version that the interface promoted; 0: none */
	bool refused[MEMBERS];
	unsigned endpoint_told[NODES]; /* what was set from the record last */
	bool endpoint_open[NODES];     /* and has not been put in place yet */
	bool lease_over;
	int self;
	/* What follows from them, by plainmesh_recompute. */
	struct want wants[2 * MEMBERS];
	size_t n_wants;
	int holder[MEMBERS][2]; /* of a member's addresses: index in wants, or NOBODY */
};

void plainmesh_recompute(struct plainmesh *p);
/* Index in wants, or NOBODY. */
int plainmesh_find(const struct plainmesh *p, const struct key *k);
/* Added: the device digest of an interface as it should be. */
void plainmesh_digest(const struct plainmesh *p, struct digest *d);
bool plainmesh_is_node(int member);
int plainmesh_owner(int member);
bool plainmesh_is_off(const struct plainmesh *p, int member);

struct uuid plainmesh_id(int member);
struct key plainmesh_key(int member, unsigned version);
int plainmesh_member_of_key(const struct key *k);
/* family: 0 IPv4, 1 IPv6. */
struct cidr plainmesh_prefix(int member, int family);
int plainmesh_member_of_prefix(const struct cidr *prefix);
unsigned plainmesh_psk_version(unsigned version);

#endif
