/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/plainmesh.h"

#include <string.h>

/* --- names --- */

struct uuid plainmesh_id(int member)
{
	struct uuid id = {{1}};

	id.b[15] = (uint8_t)(member + 1);
	return id;
}

struct key plainmesh_key(int member, unsigned version)
{
	struct key k = {{0}};

	k.b[0] = (uint8_t)(member + 1);
	memcpy(k.b + 4, &version, sizeof(version));
	k.b[31] = 9;
	return k;
}

int plainmesh_member_of_key(const struct key *k)
{
	return k->b[31] == 9 && k->b[0] <= MEMBERS ? k->b[0] - 1 : NOBODY;
}

static unsigned version_of_key(const struct key *k)
{
	unsigned version;

	memcpy(&version, k->b + 4, sizeof(version));
	return version;
}

struct cidr plainmesh_prefix(int member, int family)
{
	uint8_t ip6[16] = {0xfd};

	ip6[15] = (uint8_t)(member + 1);
	return family ? cidr_v6(ip6, 128) : cidr_v4(0x0a400001u + (unsigned)member, 32);
}

int plainmesh_member_of_prefix(const struct cidr *prefix)
{
	return prefix->family == CIDR_V4 ? (int)(cidr_host4(prefix) - 0x0a400001u)
					 : prefix->addr[15] - 1;
}

unsigned plainmesh_psk_version(unsigned version)
{
	return 1 + version % PSK_VERSIONS;
}

bool plainmesh_is_node(int member)
{
	return member < NODES;
}

int plainmesh_owner(int member)
{
	return member % OWNERS;
}

/* --- the plain rules --- */

bool plainmesh_is_off(const struct plainmesh *p, int member)
{
	return p->things[member].suspended ||
	       (!plainmesh_is_node(member) && p->owner_suspended[plainmesh_owner(member)]);
}

static bool takes_part(const struct plainmesh *p, int member)
{
	const struct thing *t = &p->things[member];

	return t->there && !plainmesh_is_off(p, member) &&
	       (plainmesh_is_node(member) || t->active || t->pending);
}

/* The key that holds the addresses of one of our own devices; 0: none does. */
static unsigned key_in_use(const struct plainmesh *p, int member)
{
	const struct thing *t = &p->things[member];

	return t->pending && p->promoted[member] == t->pending ? t->pending : t->active;
}

static int want(struct plainmesh *p, int member, unsigned version)
{
	p->wants[p->n_wants] = (struct want){
		.member = member, .version = version, .is_device = !plainmesh_is_node(member)};
	p->wants[p->n_wants].is_refused = p->refused[member];
	return (int)p->n_wants++;
}

static void hold(struct plainmesh *p, int member, int who)
{
	p->holder[member][0] = who;
	if (p->things[member].has_ip6)
		p->holder[member][1] = who;
}

static void want_own_device(struct plainmesh *p, int member)
{
	const struct thing *t = &p->things[member];
	unsigned in_use = key_in_use(p, member);

	if (p->lease_over)
		return;
	if (in_use)
		hold(p, member, want(p, member, in_use));
	if (t->pending && in_use != t->pending)
		want(p, member, t->pending);
}

void plainmesh_recompute(struct plainmesh *p)
{
	int of_node[NODES];

	p->n_wants = 0;
	for (int m = 0; m < MEMBERS; m++)
		p->holder[m][0] = p->holder[m][1] = NOBODY;
	for (int m = 0; m < NODES; m++) {
		const struct thing *t = &p->things[m];

		of_node[m] = NOBODY;
		if (m == p->self || !takes_part(p, m))
			continue;
		of_node[m] = want(p, m, t->active);
		if (t->endpoint != p->endpoint_told[m]) {
			p->endpoint_told[m] = t->endpoint;
			p->endpoint_open[m] = t->endpoint != 0;
		}
		p->wants[of_node[m]].endpoint_is_new = p->endpoint_open[m];
		hold(p, m, of_node[m]);
	}
	for (int m = NODES; m < MEMBERS; m++) {
		if (!takes_part(p, m))
			continue;
		if (p->things[m].home == p->self)
			want_own_device(p, m);
		else if (of_node[p->things[m].home] != NOBODY)
			hold(p, m, of_node[p->things[m].home]);
	}
}

int plainmesh_find(const struct plainmesh *p, const struct key *k)
{
	for (size_t i = 0; i < p->n_wants; i++)
		if (p->wants[i].member == plainmesh_member_of_key(k) &&
		    p->wants[i].version == version_of_key(k))
			return (int)i;
	return NOBODY;
}

void plainmesh_digest(const struct plainmesh *p, struct digest *d)
{
	for (size_t i = 0; i < p->n_wants; i++) {
		struct key key = plainmesh_key(p->wants[i].member, p->wants[i].version);

		digest_add_peer(d, &key);
		for (int m = 0; m < MEMBERS; m++) {
			for (int f = 0; f < 2; f++) {
				struct cidr prefix = plainmesh_prefix(m, f);

				if (p->holder[m][f] == (int)i)
					digest_add_prefix(d, &key, &prefix);
			}
		}
	}
}
