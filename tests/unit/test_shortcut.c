/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shortcut.c and touched.c: one node that follows each change beside its twin
 * that goes the whole way each time. After any change both interfaces, digests
 * and refusals are alike, and both were sent equally much: a peer that nobody
 * touched and that is sent, or one that was forgotten, makes them differ.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/sign.h"
#include "server/node/applier.h"
#include "tests/support/fakewg.h"
#include "tests/support/listsource.h"

enum { SELF = 1, NODES = 3, FIRST = 10, DEVICES = 40, ROUNDS = 700 };

struct host {
	struct node_conf conf;
	struct identity identity;
	struct replica replica;
	struct fakewg *fake;
	struct applier applier;
};

struct bench {
	struct listsource source;
	struct host quick, whole;
	unsigned n_alone; /* rounds in which nothing was read */
};

static unsigned seed = 5;

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

static struct key key_of(unsigned i, unsigned version)
{
	struct key k = {{0}};

	k.b[0] = (uint8_t)i;
	k.b[1] = (uint8_t)version;
	k.b[31] = 9;
	return k;
}

static void put_node(struct bench *b, unsigned i, const char *endpoint)
{
	struct member m = {.id = id_of(i), .kind = MEMBER_NODE, .label = "l", .slug = "s"};

	m.ip4 = 0x0a400000u + i;
	m.node.public_key = key_of(i, 0);
	m.node.endpoint = endpoint;
	listsource_put(&b->source, &m);
}

/* Device i with key 1 and its own address, homed here. */
static struct member device(unsigned i)
{
	struct member m = {.id = id_of(i), .kind = MEMBER_DEVICE, .label = "d", .slug = "d"};

	m.ip4 = 0x0a400000u + i;
	m.device.home = id_of(SELF);
	m.device.active.key_version = m.device.active.psk_version = 1;
	m.device.active.public_key = key_of(i, 1);
	return m;
}

static void host_init(struct host *h, const struct bench *b, const char *interface)
{
	const struct wg_options options = {.interface = interface, .state_dir = "/nowhere"};
	const struct uuid self = id_of(SELF);

	assert_int_equal(replica_init(&h->replica, &self, &b->source.tenant), 0);
	listsource_trust(&b->source, &h->replica);
	h->identity.wg_public = key_of(SELF, 0);
	h->fake = fakewg_new(interface);
	assert_non_null(h->fake);
	h->fake->is_there = true;
	/* As it is after its interface was raised: that part needs a host. */
	h->applier = (struct applier){.conf = &h->conf,
				      .identity = &h->identity,
				      .replica = &h->replica,
				      .endpoints = endpoints_new(NULL, NULL),
				      .is_up = true};
	assert_non_null(h->applier.endpoints);
	assert_int_equal(wg_new(&options, &fakewg_backend, &h->applier.wg), 0);
}

static void host_done(struct host *h)
{
	applier_done(&h->applier);
	fakewg_free(h->fake);
	replica_done(&h->replica);
}

/* The news to both; one follows, the other goes the whole way. */
static void tell(struct bench *b, bool snapshot)
{
	uint64_t dumps = b->quick.fake->n_dumps;
	size_t len;
	uint8_t *bytes = listsource_event(&b->source, snapshot, &len);

	assert_int_equal(listsource_give(bytes, len, &b->quick.replica), REPLICA_CHANGED);
	assert_int_equal(listsource_give(bytes, len, &b->whole.replica), REPLICA_CHANGED);
	free(bytes);
	assert_int_equal(applier_follow(&b->quick.applier), 0);
	assert_int_equal(applier_apply(&b->whole.applier), 0);
	b->n_alone += b->quick.fake->n_dumps == dumps;
}

static int set_up(void **state)
{
	const struct uuid tenant = id_of(99);
	struct bench *b = calloc(1, sizeof(*b));

	if (!b || sign_init())
		return -1;
	log_set_level(LOG_LEVEL_ERROR);
	listsource_init(&b->source, &tenant, cidr_v4(0x0a400000u, 16));
	host_init(&b->quick, b, "wg-quick");
	host_init(&b->whole, b, "wg-whole");
	put_node(b, SELF, "");
	for (unsigned i = 2; i < 2 + NODES; i++)
		put_node(b, i, i == 2 ? "192.0.2.2:51820" : "");
	tell(b, true);
	assert_int_equal(b->n_alone, 0);
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	host_done(&b->quick);
	host_done(&b->whole);
	listsource_done(&b->source);
	free(b);
	return 0;
}

static void assert_same_peer(const struct fakewg *other, const struct fakewg_peer *p)
{
	const struct fakewg_peer *q = fakewg_peer(other, &p->is.public_key);

	assert_non_null(q);
	assert_true(key_equal(&p->is.psk, &q->is.psk));
	assert_int_equal(p->is.keepalive_s, q->is.keepalive_s);
	assert_true(wg_endpoint_equal(&p->is.endpoint, &q->is.endpoint));
	assert_int_equal(p->n_prefixes, q->n_prefixes);
	for (size_t i = 0; i < p->n_prefixes; i++)
		assert_ptr_equal(fakewg_holder(other, &p->prefixes[i]), q);
}

static void assert_alike(const struct bench *b)
{
	const struct replica_interface *x = &b->quick.replica.interface;
	const struct replica_interface *y = &b->whole.replica.interface;

	assert_int_equal(b->quick.fake->n_peers, b->whole.fake->n_peers);
	for (size_t i = 0; i < b->quick.fake->n_peers; i++)
		assert_same_peer(b->whole.fake, b->quick.fake->peers[i]);
	assert_true(x->active && y->active);
	assert_int_equal(x->generation, y->generation);
	assert_true(digest_equal(&x->list_digest, &y->list_digest));
	assert_true(digest_equal(&x->device_digest, &y->device_digest));
	assert_int_equal(x->n_peers, y->n_peers);
	assert_int_equal(x->n_failed, y->n_failed);
	for (size_t i = 0; i < x->n_failed; i++) {
		assert_true(uuid_equal(&x->failed[i].id, &y->failed[i].id));
		assert_int_equal(x->failed[i].error, y->failed[i].error);
	}
}

static void assert_sent_alike(const struct bench *b)
{
	assert_int_equal(b->quick.fake->n_changes, b->whole.fake->n_changes);
	assert_string_equal(b->quick.fake->fault, "");
	assert_string_equal(b->whole.fake->fault, "");
}

static void rotate(struct member *m, unsigned i)
{
	struct member_key *old = &m->device.active, *next = &m->device.pending;

	if (next->key_version) {
		*old = *next;
		*next = (struct member_key){0};
		return;
	}
	*next = (struct member_key){.key_version = old->key_version + 1, .psk_version = 1};
	next->public_key = key_of(i, next->key_version);
}

/* The only thing of a device that a step changes, in most of them. */
static void change(struct member *m, unsigned i)
{
	switch (pick(10)) {
	case 0:
		m->label = m->label[0] == 'd' ? "e" : "d";
		break;
	case 1:
		m->suspended = !m->suspended;
		break;
	case 2:
		m->device.home = id_of(1 + pick(2 + NODES)); /* one of them is nobody */
		break;
	case 3:
		m->ip4 = 0x0a400000u + i + 100 * pick(3);
		break;
	case 4:
		m->has_ip6 = false;
		m->ip4 = pick(3) ? 0x0a400000u + i : 0;
		break;
	default:
		rotate(m, i);
	}
}

/* What no Control Panel does: another's address, another's key, no address of the range. */
static void go_mad(struct member *m, unsigned i)
{
	unsigned other = FIRST + pick(DEVICES);

	m->suspended = pick(3) == 0;
	m->device.home = id_of(1 + pick(2 + NODES));
	if (i % 3 == 0)
		m->ip4 = 0x0a400000u + other;
	else if (i % 3 == 1)
		m->ip4 = 0x0b000000u + other;
	else
		m->device.active.psk_version = 2;
}

static void step(struct bench *b, bool is_mad)
{
	unsigned i = FIRST + pick(DEVICES);
	const struct uuid id = id_of(i);
	const struct member *is = members_get(b->source.all, &id);
	struct member m = is ? *is : device(i);

	if (is && pick(5) == 0) {
		listsource_remove(&b->source, &id);
		return;
	}
	if (is_mad)
		go_mad(&m, i);
	else if (is)
		change(&m, i);
	listsource_put(&b->source, &m);
}

/* Both interfaces learn where a node really is, as WireGuard does. */
static void roam(struct bench *b)
{
	const struct wg_endpoint learnt = {
		.family = CIDR_V4, .port = (uint16_t)(1 + pick(60000)), .addr = {198, 51, 100, 7}};
	const struct key key = key_of(2, 0);

	fakewg_peer(b->quick.fake, &key)->is.endpoint = learnt;
	fakewg_peer(b->whole.fake, &key)->is.endpoint = learnt;
	fakewg_peer(b->quick.fake, &key)->is.handshake_ms = INT64_MAX / 2;
	fakewg_peer(b->whole.fake, &key)->is.handshake_ms = INT64_MAX / 2;
}

static void play(struct bench *b, unsigned rounds, bool is_mad)
{
	for (unsigned round = 0; round < rounds; round++) {
		if (pick(10) == 0)
			roam(b);
		for (unsigned n = 1 + pick(4) * pick(2); n; n--)
			step(b, is_mad && pick(12) == 0);
		if (pick(40) == 0)
			put_node(b, 3, pick(2) ? "192.0.2.3:1" : "");
		tell(b, pick(60) == 0);
		assert_alike(b);
		assert_sent_alike(b);
		if (pick(8))
			continue;
		assert_int_equal(applier_poll(&b->quick.applier), 0);
		assert_int_equal(applier_poll(&b->whole.applier), 0);
		assert_alike(b);
		assert_sent_alike(b);
		assert_false(b->quick.applier.is_behind);
		assert_int_equal(b->quick.applier.view.n_peers, b->whole.applier.view.n_peers);
	}
}

static void test_beside_the_whole_way(void **state)
{
	struct bench *b = *state;

	play(b, ROUNDS, false);
	assert_true(b->n_alone > ROUNDS / 10 * 9);
}

static void test_a_mad_control_panel(void **state)
{
	struct bench *b = *state;

	play(b, ROUNDS, true);
	assert_true(b->n_alone > 0);
}

/* More at once than is worth it, and the largest number that is. */
static void test_many_at_once(void **state)
{
	struct bench *b = *state;

	for (unsigned i = FIRST; i < FIRST + TOUCHED_MAX + 1; i++) {
		struct member m = device(i);

		listsource_put(&b->source, &m);
	}
	tell(b, false);
	assert_int_equal(b->n_alone, 0);
	assert_alike(b);
	for (unsigned i = FIRST; i < FIRST + TOUCHED_MAX; i++) {
		struct member m = device(i);

		rotate(&m, i);
		listsource_put(&b->source, &m);
	}
	tell(b, false);
	assert_int_equal(b->n_alone, 1);
	assert_alike(b);
	assert_sent_alike(b);
}

static void put(struct bench *b, unsigned i)
{
	struct member m = device(i);

	listsource_put(&b->source, &m);
}

static void remove_by_hand(struct host *h, const struct key *public_key)
{
	const struct wg_options options = {.interface = h->fake->interface};
	struct wg_delta d = {0};

	assert_non_null(wgdelta_add(&d, WG_CHANGE_REMOVE, public_key));
	assert_int_equal(fakewg_backend.apply(&options, &d, 0, 1), 0);
	wgdelta_done(&d);
}

static void test_a_foreign_hand(void **state)
{
	const struct key eleven = key_of(11, 1);
	struct bench *b = *state;

	put(b, 11);
	tell(b, false);
	put(b, 12);
	tell(b, false);
	assert_int_equal(b->n_alone, 2);
	remove_by_hand(&b->quick, &eleven);
	assert_int_equal(applier_poll(&b->quick.applier), 0);
	assert_alike(b);
	/* What was read and put right is known again. */
	put(b, 13);
	tell(b, false);
	assert_int_equal(b->n_alone, 3);
	assert_alike(b);

	/* It takes away what the next change is about: an error, and all is looked at. */
	remove_by_hand(&b->quick, &eleven);
	b->quick.fake->fault[0] = '\0';
	{
		const struct uuid id = id_of(11);

		listsource_remove(&b->source, &id);
	}
	tell(b, false);
	assert_int_equal(b->n_alone, 3);
	assert_alike(b);
}

static bool refuses_twelve(void *arg, const struct key *public_key)
{
	const struct key twelve = key_of(12, 1);

	(void)arg;
	return key_equal(public_key, &twelve);
}

static void test_a_refusal(void **state)
{
	struct bench *b = *state;

	b->quick.fake->refuses = b->whole.fake->refuses = refuses_twelve;
	for (unsigned i = 11; i < 14; i++)
		put(b, i);
	tell(b, false);
	assert_alike(b);
	assert_int_equal(b->quick.replica.interface.n_failed, 1);
	assert_int_equal(b->quick.replica.interface.failed[0].error, EADDRNOTAVAIL);
	put(b, 14);
	tell(b, false);
	assert_alike(b);
	assert_int_equal(b->quick.replica.interface.n_failed, 1);
	b->quick.fake->refuses = b->whole.fake->refuses = NULL;
	assert_int_equal(applier_poll(&b->quick.applier), 0);
	assert_int_equal(applier_poll(&b->whole.applier), 0);
	assert_alike(b);
	assert_int_equal(b->quick.replica.interface.n_failed, 0);
	assert_int_equal(b->n_alone, 0);
	put(b, 15);
	tell(b, false);
	assert_int_equal(b->n_alone, 1);
	assert_alike(b);
}

/* WireGuard takes no peer with our own key, and says nothing: that is for who reads it back. */
static void test_our_own_key(void **state)
{
	struct bench *b = *state;
	struct member m = device(11);

	m.device.active.public_key = b->quick.identity.wg_public;
	listsource_put(&b->source, &m);
	tell(b, false);
	assert_int_equal(b->n_alone, 0);
	assert_alike(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_beside_the_whole_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_mad_control_panel, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_many_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_foreign_hand, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_refusal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_our_own_key, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("shortcut", tests, NULL, NULL);
}
