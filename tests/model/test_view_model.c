/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one node's interface should have, beside a naive recomputation: nodes
 * and devices come, go, move, rotate, are suspended; keys are promoted, refused
 * by the interface, the lease lapses. After every step the interface must be
 * what the plain rules say, and the message that led there the smallest one:
 * each change in it was needed, no peer in it that could stay as it was, no
 * wanted address without a peer at any moment.
 *
 * The rules here are told anew, of plain arrays; nothing of server/peers is
 * asked. 100,000 steps or as many as fit the time, a million with QMESH_LONG=1;
 * QMESH_SEED=N repeats a run.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/sign.h"
#include "server/node/endpoints.h"
#include "server/peers/view.h"
#include "server/wg/sync.h"
#include "tests/support/fakewg.h"
#include "tests/support/plainmesh.h"

enum {
	ERA = 500, /* steps with one mesh and one self */
	STEPS = 100000,
	LONG = 10,
	SECONDS = 20,
	DIGEST_EVERY = 8,
};

static struct plainmesh mesh;
static unsigned versions; /* counts all keys ever made: none comes twice */

/* The real parts. */
static struct members *members;
static struct endpoints *endpoints;
static struct fakewg *fake;
static struct wg *wg;
static struct key k_n[PSK_VERSIONS + 1];

static uint64_t seed, state;
static size_t step, n_messages, n_changes, n_idle, n_promoted, n_refused;
static char wrong[300];

static unsigned roll(unsigned below)
{
	state = state * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((state >> 33) % below);
}

static void complain(const char *what, int member, unsigned number)
{
	if (!*wrong)
		snprintf(wrong, sizeof(wrong), "seed %llu, step %zu: %s (member %d, %u)",
			 (unsigned long long)seed, step, what, member, number);
}

static struct key psk_of(const struct want *w)
{
	struct uuid id = plainmesh_id(w->member);
	struct key psk = {{0}};

	if (w->is_device)
		key_psk_device(&k_n[plainmesh_psk_version(w->version)], id.b, w->version, &psk);
	return psk;
}

static void endpoint_of(int member, struct wg_endpoint *ret)
{
	*ret = (struct wg_endpoint){.family = CIDR_V4, .port = 51820, .addr = {198, 51, 100}};
	ret->addr[2] = (uint8_t)(member + 1);
	ret->addr[3] = (uint8_t)mesh.things[member].endpoint;
}

/* --- what one step may change: told before it is carried out --- */

struct expected {
	bool add, update;
	unsigned flags;
	bool prefixes[MEMBERS][2];
	unsigned n_prefixes;
};

static struct expected expected[2 * MEMBERS];
static bool must_drop[MEMBERS][2];
static unsigned n_expected, n_drops, n_removals;

static void expect_one(size_t i)
{
	const struct want *w = &mesh.wants[i];
	struct key key = plainmesh_key(w->member, w->version), psk = psk_of(w);
	const struct fakewg_peer *run = fakewg_peer(fake, &key);
	uint16_t keepalive = w->is_device ? 0 : 25;
	struct expected *e = &expected[i];
	struct wg_endpoint endpoint;

	*e = (struct expected){.add = run == NULL};
	for (int m = 0; m < MEMBERS; m++) {
		for (int f = 0; f < 2; f++) {
			struct cidr prefix = plainmesh_prefix(m, f);

			e->prefixes[m][f] = mesh.holder[m][f] == (int)i &&
					    (!run || fakewg_holder(fake, &prefix) != run);
			e->n_prefixes += e->prefixes[m][f];
		}
	}
	if (!key_equal(&psk, run ? &run->is.psk : &(struct key){{0}}))
		e->flags |= WG_SET_PSK;
	if (keepalive != (run ? run->is.keepalive_s : 0))
		e->flags |= WG_SET_KEEPALIVE;
	if (!w->is_device && mesh.things[w->member].endpoint) {
		endpoint_of(w->member, &endpoint);
		if (!run ||
		    (w->endpoint_is_new && !wg_endpoint_equal(&endpoint, &run->is.endpoint)))
			e->flags |= WG_SET_ENDPOINT;
	}
	e->update = run && (e->flags || e->n_prefixes);
	n_expected += e->add || e->update;
}

static void expect_all(void)
{
	n_expected = n_drops = n_removals = 0;
	for (size_t i = 0; i < mesh.n_wants; i++)
		expect_one(i);
	for (size_t i = 0; i < fake->n_peers; i++)
		n_removals += plainmesh_find(&mesh, &fake->peers[i]->is.public_key) == NOBODY;
	for (int m = 0; m < MEMBERS; m++) {
		for (int f = 0; f < 2; f++) {
			struct cidr prefix = plainmesh_prefix(m, f);
			const struct fakewg_peer *run = fakewg_holder(fake, &prefix);

			must_drop[m][f] = run && mesh.holder[m][f] == NOBODY &&
					  plainmesh_find(&mesh, &run->is.public_key) != NOBODY;
			n_drops += must_drop[m][f];
		}
	}
}

static void judge_wanted(const struct wg_delta *d, const struct wg_change *c)
{
	int i = plainmesh_find(&mesh, &c->public_key),
	    member = plainmesh_member_of_key(&c->public_key);
	struct expected *e = i == NOBODY ? NULL : &expected[i];

	if (!e || !(c->kind == WG_CHANGE_ADD ? e->add : e->update)) {
		complain("a peer is touched that could stay as it was", member, c->kind);
		return;
	}
	if (c->flags != e->flags)
		complain("more or less is set than differs", member, c->flags ^ e->flags);
	if (c->n_prefixes != e->n_prefixes)
		complain("not the addresses that it lacks", member, (unsigned)c->n_prefixes);
	for (size_t k = 0; k < c->n_prefixes; k++) {
		const struct cidr *prefix = &d->prefixes[c->first_prefix + k];
		int m = plainmesh_member_of_prefix(prefix);

		if (!e->prefixes[m][prefix->family == CIDR_V6])
			complain("an address that it has, or should not", m, c->kind);
		e->prefixes[m][prefix->family == CIDR_V6] = false;
	}
}

static void judge_drop(const struct wg_delta *d, const struct wg_change *c)
{
	for (size_t k = 0; k < c->n_prefixes; k++) {
		const struct cidr *prefix = &d->prefixes[c->first_prefix + k];
		int m = plainmesh_member_of_prefix(prefix);

		if (!must_drop[m][prefix->family == CIDR_V6])
			complain("an address is dropped that may stay", m, 0);
		must_drop[m][prefix->family == CIDR_V6] = false;
	}
	if (c->n_prefixes != n_drops)
		complain("not all addresses that nobody wants are dropped", NOBODY, n_drops);
	n_drops = 0;
}

/* The whole message, before the interface sees any of it. */
static void judge(const struct wg_delta *d)
{
	unsigned n_wanted = 0, n_gone = 0;
	bool drops = n_drops > 0;

	for (size_t i = 0; i < d->n_changes; i++) {
		const struct wg_change *c = &d->changes[i];

		if (c->kind == WG_CHANGE_ADD || c->kind == WG_CHANGE_UPDATE) {
			judge_wanted(d, c);
			n_wanted++;
		} else if (c->kind == WG_CHANGE_DROP) {
			judge_drop(d, c);
		} else {
			n_gone++;
			if (plainmesh_find(&mesh, &c->public_key) != NOBODY)
				complain("a wanted peer is removed",
					 plainmesh_member_of_key(&c->public_key), 0);
		}
	}
	if (n_wanted != n_expected)
		complain("changes that were needed", NOBODY, n_expected);
	if (n_gone != n_removals)
		complain("removals that were needed", NOBODY, n_removals);
	if (drops && n_drops)
		complain("addresses that nobody wants stay", NOBODY, n_drops);
	if (d->n_changes != n_wanted + n_gone + drops)
		complain("more changes than needed", NOBODY, (unsigned)d->n_changes);
}

static bool refuses(void *arg, const struct key *public_key)
{
	int member = plainmesh_member_of_key(public_key);

	(void)arg;
	return member != NOBODY && mesh.refused[member];
}

/* Only when its peer is refused may a wanted address be with nobody. */
static void lost(void *arg, const struct cidr *prefix)
{
	int m = plainmesh_member_of_prefix(prefix), who = mesh.holder[m][prefix->family == CIDR_V6];

	(void)arg;
	if (who != NOBODY && !mesh.wants[who].is_refused)
		complain("an address was without a peer for a moment", m, prefix->family);
}

/* --- the real way, as a node goes it --- */

static int wanted_list(const struct view *v, struct wg_list *ret)
{
	for (size_t i = 0; i < v->n_peers; i++) {
		const struct view_peer *p = &v->peers[i];
		struct wg_peer *to = wglist_add_peer(ret, &p->public_key);

		if (!to)
			return -ENOMEM;
		if (p->kind != VIEW_NODE)
			key_psk_device(&k_n[p->psk_version], p->id.b, p->key_version, &to->psk);
		to->keepalive_s = p->keepalive_s;
		endpoints_look(endpoints, &p->id, p->endpoint, false, &to->endpoint,
			       &to->endpoint_is_new);
		for (size_t k = 0; k < p->n_prefixes; k++)
			if (wglist_add_prefix(ret, &v->prefixes[p->first_prefix + k]))
				return -ENOMEM;
	}
	return 0;
}

static void was_refused(void *arg, const struct wg_change *c, int error)
{
	int member = plainmesh_member_of_key(&c->public_key);

	(void)arg;
	n_refused++;
	if (member == NOBODY || !mesh.refused[member] || error != -EADDRNOTAVAIL)
		complain("a change was refused", member, c->kind);
}

static int make_delta(const struct wg_list *wanted, struct wg_delta *ret)
{
	struct wg_list running;
	int r = wg_dump(wg, &running);

	if (r)
		return r;
	r = sync_make(wanted, &running, ret);
	wglist_done(&running);
	return r;
}

static int apply(const struct wg_list *wanted)
{
	_cleanup_(wgdelta_done) struct wg_delta delta = {0}, rest = {0};
	uint64_t before = fake->n_messages;
	int r = make_delta(wanted, &delta);

	if (r)
		return r;
	judge(&delta);
	n_changes += delta.n_changes;
	n_idle += delta.n_changes == 0;
	r = wg_apply(wg, &delta);
	n_messages += fake->n_messages - before;
	if (fake->n_messages - before != (delta.n_changes > 0))
		complain("messages for one step", NOBODY, (unsigned)(fake->n_messages - before));
	if (r != -EADDRNOTAVAIL)
		return r;
	r = make_delta(wanted, &rest);
	if (!r)
		wg_apply_each(wg, &rest, was_refused, NULL);
	return r;
}

static int take_step(void)
{
	struct view_promoted rows[MEMBERS];
	struct view_options options = {.promoted = rows, .lease_over = mesh.lease_over};
	struct wg_list wanted = {0};
	struct uuid id = plainmesh_id(mesh.self);
	struct digest digest = {{0}};
	struct view view;
	int r;

	for (int m = NODES; m < MEMBERS; m++)
		if (mesh.promoted[m])
			rows[options.n_promoted++] = (struct view_promoted){
				.device_id = plainmesh_id(m), .key_version = mesh.promoted[m]};
	r = view_make(members, &id, &options, &view);
	if (r)
		return r;
	if (step % DIGEST_EVERY == 0) {
		plainmesh_digest(&mesh, &digest);
		if (!digest_equal(&digest, &view.digest))
			complain("the digest is of another list", NOBODY, 0);
	}
	r = wanted_list(&view, &wanted);
	if (!r)
		r = apply(&wanted);
	for (size_t i = 0; i < view.n_peers; i++)
		if (fakewg_peer(fake, &view.peers[i].public_key))
			endpoints_was_set(endpoints, &view.peers[i].id);
	view_done(&view);
	wglist_done(&wanted);
	return r;
}

/* --- the interface beside the rules --- */

static void compare_peer(size_t i)
{
	const struct want *w = &mesh.wants[i];
	struct key key = plainmesh_key(w->member, w->version), psk = psk_of(w);
	const struct fakewg_peer *run = fakewg_peer(fake, &key);

	if (!run) {
		if (!w->is_refused)
			complain("a peer is missing", w->member, w->version);
		return;
	}
	if (plainmesh_is_node(w->member) && mesh.things[w->member].endpoint)
		mesh.endpoint_open[w->member] = false;
	if (!key_equal(&psk, &run->is.psk))
		complain("not its preshared key", w->member, w->version);
	if (run->is.keepalive_s != (w->is_device ? 0 : 25))
		complain("not its keepalive", w->member, run->is.keepalive_s);
}

static void compare(void)
{
	for (size_t i = 0; i < mesh.n_wants; i++)
		compare_peer(i);
	for (size_t i = 0; i < fake->n_peers; i++)
		if (plainmesh_find(&mesh, &fake->peers[i]->is.public_key) == NOBODY)
			complain("a peer that should not be there",
				 plainmesh_member_of_key(&fake->peers[i]->is.public_key), 0);
	for (int m = 0; m < MEMBERS; m++) {
		for (int f = 0; f < 2; f++) {
			struct cidr prefix = plainmesh_prefix(m, f);
			const struct fakewg_peer *run = fakewg_holder(fake, &prefix);
			int who = mesh.holder[m][f];

			if (who != NOBODY && mesh.wants[who].is_refused)
				continue;
			if ((who == NOBODY) != (run == NULL) ||
			    (run && plainmesh_find(&mesh, &run->is.public_key) != who))
				complain("an address with the wrong peer", m, (unsigned)f);
		}
	}
	if (*fake->fault)
		complain(fake->fault, NOBODY, 0);
}

/* --- what happens --- */

static void publish(int member)
{
	const struct thing *t = &mesh.things[member];
	struct uuid id = plainmesh_id(member);
	char endpoint[40], label[16];
	struct member m = {.id = id,
			   .label = label,
			   .slug = "s",
			   .suspended = plainmesh_is_off(&mesh, member)};
	uint8_t *bytes;
	size_t len;

	if (!t->there) {
		members_remove(members, &id);
		return;
	}
	snprintf(label, sizeof(label), "l%u", t->label);
	snprintf(endpoint, sizeof(endpoint), "198.51.%d.%u:51820", member + 1, t->endpoint);
	m.ip4 = 0x0a400001u + (unsigned)member;
	m.has_ip6 = t->has_ip6;
	m.ip6[0] = 0xfd;
	m.ip6[15] = (uint8_t)(member + 1);
	if (plainmesh_is_node(member)) {
		m.kind = MEMBER_NODE;
		m.node.public_key = plainmesh_key(member, t->active);
		m.node.endpoint = t->endpoint ? endpoint : "";
	} else {
		m.kind = MEMBER_DEVICE;
		m.device.type = MEMBER_DEVICE_OTHER;
		m.device.home = plainmesh_id(t->home);
		m.device.active.key_version = t->active;
		m.device.active.psk_version = plainmesh_psk_version(t->active);
		m.device.active.public_key = plainmesh_key(member, t->active);
		m.device.pending.key_version = t->pending;
		m.device.pending.psk_version = plainmesh_psk_version(t->pending);
		m.device.pending.public_key = plainmesh_key(member, t->pending);
	}
	assert_int_equal(member_encode(&m, &bytes, &len), 0);
	assert_int_equal(members_put(members, bytes, len), 0);
	free(bytes);
}

static void come_or_go(int member)
{
	struct thing *t = &mesh.things[member];

	if (t->there && !roll(3)) {
		*t = (struct thing){0};
	} else if (!t->there) {
		*t = (struct thing){.there = true, .has_ip6 = roll(3) > 0};
		t->home = (int)roll(NODES);
		t->active = plainmesh_is_node(member) || roll(8) ? ++versions : 0;
		t->endpoint = plainmesh_is_node(member) ? roll(4) : 0;
	}
}

static void rotate(int member)
{
	struct thing *t = &mesh.things[member];

	if (!t->active || plainmesh_is_node(member) || !roll(4)) {
		/* At once: the old key is gone. A node's always is. */
		t->active = ++versions;
		t->pending = 0;
	} else {
		t->pending = ++versions;
	}
}

/* The log learns of a promotion, or the overlap is over: either way the new key is the key. */
static void end_overlap(int member)
{
	struct thing *t = &mesh.things[member];

	if (!t->pending)
		return;
	t->active = t->pending;
	t->pending = 0;
}

/* The device shakes hands with its new key; only where that key is installed. */
static bool shake_hands(int member)
{
	struct key key = plainmesh_key(member, mesh.things[member].pending);

	if (plainmesh_is_node(member) || !mesh.things[member].pending || !fakewg_peer(fake, &key))
		return false;
	mesh.promoted[member] = mesh.things[member].pending;
	n_promoted++;
	return true;
}

/* WireGuard learns where a peer really is: nobody may undo it. */
static void roam(void)
{
	struct fakewg_peer *p = fake->n_peers ? fake->peers[roll((unsigned)fake->n_peers)] : NULL;

	if (p)
		p->is.endpoint = (struct wg_endpoint){
			.family = CIDR_V4, .port = (uint16_t)roll(65536), .addr = {203, 0, 113}};
}

/* Somebody else's hand: the next step puts it right, and touches nobody else. */
static void tamper(void)
{
	struct fakewg_peer *p = fake->n_peers ? fake->peers[roll((unsigned)fake->n_peers)] : NULL;
	_cleanup_(wgdelta_done) struct wg_delta d = {0};
	struct cidr prefix = plainmesh_prefix((int)roll(MEMBERS), (int)roll(2));

	if (!p)
		return;
	switch (roll(4)) {
	case 0:
		p->is.psk.b[0] ^= 1;
		return;
	case 1:
		p->is.keepalive_s = 7;
		return;
	case 2:
		assert_non_null(wgdelta_add(&d, WG_CHANGE_REMOVE, &p->is.public_key));
		break;
	default:
		assert_non_null(wgdelta_add(&d, WG_CHANGE_UPDATE, &p->is.public_key));
		assert_int_equal(wgdelta_add_prefix(&d, &prefix), 0);
	}
	fake->lost = NULL;
	assert_int_equal(wg_apply(wg, &d), 0);
	fake->lost = lost;
}

static void change_node_or_device(int member)
{
	struct thing *t = &mesh.things[member];

	switch (roll(6)) {
	case 0:
		t->suspended = !t->suspended;
		break;
	case 1:
		t->label++; /* nobody's interface cares */
		break;
	case 2:
		t->has_ip6 = !t->has_ip6;
		break;
	case 3:
		t->home = (int)roll(NODES);
		break;
	default:
		if (plainmesh_is_node(member))
			t->endpoint = roll(4);
		else
			end_overlap(member);
	}
}

static void suspend_owner(int owner)
{
	mesh.owner_suspended[owner] = !mesh.owner_suspended[owner];
	for (int m = NODES; m < MEMBERS; m++)
		if (plainmesh_owner(m) == owner && mesh.things[m].there)
			publish(m);
}

static void happen(void)
{
	/* Half of what happens concerns our own devices. */
	int member = (int)roll(MEMBERS);

	if (!plainmesh_is_node(member) && mesh.things[member].there && !roll(3)) {
		mesh.things[member].home = mesh.self;
		publish(member);
	}
	switch (roll(20)) {
	case 0:
		suspend_owner((int)roll(OWNERS));
		return;
	case 1:
		mesh.lease_over = !roll(4);
		return;
	case 2:
		roam();
		return;
	case 3:
		mesh.refused[member] = !roll(8);
		return;
	case 4:
		tamper();
		return;
	case 5:
	case 6:
	case 7:
		for (int m = NODES; m < MEMBERS; m++)
			if (shake_hands(m))
				break;
		return;
	case 8:
	case 9:
	case 10:
		come_or_go(member);
		break;
	case 11:
	case 12:
	case 13:
	case 14:
		if (mesh.things[member].there)
			rotate(member);
		break;
	default:
		change_node_or_device(member);
	}
	publish(member);
}

/* A promotion counts while the log still lacks it; both sides must agree on that. */
static void prune(void)
{
	for (int m = NODES; m < MEMBERS; m++) {
		struct view_promoted p = {.device_id = plainmesh_id(m),
					  .key_version = mesh.promoted[m]};
		bool counts = mesh.things[m].there && mesh.promoted[m] &&
			      mesh.things[m].pending == mesh.promoted[m];

		if (mesh.promoted[m] && view_promoted_counts(members, &p) != counts)
			complain("a promotion counts or not", m, mesh.promoted[m]);
		if (!counts)
			mesh.promoted[m] = 0;
	}
}

/* --- an era --- */

static int begin(void)
{
	const struct wg_options options = {.interface = "model0", .state_dir = "/nowhere"};
	bool made;
	int r;

	memset(&mesh, 0, sizeof(mesh));
	mesh.self = (int)roll(NODES);
	members = members_new();
	endpoints = endpoints_new(NULL, NULL);
	fake = fakewg_new("model0");
	if (!members || !endpoints || !fake)
		return -ENOMEM;
	fake->refuses = refuses;
	fake->lost = lost;
	r = wg_new(&options, &fakewg_backend, &wg);
	return r ? r : wg_open(wg, &made);
}

static void end(void)
{
	wg_free(TAKE(wg));
	fakewg_free(TAKE(fake));
	endpoints_free(TAKE(endpoints));
	members_free(TAKE(members));
}

static void era(size_t until)
{
	assert_int_equal(begin(), 0);
	while (step < until && !*wrong) {
		/* What waits together is one publication. */
		for (unsigned n = 1 + roll(3); n; n--)
			happen();
		/* A node does so when a list came; a promotion may also outlive its rotation. */
		if (roll(4))
			prune();
		plainmesh_recompute(&mesh);
		expect_all();
		if (take_step())
			complain("the step broke", NOBODY, 0);
		compare();
		step++;
	}
	end();
}

static void the_interface_is_what_the_rules_say(void **unused)
{
	bool whole = getenv("QMESH_LONG") != NULL;
	size_t steps = whole ? STEPS * LONG : STEPS;
	uint64_t until = clock_boot_ms() + SECONDS * 1000;

	(void)unused;
	while (step < steps && !*wrong && (whole || clock_boot_ms() < until))
		era(step + ERA);
	if (*wrong)
		fail_msg("%s", wrong);
	print_message("seed %llu: %zu steps, %zu without a message; %zu messages with %zu changes, "
		      "%zu promotions, %zu refusals\n",
		      (unsigned long long)seed, step, n_idle, n_messages, n_changes, n_promoted,
		      n_refused);
	assert_true(n_idle > step / 20 && n_messages > step / 4 && n_changes > n_messages);
	assert_true(n_promoted > step / 100 && n_refused > step / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_interface_is_what_the_rules_say),
	};
	const char *given = getenv("QMESH_SEED");

	seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	state = seed;
	printf("seed %llu\n", (unsigned long long)seed);
	if (sign_init())
		return 1;
	for (unsigned v = 1; v <= PSK_VERSIONS; v++)
		memset(k_n[v].b, (int)v, KEY_LEN);
	return cmocka_run_group_tests_name("views beside plain rules", tests, NULL, NULL);
}
