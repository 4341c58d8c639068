/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sync.c against a model of what WireGuard does with a message: an allowed
 * prefix moves to its newest holder. After each delta the model must equal
 * what was wanted, and no peer that stays may ever have left.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/wg/sync.h"

#define N_KEYS 12
#define N_PREFIXES 16
#define ROUNDS 4000

static unsigned seed = 7;

static unsigned pick(unsigned n)
{
	seed = seed * 1103515245u + 12345u;
	return (seed >> 16) % n;
}

static struct key key_of(unsigned i)
{
	struct key k = {{0}};

	k.b[0] = (uint8_t)i;
	k.b[31] = 1;
	return k;
}

/* holder[p]: which key has prefix p; -1: nobody. */
struct model {
	bool there[N_KEYS + 1];
	uint8_t psk[N_KEYS];
	uint16_t keepalive[N_KEYS];
	unsigned born[N_KEYS]; /* counts how often the peer was made */
	int holder[N_PREFIXES];
};

static struct cidr prefix_of(unsigned i)
{
	return cidr_v4(0x0a400000u + i, 32);
}

static void to_list(const struct model *m, struct wg_list *l)
{
	for (unsigned k = 0; k < N_KEYS; k++) {
		struct key key = key_of(k);
		struct wg_peer *peer;

		if (!m->there[k])
			continue;
		peer = wglist_add_peer(l, &key);
		assert_non_null(peer);
		peer->psk.b[0] = m->psk[k];
		peer->keepalive_s = m->keepalive[k];
		for (unsigned p = 0; p < N_PREFIXES; p++) {
			struct cidr prefix = prefix_of(p);

			if (m->holder[p] == (int)k)
				assert_int_equal(wglist_add_prefix(l, &prefix), 0);
		}
	}
}

/* N_KEYS: a drop's key, which is a random one. */
static int index_of(const struct key *k)
{
	struct key known = key_of(k->b[0]);

	return k->b[0] < N_KEYS && key_equal(k, &known) ? k->b[0] : N_KEYS;
}

static void remove_peer(struct model *m, int k)
{
	m->there[k] = false;
	for (unsigned p = 0; p < N_PREFIXES; p++)
		if (m->holder[p] == k)
			m->holder[p] = -1;
}

static void take_prefixes(struct model *m, int k, const struct wg_delta *d,
			  const struct wg_change *c)
{
	for (size_t i = 0; i < c->n_prefixes; i++) {
		const struct cidr *prefix = &d->prefixes[c->first_prefix + i];

		m->holder[cidr_host4(prefix) - 0x0a400000u] = k;
	}
}

static void run_change(struct model *m, const struct wg_delta *d, const struct wg_change *c)
{
	int k = index_of(&c->public_key);

	switch (c->kind) {
	case WG_CHANGE_REMOVE:
		assert_true(m->there[k]);
		remove_peer(m, k);
		return;
	case WG_CHANGE_DROP:
		assert_int_equal(k, N_KEYS);
		take_prefixes(m, N_KEYS, d, c);
		remove_peer(m, N_KEYS);
		return;
	case WG_CHANGE_ADD:
		assert_false(m->there[k]);
		m->there[k] = true;
		m->born[k]++;
		m->psk[k] = 0;
		m->keepalive[k] = 0;
		break;
	case WG_CHANGE_UPDATE:
		assert_true(m->there[k]);
		break;
	}
	if (c->flags & WG_SET_PSK)
		m->psk[k] = c->psk.b[0];
	if (c->flags & WG_SET_KEEPALIVE)
		m->keepalive[k] = c->keepalive_s;
	take_prefixes(m, k, d, c);
}

static void make_wanted(struct model *m)
{
	for (unsigned k = 0; k < N_KEYS; k++) {
		m->there[k] = pick(3) != 0;
		m->psk[k] = (uint8_t)pick(3);
		m->keepalive[k] = pick(2) ? 25 : 0;
	}
	for (unsigned p = 0; p < N_PREFIXES; p++) {
		m->holder[p] = (int)pick(N_KEYS + 4);
		if (m->holder[p] >= N_KEYS || !m->there[m->holder[p]])
			m->holder[p] = -1;
	}
}

static void assert_same(const struct model *wanted, const struct model *now)
{
	for (unsigned k = 0; k < N_KEYS; k++) {
		assert_int_equal(wanted->there[k], now->there[k]);
		if (!wanted->there[k])
			continue;
		assert_int_equal(wanted->psk[k], now->psk[k]);
		assert_int_equal(wanted->keepalive[k], now->keepalive[k]);
	}
	assert_memory_equal(wanted->holder, now->holder, sizeof(now->holder));
}

static void test_model(void **state)
{
	struct model now = {0};

	(void)state;
	memset(now.holder, -1, sizeof(now.holder));
	for (unsigned round = 0; round < ROUNDS; round++) {
		struct wg_list wanted_list = {0}, running = {0};
		struct wg_delta d = {0};
		struct model wanted = {0}, before = now;

		make_wanted(&wanted);
		to_list(&wanted, &wanted_list);
		to_list(&now, &running);
		assert_int_equal(sync_make(&wanted_list, &running, &d), 0);
		for (size_t i = 0; i < d.n_changes; i++)
			run_change(&now, &d, &d.changes[i]);
		assert_same(&wanted, &now);
		for (unsigned k = 0; k < N_KEYS; k++)
			if (before.there[k])
				assert_int_equal(now.born[k], before.born[k]);
		wgdelta_done(&d);
		wglist_done(&running);
		to_list(&now, &running);
		assert_int_equal(sync_make(&wanted_list, &running, &d), 0);
		assert_int_equal(d.n_changes, 0);
		wgdelta_done(&d);
		wglist_done(&running);
		wglist_done(&wanted_list);
	}
}

static void test_endpoint(void **state)
{
	struct wg_list wanted = {0}, running = {0};
	struct wg_delta d = {0};
	struct key key = key_of(1);
	struct wg_peer *peer;

	(void)state;
	peer = wglist_add_peer(&wanted, &key);
	assert_int_equal(wg_endpoint_parse("192.0.2.1:51820", &peer->endpoint), 0);
	peer = wglist_add_peer(&running, &key);
	assert_int_equal(sync_make(&wanted, &running, &d), 0);
	assert_int_equal(d.n_changes, 1); /* none is there */
	assert_int_equal(d.changes[0].flags, WG_SET_ENDPOINT);
	wgdelta_done(&d);
	assert_int_equal(wg_endpoint_parse("198.51.100.7:4000", &peer->endpoint), 0);
	assert_int_equal(sync_make(&wanted, &running, &d), 0);
	assert_int_equal(d.n_changes, 0); /* the learnt one is better */
	wanted.peers[0].endpoint_is_new = true;
	assert_int_equal(sync_make(&wanted, &running, &d), 0);
	assert_int_equal(d.n_changes, 1);
	assert_int_equal(d.changes[0].flags, WG_SET_ENDPOINT);
	wgdelta_done(&d);
	wglist_done(&wanted);
	wglist_done(&running);
}

/* The pending key gets the addresses before the old one goes, in one message. */
static void test_rotation_order(void **state)
{
	struct wg_list wanted = {0}, running = {0};
	struct wg_delta d = {0};
	struct key old_key = key_of(1), new_key = key_of(2);
	struct cidr prefix = prefix_of(3);

	(void)state;
	assert_non_null(wglist_add_peer(&running, &old_key));
	assert_int_equal(wglist_add_prefix(&running, &prefix), 0);
	assert_non_null(wglist_add_peer(&running, &new_key));
	assert_non_null(wglist_add_peer(&wanted, &new_key));
	assert_int_equal(wglist_add_prefix(&wanted, &prefix), 0);
	assert_int_equal(sync_make(&wanted, &running, &d), 0);
	assert_int_equal(d.n_changes, 2);
	assert_int_equal(d.changes[0].kind, WG_CHANGE_UPDATE);
	assert_true(key_equal(&d.changes[0].public_key, &new_key));
	assert_int_equal(d.changes[0].n_prefixes, 1);
	assert_int_equal(d.changes[1].kind, WG_CHANGE_REMOVE);
	wgdelta_done(&d);
	wglist_done(&wanted);
	wglist_done(&running);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_endpoint),
		cmocka_unit_test(test_rotation_order),
	};

	return cmocka_run_group_tests_name("sync", tests, NULL, NULL);
}
