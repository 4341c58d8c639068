/* SPDX-License-Identifier: Apache-2.0 */
/*
 * view.c against a naive model: for random member lists, each peer of the view
 * must be derivable by the plain rules, and nothing else may be in it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/peers/view.h"

#define ROUNDS 600
#define N_NODES 4
#define N_DEVICES 24

static unsigned seed = 3;

static unsigned pick(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % n;
}

static struct uuid id_of(unsigned i)
{
	struct uuid id = {{0}};

	id.b[0] = 1;
	id.b[15] = (uint8_t)i;
	return id;
}

static struct key key_of(unsigned member, unsigned version)
{
	struct key k = {{0}};

	k.b[0] = (uint8_t)member;
	k.b[1] = (uint8_t)version;
	k.b[31] = 9;
	return k;
}

static struct member make_member(unsigned i)
{
	struct member m = {.id = id_of(i), .label = "l", .slug = "s", .ip4 = 0x0a400000u + i};

	m.suspended = pick(8) == 0;
	m.has_ip6 = pick(2);
	m.ip6[0] = 0xfd;
	m.ip6[15] = (uint8_t)i;
	if (i < N_NODES) {
		m.kind = MEMBER_NODE;
		m.node.public_key = key_of(i, 0);
		m.node.endpoint = pick(2) ? "198.51.100.1:51820" : "";
		return m;
	}
	m.kind = MEMBER_DEVICE;
	m.device.type = MEMBER_DEVICE_OTHER;
	m.device.home = id_of(pick(N_NODES + 1));
	if (pick(6))
		m.device.active = (struct member_key){
			.public_key = key_of(i, 1), .key_version = 1, .psk_version = 1};
	if (pick(3) == 0)
		m.device.pending = (struct member_key){
			.public_key = key_of(i, 2), .key_version = 2, .psk_version = 1};
	return m;
}

static void put(struct members *ms, const struct member *m)
{
	uint8_t *bytes;
	size_t len;

	assert_int_equal(member_encode(m, &bytes, &len), 0);
	assert_int_equal(members_put(ms, bytes, len), 0);
	free(bytes);
}

static const struct view_peer *find(const struct view *v, const struct key *k)
{
	const struct view_peer *found = NULL;

	for (size_t i = 0; i < v->n_peers; i++) {
		if (!key_equal(&v->peers[i].public_key, k))
			continue;
		assert_null(found);
		found = &v->peers[i];
	}
	return found;
}

static bool has_prefix(const struct view *v, const struct view_peer *p, const struct cidr *c)
{
	for (size_t i = 0; i < p->n_prefixes; i++)
		if (cidr_equal(&v->prefixes[p->first_prefix + i], c))
			return true;
	return false;
}

/* Whom packets to m go through, by the plain rules; 0: nobody. */
static bool expected_route(const struct members *ms, const struct member *m,
			   const struct uuid *self, bool promoted, struct key *ret)
{
	const struct member *home;

	if (m->suspended || uuid_equal(&m->id, self))
		return false;
	if (m->kind == MEMBER_NODE) {
		*ret = m->node.public_key;
		return true;
	}
	if (!m->device.active.key_version && !m->device.pending.key_version)
		return false;
	if (uuid_equal(&m->device.home, self)) {
		if (promoted && m->device.pending.key_version)
			*ret = m->device.pending.public_key;
		else if (m->device.active.key_version)
			*ret = m->device.active.public_key;
		else
			return false;
		return true;
	}
	home = members_get(ms, &m->device.home);
	if (!home || home->kind != MEMBER_NODE || home->suspended)
		return false;
	*ret = home->node.public_key;
	return true;
}

static size_t check_member(const struct members *ms, const struct view *v, const struct member *m,
			   const struct uuid *self, bool promoted)
{
	struct cidr c4 = cidr_v4(m->ip4, 32), c6 = cidr_v6(m->ip6, 128);
	struct key through;
	bool reached = expected_route(ms, m, self, promoted, &through);

	for (size_t i = 0; i < v->n_peers; i++) {
		const struct view_peer *p = &v->peers[i];
		bool wanted = reached && key_equal(&p->public_key, &through);

		assert_int_equal(has_prefix(v, p, &c4), wanted);
		assert_int_equal(has_prefix(v, p, &c6), wanted && m->has_ip6);
	}
	if (reached)
		assert_non_null(find(v, &through));
	return reached ? 1u + m->has_ip6 : 0;
}

static void test_model(void **state)
{
	(void)state;
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct members *ms = members_new();
		struct uuid self = id_of(pick(N_NODES));
		struct view_promoted promoted = {.key_version = 2};
		struct view_options options = {.promoted = &promoted, .n_promoted = 1};
		struct digest digest = {{0}};
		struct view v;
		size_t n_prefixes = 0;

		promoted.device_id = id_of(N_NODES + pick(N_DEVICES));
		for (unsigned i = 0; i < N_NODES + N_DEVICES; i++) {
			struct member m = make_member(i);

			if (pick(10))
				put(ms, &m);
		}
		assert_int_equal(view_make(ms, &self, &options, &v), 0);
		for (size_t i = 0; i < members_count(ms); i++) {
			const struct member *m = members_at(ms, i);

			n_prefixes += check_member(ms, &v, m, &self,
						   uuid_equal(&m->id, &promoted.device_id));
		}
		assert_int_equal(n_prefixes, v.n_prefixes);
		for (size_t i = 0; i < v.n_peers; i++) {
			digest_add_peer(&digest, &v.peers[i].public_key);
			for (size_t k = 0; k < v.peers[i].n_prefixes; k++)
				digest_add_prefix(&digest, &v.peers[i].public_key,
						  &v.prefixes[v.peers[i].first_prefix + k]);
		}
		assert_true(digest_equal(&digest, &v.digest));
		view_done(&v);
		members_free(ms);
	}
}

static void test_pending(void **state)
{
	struct members *ms = members_new();
	struct member node = make_member(0), m = make_member(10);
	struct view_promoted promoted = {.device_id = id_of(10), .key_version = 2};
	struct view_options options = {.promoted = &promoted, .n_promoted = 1};
	struct key old_key = key_of(10, 1), new_key = key_of(10, 2);
	struct uuid self = id_of(0);
	struct view v;

	(void)state;
	node.suspended = m.suspended = false;
	m.device.home = self;
	m.device.active =
		(struct member_key){.public_key = old_key, .key_version = 1, .psk_version = 1};
	m.device.pending =
		(struct member_key){.public_key = new_key, .key_version = 2, .psk_version = 3};
	put(ms, &node);
	put(ms, &m);
	assert_int_equal(view_make(ms, &self, NULL, &v), 0);
	assert_int_equal(v.n_peers, 2);
	assert_int_equal(find(&v, &old_key)->kind, VIEW_DEVICE);
	assert_int_equal(find(&v, &new_key)->kind, VIEW_PENDING);
	assert_int_equal(find(&v, &new_key)->n_prefixes, 0);
	assert_int_equal(find(&v, &new_key)->psk_version, 3);
	view_done(&v);
	assert_true(view_promoted_counts(ms, &promoted));
	assert_int_equal(view_make(ms, &self, &options, &v), 0);
	assert_int_equal(v.n_peers, 1);
	assert_int_equal(find(&v, &new_key)->kind, VIEW_DEVICE);
	view_done(&v);
	options.lease_over = true;
	assert_int_equal(view_make(ms, &self, &options, &v), 0);
	assert_int_equal(v.n_peers, 0);
	view_done(&v);
	m.device.active = m.device.pending;
	m.device.pending = (struct member_key){0};
	put(ms, &m);
	assert_false(view_promoted_counts(ms, &promoted));
	members_free(ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_pending),
	};

	return cmocka_run_group_tests_name("view", tests, NULL, NULL);
}
