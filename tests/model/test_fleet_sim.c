/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Control Panel and a thousand nodes, real but for wire, clock and interface,
 * through everything that befalls them: cuts, nodes that do not read, events
 * that are lost, kills and restarts of nodes and of the Control Panel, stores
 * put back to an older copy, jumps of the wall clock, interfaces that vanish;
 * and people who add, rename, rotate and delete devices all the while.
 *
 * After each step of a node: it never goes back in its log, no message to its
 * interface touches a peer for nothing, no peer that was taken away comes back.
 * When all is mended: every node has the store's list, digest and generation,
 * every interface the peers that follow from it, and the Control Panel says so.
 *
 * QMESH_SEED=N repeats a run. QMESH_LONG=1: 5,000 nodes, 1,000 rounds of
 * breaking and mending.
 */
#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/log.h"
#include "server/cp/progress.h"
#include "server/node/keeper.h"
#include "server/node/link.h"
#include "server/peers/view.h"
#include "server/store/member_row.h"
#include "server/store/tenant_row.h"
#include "tests/support/simfleet.h"

enum {
	TENANTS = 25,
	NODES_EACH = 40,
	ROUNDS_MIN = 2, /* one on sound wires, one on rotten ones */
	ROUNDS = 6,
	EVENTS = 20, /* of one round */
	CPU_SECONDS = 10,
	BURST_EVERY = 110,
	BURST = LIMIT_EVENT_QUEUE + 60, /* events */
	LONELY_EVERY = 20,
	ROTATIONS = 8,     /* of one event, to find one whose home listens */
	PROMOTE_MS = 1500, /* a poll of the interface and the write after it */
	LONG_TENANTS = 100,
	LONG_NODES_EACH = 50,
	LONG_ROUNDS = 1000,
	LONG_EVENTS = 12,
	MEND_MS = 4000,
	MEND_TRIES = 50,
	RESTART_EVERY = 13,                   /* events; a new copy, then twice back to it */
	WAITING_MAX = LIMIT_EVENT_QUEUE + 32, /* and what a stream begins with */
	ROTTEN = 5,                           /* nodes at a time */
	JUMP_MAX_MS = 3600000,
	VIOLATIONS_SHOWN = 20,
};

struct seen {
	uint64_t epoch, generation;
};

/* A thousand nodes allocate all the time: where is not told in full. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
	return "malloc_context_size=3";
}

static struct simfleet fleet;
static struct seen *seen;   /* what each node had last */
static unsigned *asked_all; /* as each node had it before the round */
static bool *was_slow;      /* in this round */
static void *removed;       /* peers taken from an interface, as "interface key" */
static uint64_t seed, dice;
static unsigned n_violations, n_events, n_rounds, n_restarts, n_restores, n_mutations, n_refused,
	n_promoted_alone;
static int64_t jumped_ms;
static char what_now[160];

static unsigned roll(unsigned below)
{
	dice = dice * 6364136223846793005u + 1442695040888963407u;
	return (unsigned)((dice >> 33) % below);
}

static void violation(const struct simnode *n, const char *what, uint64_t a, uint64_t b)
{
	n_violations++;
	if (n_violations <= VIOLATIONS_SHOWN)
		printf("VIOLATION seed %llu, round %u, event %u (%s), node %d: %s (%llu, %llu)\n",
		       (unsigned long long)seed, n_rounds, n_events, what_now,
		       n ? (int)n->index : -1, what, (unsigned long long)a, (unsigned long long)b);
}

/* --- while it runs --- */

static void judge_step(struct simfleet *f, struct simnode *n)
{
	const struct replica_head *h = &n->node.replica.head;
	struct seen *s = &seen[n->index];

	(void)f;
	if (!n->is_up)
		return;
	if (h->epoch < s->epoch || (h->epoch == s->epoch && h->generation < s->generation))
		violation(n, "an older list was taken", h->generation, s->generation);
	*s = (struct seen){h->epoch, h->generation};
	if (n->n_early)
		violation(n, "comes back before it may", n->n_early, 0);
	if (*n->wg->fault)
		violation(n, n->wg->fault, 0, 0);
}

/* Its file may be a second behind. */
static void forget_step(const struct simnode *n)
{
	const struct replica_head *h = &n->node.replica.head;

	seen[n->index] = (struct seen){h->epoch, h->generation};
}

struct gone {
	unsigned node;
	struct key key;
};

static int compare_gone(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct gone));
}

static void forget_removed(void)
{
	while (removed) {
		struct gone *g = *(struct gone **)removed;

		tdelete(g, &removed, compare_gone);
		free(g);
	}
}

static struct gone *find_gone(const struct simnode *n, const struct key *k)
{
	const struct gone wanted = {.node = n->index, .key = *k};
	struct gone **found = tfind(&wanted, &removed, compare_gone);

	return found ? *found : NULL;
}

static void remember_removed(const struct simnode *n, const struct key *k)
{
	struct gone *g = find_gone(n, k) ? NULL : calloc(1, sizeof(*g));

	if (!g)
		return;
	g->node = n->index;
	g->key = *k;
	tsearch(g, &removed, compare_gone);
}

/* Before the interface carries it out. */
static void judge_change(void *arg, const struct wg_delta *d, const struct wg_change *c)
{
	struct simnode *n = arg;
	const struct fakewg_peer *p = fakewg_peer(n->wg, &c->public_key);
	bool useful = false;

	if (c->kind == WG_CHANGE_REMOVE)
		remember_removed(n, &c->public_key);
	if (c->kind == WG_CHANGE_ADD && find_gone(n, &c->public_key))
		violation(n, "a peer that was taken away comes back", 0, 0);
	if (c->kind != WG_CHANGE_UPDATE || !p)
		return;
	useful =
		((c->flags & WG_SET_PSK) && !key_equal(&c->psk, &p->is.psk)) ||
		((c->flags & WG_SET_KEEPALIVE) && c->keepalive_s != p->is.keepalive_s) ||
		((c->flags & WG_SET_ENDPOINT) && !wg_endpoint_equal(&c->endpoint, &p->is.endpoint));
	for (size_t i = 0; i < c->n_prefixes; i++)
		useful = useful || fakewg_holder(n->wg, &d->prefixes[c->first_prefix + i]) != p;
	if (!useful)
		violation(n, "a peer is touched for nothing", c->flags, c->n_prefixes);
}

/* --- what happens --- */

static struct simnode *any_node(void)
{
	return &fleet.nodes[roll(fleet.n_nodes)];
}

static void name_event(const char *what)
{
	snprintf(what_now, sizeof(what_now), "%s", what);
}

static void mutate(void)
{
	struct simtenant *t = &fleet.tenants[roll(fleet.n_tenants)];
	unsigned device = roll(SIMFLEET_DEVICES);
	bool good = false;

	name_event("a change");
	if (t->is_suspended) {
		simfleet_suspend(&fleet, t, false);
		n_mutations++;
		return;
	}
	switch (t->n_devices < 4 ? 0 : roll(9)) {
	case 0:
	case 1:
	case 2:
		good = simfleet_create(&fleet, t, device);
		break;
	case 3:
		good = simfleet_delete(&fleet, t, device);
		break;
	case 4:
	case 5:
		good = simfleet_rename(&fleet, t, device);
		break;
	case 6:
		good = simfleet_suspend(&fleet, t, true);
		break;
	default:
		good = simfleet_rotate(&fleet, t, device, roll(3) == 0);
	}
	n_mutations += good;
	n_refused += !good;
}

/* More than is let wait for a node that does not read; here none of the tenant's does. */
static void burst(void)
{
	struct simtenant *t = &fleet.tenants[roll(fleet.n_tenants)];

	name_event("a burst");
	for (unsigned i = 0; i < BURST; i++) {
		n_mutations += simfleet_rename(&fleet, t, i);
		simfleet_settle(&fleet);
	}
}

static void toggle_cut(void)
{
	struct simnode *n = any_node();

	name_event(n->is_cut ? "a cut ends" : "a cut");
	n->is_cut = !n->is_cut;
	if (n->is_cut)
		simnode_break(n);
}

/* A whole tenant, as when a site loses its line. */
static void cut_tenant(bool cut)
{
	const struct simtenant *t = &fleet.tenants[roll(fleet.n_tenants)];

	name_event("a tenant is cut");
	for (unsigned i = t->first; i < t->first + t->n_nodes; i++) {
		fleet.nodes[i].is_cut = cut;
		if (cut)
			simnode_break(&fleet.nodes[i]);
	}
}

static void start_node(struct simnode *n)
{
	if (simnode_start(n, NULL))
		violation(n, "does not start again", 0, 0);
	forget_step(n);
}

static void kill_or_start(void)
{
	struct simnode *n = any_node();

	name_event(n->is_up ? "a node is killed" : "a node starts");
	if (n->is_up)
		simnode_kill(n);
	else
		start_node(n);
}

/* A device somewhere answers with the newest key that its home has for it. */
static void shake_hands(void)
{
	struct simnode *n = any_node();

	name_event("a handshake");
	for (size_t i = 0; i < n->wg->n_peers; i++) {
		struct fakewg_peer *p = n->wg->peers[i];

		if (!key_is_zero(&p->is.psk) && roll(2)) {
			p->is.handshake_ms = clock_wall_ms();
			p->is.rx_bytes += 1000;
		}
	}
}

static void lose_interface(struct simnode *n)
{
	const struct wg_options o = {.interface = n->wg->interface};

	name_event("an interface is gone");
	fakewg_backend.destroy(&o);
}

static void restart_panel(enum simfleet_between what)
{
	name_event(what == SIMFLEET_RESTORE   ? "an older store"
		   : what == SIMFLEET_BACK_UP ? "a copy of the store"
					      : "the Control Panel restarts");
	simfleet_restart(&fleet, what);
	n_restarts++;
	if (what != SIMFLEET_RESTORE)
		return;
	n_restores++;
	/* What was deleted since is there again. */
	forget_removed();
}

/*
 * A device takes its new key while the Control Panel is away, and the node starts again before
 * anybody else knows: nothing but its own file says which key has the addresses. After a reboot
 * even the interface does not.
 */
static void promote_alone(void)
{
	struct simtenant *t = &fleet.tenants[roll(fleet.n_tenants)];
	const struct member *device;
	struct member_key before;
	struct simnode *n;
	struct cidr address;

	name_event("a promotion that nobody heard of");
	for (unsigned i = 0; i < ROTATIONS && !t->is_suspended; i++)
		n_mutations += simfleet_rotate(&fleet, t, i, false);
	simfleet_run(&fleet, PROMOTE_MS);
	n = simfleet_rotating(&fleet, t, &device);
	if (!n)
		return;
	before = device->device.active;
	address = cidr_v4(device->ip4, 32);
	n->is_cut = true;
	simnode_break(n);
	fakewg_peer(n->wg, &device->device.pending.public_key)->is.handshake_ms = clock_wall_ms();
	simfleet_run(&fleet, 3 * KEEPER_POLL_FAST_MS + PROMOTE_MS);
	if (fakewg_peer(n->wg, &before.public_key))
		violation(n, "a promotion is not carried out", before.key_version, 0);
	simnode_kill(n);
	if (roll(2))
		lose_interface(n);
	start_node(n);
	name_event("a promotion that nobody heard of");
	simfleet_run(&fleet, PROMOTE_MS);
	n_promoted_alone++;
	if (fakewg_peer(n->wg, &before.public_key) || !fakewg_holder(n->wg, &address))
		violation(n, "a promotion is forgotten by a start", before.key_version, 0);
}

static void jump(void)
{
	int64_t ms = (int64_t)roll(2 * JUMP_MAX_MS) - JUMP_MAX_MS;

	name_event("the wall clock jumps");
	if (llabs(jumped_ms + ms) > JUMP_MAX_MS)
		ms = -jumped_ms;
	jumped_ms += ms;
	simfleet_jump(&fleet, ms);
}

/* What no sound wire and no sound machine does. */
static void rot(void)
{
	unsigned first = roll(fleet.n_nodes), kind = roll(3);

	name_event(kind == 0   ? "an event is lost"
		   : kind == 1 ? "an old list is sent again"
			       : "a record is gone from memory");
	if (kind == 0) {
		mutate();
		simfleet_settle(&fleet);
		name_event("an event is lost");
	}
	for (unsigned i = 0, n = 0; i < fleet.n_nodes && n < ROTTEN; i++) {
		struct simnode *at = &fleet.nodes[(first + i) % fleet.n_nodes];

		n += kind == 0   ? simnode_lose(at)
		     : kind == 1 ? simnode_replay(at)
				 : simnode_spoil(at);
	}
}

static void happen(void)
{
	unsigned what = roll(100);
	struct simnode *n = any_node();

	n_events++;
	if (n_events % RESTART_EVERY == RESTART_EVERY / 2) {
		restart_panel(n_restarts % 3 ? SIMFLEET_RESTORE : SIMFLEET_BACK_UP);
	} else if (n_events % BURST_EVERY == BURST_EVERY / 4) {
		burst();
	} else if (n_events % LONELY_EVERY == LONELY_EVERY / 4) {
		promote_alone();
	} else if (n_rounds % 2 == 0 && roll(3) == 0) {
		rot();
	} else if (what < 47) {
		mutate();
	} else if (what < 58) {
		toggle_cut();
	} else if (what < 62) {
		cut_tenant(roll(3) > 0);
	} else if (what < 70) {
		name_event("a reader is slow, or not any more");
		n->is_slow = !n->is_slow;
		was_slow[n->index] = true;
	} else if (what < 78) {
		kill_or_start();
	} else if (what < 90) {
		shake_hands();
	} else if (what < 94) {
		jump();
	} else {
		lose_interface(n);
	}
}

/* --- when all is mended --- */

struct truth {
	const struct simtenant *tenant;
	struct tenant_row row;
	struct members *members;
};

static int put(void *arg, const struct uuid *id, const uint8_t *record, size_t len)
{
	(void)id;
	return members_put(arg, record, len);
}

static int look(struct txn *txn, void *ctx)
{
	struct truth *t = ctx;
	int r = tenant_row_get(txn, &t->tenant->id, &t->row);

	return r ? r : member_row_since(txn, &t->tenant->id, 0, put, t->members);
}

static bool same_record(const struct member *a, const struct member *b)
{
	return b && a->bytes_len == b->bytes_len && memcmp(a->bytes, b->bytes, a->bytes_len) == 0;
}

static bool same_list(const struct members *a, const struct members *b)
{
	if (members_count(a) != members_count(b))
		return false;
	for (size_t i = 0; i < members_count(a); i++) {
		const struct member *m = members_at(a, i);

		if (!same_record(m, members_get(b, &m->id)))
			return false;
	}
	return true;
}

static bool same_interface(const struct simnode *n, const struct members *members)
{
	struct digest has = {{0}};
	struct view view;
	bool same;

	if (view_make(members, &n->node.identity.node_id, NULL, &view))
		return false;
	for (size_t i = 0; i < n->wg->n_peers; i++) {
		const struct fakewg_peer *p = n->wg->peers[i];

		digest_add_peer(&has, &p->is.public_key);
		for (size_t k = 0; k < p->n_prefixes; k++)
			digest_add_prefix(&has, &p->is.public_key, &p->prefixes[k]);
	}
	same = view.n_peers == n->wg->n_peers && digest_equal(&view.digest, &has);
	for (size_t i = 0; i < view.n_peers && same; i++) {
		const struct view_peer *v = &view.peers[i];
		const struct fakewg_peer *p = fakewg_peer(n->wg, &v->public_key);
		struct key psk = {{0}};

		if (v->kind != VIEW_NODE)
			key_psk_device(trust_k_n(&n->node.replica.trust, v->psk_version), v->id.b,
				       v->key_version, &psk);
		same = p && key_equal(&psk, &p->is.psk);
	}
	view_done(&view);
	return same;
}

/* What keeps this node from being as it should; NULL: nothing. */
static const char *wrong_with(const struct simnode *n, const struct truth *t)
{
	const struct replica *r = &n->node.replica;
	struct muster_node progress;

	if (!link_is_up(n->node.link))
		return "has no stream";
	if (r->head.epoch != t->row.epoch || r->head.generation != t->row.generation)
		return "is not at the store's generation";
	if (memcmp(members_digest(r->list)->b, t->row.digest, DIGEST_LEN) != 0)
		return "has another digest than the store";
	if (!same_list(t->members, r->list))
		return "has another list than the store";
	if (r->interface.generation != r->head.generation)
		return "has not applied its list";
	if (!same_interface(n, t->members))
		return "has another interface than its list says";
	if (!progress_get(fleet.panel.cp->progress, &t->tenant->id, &n->node.identity.node_id,
			  &progress) ||
	    !progress.online || progress.applied != t->row.generation)
		return "is not known to have applied it";
	if (progress.differs != LAG_FITS)
		return "is told to be other than it should";
	return NULL;
}

/* How many nodes are not as they should be; complain: say which and why. */
static unsigned check_tenant(const struct simtenant *tenant, bool complain)
{
	struct truth t = {.tenant = tenant, .members = members_new()};
	unsigned n_wrong = 0;

	if (!t.members || store_read(fleet.panel.cp->store, look, &t)) {
		violation(NULL, "the store does not answer", 0, 0);
		members_free(t.members);
		return 1;
	}
	for (unsigned i = tenant->first; i < tenant->first + tenant->n_nodes; i++) {
		const struct simnode *n = &fleet.nodes[i];
		const char *why = wrong_with(n, &t);

		n_wrong += why != NULL;
		if (why && complain)
			violation(n, why, n->node.replica.head.generation, t.row.generation);
	}
	if (complain && memcmp(members_digest(t.members)->b, t.row.digest, DIGEST_LEN) != 0)
		violation(NULL, "the store's digest is not that of its members", 0, 0);
	members_free(t.members);
	return n_wrong;
}

static unsigned check(bool complain)
{
	unsigned n_wrong = 0;

	for (unsigned i = 0; i < fleet.n_tenants; i++)
		n_wrong += check_tenant(&fleet.tenants[i], complain);
	return n_wrong;
}

static void mend(void)
{
	name_event("mending");
	for (unsigned i = 0; i < fleet.n_nodes; i++) {
		struct simnode *n = &fleet.nodes[i];

		n->is_cut = n->is_slow = false;
		if (!n->is_up)
			start_node(n);
	}
	for (unsigned i = 0; i < MEND_TRIES; i++) {
		simfleet_run(&fleet, MEND_MS);
		if (!check(false))
			break;
	}
	check(true);
	for (unsigned i = 0; i < fleet.n_nodes; i++)
		if (fleet.nodes[i].most_waiting > WAITING_MAX)
			violation(&fleet.nodes[i], "more events waited than may",
				  fleet.nodes[i].most_waiting, WAITING_MAX);
}

/* On sound wires a node that reads never has to ask for everything anew. */
static void judge_round(void)
{
	for (unsigned i = 0; i < fleet.n_nodes; i++) {
		const struct simnode *n = &fleet.nodes[i];

		if (n_rounds % 2 && !was_slow[i] && n->n_asked_all != asked_all[i])
			violation(n, "had to ask for everything anew", n->n_asked_all,
				  asked_all[i]);
		asked_all[i] = n->n_asked_all;
		was_slow[i] = false;
	}
}

/* --- all of it --- */

static void start(unsigned tenants, unsigned nodes_each)
{
	seen = calloc((size_t)tenants * nodes_each, sizeof(*seen));
	asked_all = calloc((size_t)tenants * nodes_each, sizeof(*asked_all));
	was_slow = calloc((size_t)tenants * nodes_each, sizeof(*was_slow));
	if (!seen || !asked_all || !was_slow)
		exit(1);
	simfleet_init(&fleet, tenants, nodes_each);
	fleet.stepped = judge_step;
	for (unsigned i = 0; i < fleet.n_nodes; i++) {
		fleet.nodes[i].wg->change = judge_change;
		fleet.nodes[i].wg->arg = &fleet.nodes[i];
	}
	for (unsigned i = 0; i < fleet.n_tenants; i++)
		for (unsigned k = 0; k < 4; k++)
			simfleet_create(&fleet, &fleet.tenants[i], k);
	simfleet_restart(&fleet, SIMFLEET_BACK_UP);
	mend();
}

static void play(unsigned rounds, unsigned events, bool whole)
{
	struct timespec used;

	while (n_rounds < rounds && !n_violations) {
		/* Its own CPU time: what else the machine does takes no round away. */
		clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
		if (!whole && n_rounds >= ROUNDS_MIN && used.tv_sec >= CPU_SECONDS)
			break;
		n_rounds++;
		for (unsigned i = 0; i < events; i++) {
			happen();
			if (roll(3))
				simfleet_run(&fleet, roll(8) ? roll(150) : roll(3000));
		}
		mend();
		judge_round();
	}
}

static void tell(void)
{
	unsigned long long hellos = 0, reports = 0, messages = 0;
	size_t most = 0;

	for (unsigned i = 0; i < fleet.n_nodes; i++) {
		const struct simnode *n = &fleet.nodes[i];

		hellos += n->n_hellos;
		reports += n->n_reports;
		messages += n->wg->n_messages;
		most = n->most_waiting > most ? n->most_waiting : most;
	}
	printf("%u nodes, %u rounds, %u events: %u changes (%u refused), %u restarts of the Control "
	       "Panel, %u older stores, %u lonely promotions; %llu hellos, %llu reports, %llu "
	       "messages to interfaces, %zu events waited at most, %llu s of the clock\n",
	       fleet.n_nodes, n_rounds, n_events, n_mutations, n_refused, n_restarts, n_restores,
	       n_promoted_alone, hellos, reports, messages, most,
	       (unsigned long long)(fleet.boot_ms - 1000000) / 1000);
}

int main(int argc, char **argv)
{
	const char *given = getenv("QMESH_SEED");
	bool whole = getenv("QMESH_LONG") || (argc > 1 && strcmp(argv[1], "--long") == 0);

	seed = given ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
	dice = seed;
	printf("seed %llu\n", (unsigned long long)seed);
	fflush(stdout);
	log_set_level(getenv("QMESH_LOUD") ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR);
	setenv("TMPDIR", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", 0);
	if (whole) {
		start(LONG_TENANTS, LONG_NODES_EACH);
		play(LONG_ROUNDS, LONG_EVENTS, true);
	} else {
		start(TENANTS, NODES_EACH);
		play(ROUNDS, EVENTS, false);
	}
	tell();
	forget_removed();
	simfleet_done(&fleet);
	free(seen);
	free(asked_all);
	free(was_slow);
	printf("passed %d failed %d skipped 0\n", !n_violations, n_violations > 0);
	return n_violations > 0;
}
