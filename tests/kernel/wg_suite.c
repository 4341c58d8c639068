/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a back end has to do, checked on the real thing: wg_suite kernel|userspace
 * STATE_DIR [PEERS], in a network namespace of its own. QMESH_BRIEF in the
 * environment: this machine crawls, the long parts are named and left out. One tunnel to a far side
 * runs from beginning to end; whatever is done to other peers, it must lose no packet and keep its
 * handshake. Needs ip(8).
 */
#include <errno.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/sign.h"
#include "server/wg/netif.h"
#include "server/wg/sync.h"
#include "tests/kernel/farside.h"

#define NEAR "wg-near"
#define MTU 1412
#define PATIENCE_MS 60000
#define REKEY_AFTER_MS 119000
#define MANY_PREFIXES 3000
#define MOVE_ROUNDS 50
#define CHURN_PEERS 100
#define CHURN_ROUNDS 25 /* each adds and removes them all: 5,000 changes */
#define DUMPS 20

struct suite {
	const struct wg_backend *backend;
	struct wg_options options;
	struct wg *wg;
	struct key private_key, public_key, psk;
	struct farside far;
	int64_t stamp_ms; /* of the tunnel's handshake */
	unsigned n_many;  /* peers of the long list */
	unsigned passed, failed, skipped;
};

static void check(struct suite *s, bool good, const char *what)
{
	if (good)
		s->passed++;
	else
		s->failed++;
	printf("%s %u - %s: %s\n", good ? "ok" : "not ok", s->passed + s->failed, s->backend->name,
	       what);
	fflush(stdout);
}

/* --- lists --- */

/* A public key that nobody has the private one of. */
static struct key key_of(unsigned number)
{
	uint64_t x = number + 1;
	struct key k;

	for (size_t i = 0; i < KEY_LEN; i++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		k.b[i] = (uint8_t)(x >> 56);
	}
	k.b[31] &= 127;
	return k;
}

static struct wg_peer *add_peer(struct wg_list *l, unsigned number)
{
	struct key k = key_of(number);
	struct wg_peer *p = wglist_add_peer(l, &k);

	if (!p)
		abort();
	return p;
}

static void add_prefix(struct wg_list *l, const char *text)
{
	struct cidr prefix;

	if (cidr_parse(text, &prefix) || wglist_add_prefix(l, &prefix))
		abort();
}

static void add_host(struct wg_list *l, unsigned number)
{
	struct cidr prefix = cidr_v4((10u << 24 | 100u << 16) + number, 32);

	if (wglist_add_prefix(l, &prefix))
		abort();
}

/* The tunnel, as every list here wants it. */
static void add_far(const struct suite *s, struct wg_list *l)
{
	struct wg_peer *p = wglist_add_peer(l, &s->far.public_key);

	if (!p)
		abort();
	p->psk = s->psk;
	add_prefix(l, "10.77.0.2/32");
}

static void add_many(struct wg_list *l, unsigned first, unsigned n)
{
	for (unsigned i = first; i < first + n; i++) {
		add_peer(l, i);
		add_host(l, i);
	}
}

/* The long list: many peers, and one with many prefixes. */
static void add_many_more(const struct suite *s, struct wg_list *l)
{
	add_many(l, 1000, s->n_many);
	add_peer(l, 3);
	for (unsigned i = 0; i < MANY_PREFIXES; i++)
		add_host(l, 100000 + i);
}

/* How many changes lead from what runs to what is wanted; -1: broken. */
static int distance(const struct suite *s, const struct wg_list *wanted)
{
	_cleanup_(wglist_done) struct wg_list running = {0};
	_cleanup_(wgdelta_done) struct wg_delta d = {0};

	if (wg_dump(s->wg, &running) || sync_make(wanted, &running, &d))
		return -1;
	return (int)d.n_changes;
}

static int push(const struct suite *s, const struct wg_list *wanted)
{
	_cleanup_(wglist_done) struct wg_list running = {0};
	_cleanup_(wgdelta_done) struct wg_delta d = {0};
	int r;

	r = wg_dump(s->wg, &running);
	if (!r)
		r = sync_make(wanted, &running, &d);
	return r ? r : wg_apply(s->wg, &d);
}

static bool converge(const struct suite *s, const struct wg_list *wanted)
{
	return push(s, wanted) == 0 && distance(s, wanted) == 0;
}

/* A copy of the peer as it runs; false: it is not there. */
static bool look(const struct suite *s, const struct key *public_key, struct wg_peer *ret)
{
	_cleanup_(wglist_done) struct wg_list l = {0};
	const struct wg_peer *p = NULL;

	if (wg_dump(s->wg, &l) == 0)
		p = wglist_find(&l, public_key);
	if (p)
		*ret = *p;
	return p;
}

/* A new handshake is due two minutes after the last; on a slow machine that may come to pass. */
static bool same_session(struct suite *s)
{
	struct wg_peer p;

	if (!look(s, &s->far.public_key, &p))
		return false;
	if (p.handshake_ms - s->stamp_ms >= REKEY_AFTER_MS)
		s->stamp_ms = p.handshake_ms;
	return p.handshake_ms == s->stamp_ms;
}

static void check_probe(struct suite *s, const char *what)
{
	struct farside_count count = farside_stop_probe(&s->far);

	printf("# %u sent, %u echoed\n", count.sent, count.echoed);
	check(s, count.sent > 0 && count.sent == count.echoed, what);
}

/* --- what is checked --- */

static void check_create(struct suite *s)
{
	_cleanup_(wg_freep) struct wg *again = NULL;
	bool made = false;

	check(s, wg_new(&s->options, s->backend, &s->wg) == 0, "a handle");
	check(s, wg_open(s->wg, &made) == 0 && made, "the interface is made");
	made = true;
	check(s, wg_open(s->wg, &made) == 0 && !made, "one that is there is adopted");
	check(s,
	      wg_new(&s->options, NULL, &again) == 0 &&
		      strcmp(wg_backend_name(again), s->backend->name) == 0,
	      "what runs is found by itself");
	printf("# %s\n", again ? wg_backend_why(again) : "");
}

static void check_device(struct suite *s)
{
	_cleanup_(wglist_done) struct wg_list l = {0};

	key_make(&s->private_key, &s->public_key);
	check(s, wg_set_device(s->wg, &s->private_key, 51820) == 0, "key and port");
	check(s,
	      wg_dump(s->wg, &l) == 0 && key_equal(&l.private_key, &s->private_key) &&
		      l.listen_port == 51820 && l.n_peers == 0,
	      "are read back");
}

static unsigned mtu_of(const char *interface)
{
	_cleanup_(close_fdp) int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq ifr = {0};

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", interface);
	return ioctl(fd, SIOCGIFMTU, &ifr) ? 0 : (unsigned)ifr.ifr_mtu;
}

static bool has_route(const char *text)
{
	struct cidr routes[64], wanted;
	int n = netif_routes("lo", routes, ARRAY_LEN(routes));

	if (cidr_parse(text, &wanted))
		return false;
	for (int i = 0; i < n; i++)
		if (cidr_equal(&routes[i], &wanted))
			return true;
	return false;
}

static void check_address(struct suite *s)
{
	struct cidr address, other;

	if (cidr_parse("10.77.0.1/16", &address) || cidr_parse("10.78.0.1/16", &other))
		abort();
	check(s,
	      netif_add_address(NEAR, &address) == 0 && netif_add_address(NEAR, &address) == 0 &&
		      netif_add_address(NEAR, &other) == 0,
	      "addresses, one of them twice");
	check(s, netif_up(NEAR, MTU) == 0 && mtu_of(NEAR) == MTU, "up, with its MTU");
	check(s, has_route("10.77.0.0/16") && has_route("10.78.0.0/16"), "addresses make routes");
	check(s,
	      netif_keep_addresses(NEAR, &address, 1) == 0 && has_route("10.77.0.0/16") &&
		      !has_route("10.78.0.0/16"),
	      "an address that is not wanted goes with its route");
}

static void check_tunnel(struct suite *s)
{
	_cleanup_(wglist_done) struct wg_list wanted = {0};
	uint64_t until = clock_boot_ms() + PATIENCE_MS;
	struct wg_peer p = {0};
	char text[WG_ENDPOINT_TEXT_LEN];
	struct key unused;

	key_make(&s->psk, &unused);
	add_far(s, &wanted);
	check(s, converge(s, &wanted), "a peer with a preshared key");
	check(s,
	      farside_serve_echo(&s->far) == 0 &&
		      farside_connect(&s->far, &s->public_key, &s->psk) == 0,
	      "a far side on the same back end");
	while (p.handshake_ms == 0 && clock_boot_ms() < until) {
		usleep(20000);
		if (!look(s, &s->far.public_key, &p))
			break;
	}
	s->stamp_ms = p.handshake_ms;
	check(s, p.handshake_ms > 0, "handshake");
	farside_probe(&s->far, 'u');
	usleep(200000);
	check_probe(s, "datagrams through the tunnel");
	check(s, look(s, &s->far.public_key, &p) && p.rx_bytes > 0 && p.tx_bytes > 0, "counters");
	check(s, strcmp(wg_endpoint_text(&p.endpoint, text), "192.0.2.2:51821") == 0,
	      "the endpoint is learnt");
}

static void check_update(struct suite *s)
{
	_cleanup_(wglist_done) struct wg_list wanted = {0};
	struct wg_endpoint learnt, other;
	struct wg_peer p, *far, *a;
	struct key unused;

	if (!look(s, &s->far.public_key, &p) || wg_endpoint_parse("192.0.2.9:9", &other))
		abort();
	learnt = p.endpoint;
	add_far(s, &wanted);
	far = &wanted.peers[0];
	far->keepalive_s = 25;
	far->endpoint = other;
	check(s, converge(s, &wanted) && look(s, &s->far.public_key, &p) && p.keepalive_s == 25,
	      "keepalive of a peer that is there");
	check(s, wg_endpoint_equal(&p.endpoint, &learnt), "a learnt endpoint is not overwritten");
	far->keepalive_s = 0;
	a = add_peer(&wanted, 1);
	add_prefix(&wanted, "10.99.0.0/24");
	add_prefix(&wanted, "fd00:99::/64");
	if (wg_endpoint_parse("[2001:db8::7]:7", &a->endpoint))
		abort();
	check(s,
	      converge(s, &wanted) && look(s, &a->public_key, &p) &&
		      wg_endpoint_equal(&p.endpoint, &a->endpoint),
	      "a peer with an IPv6 endpoint and prefix");
	a->endpoint = other;
	a->endpoint_is_new = true;
	key_make(&a->psk, &unused);
	check(s,
	      converge(s, &wanted) && look(s, &a->public_key, &p) &&
		      wg_endpoint_equal(&p.endpoint, &other) && key_equal(&p.psk, &a->psk),
	      "a new endpoint and a new preshared key are set");
	a->psk = (struct key){{0}};
	check(s, converge(s, &wanted), "a preshared key is taken away");
	check(s, same_session(s), "all of it in one session of the tunnel");
}

/* Prefixes go to and fro between peers that stay, one of them the tunnel, and leave. */
static void check_moves(struct suite *s)
{
	bool good = true;

	farside_probe(&s->far, 'u');
	for (unsigned i = 0; i < MOVE_ROUNDS && good; i++) {
		_cleanup_(wglist_done) struct wg_list wanted = {0};

		add_far(s, &wanted);
		if (i % 3 == 0)
			add_prefix(&wanted, "10.77.9.9/32");
		add_peer(&wanted, 1);
		add_prefix(&wanted, "10.99.0.0/24");
		if (i % 3 == 1)
			add_prefix(&wanted, "10.77.9.9/32");
		add_peer(&wanted, 2);
		add_prefix(&wanted, i % 2 ? "10.99.1.0/24" : "10.99.2.0/24");
		good = converge(s, &wanted);
	}
	check(s, good, "prefixes move and leave, as wanted after each step");
	check_probe(s, "no datagram of the tunnel is lost by it");
	check(s, same_session(s), "nor its session");
}

static void check_churn(struct suite *s)
{
	_cleanup_(wglist_done) struct wg_list few = {0}, more = {0};
	bool good = true;

	add_far(s, &few);
	add_far(s, &more);
	add_many(&more, 1000, CHURN_PEERS);
	good = converge(s, &few);
	farside_probe(&s->far, 't');
	for (unsigned i = 0; i < CHURN_ROUNDS && good; i++)
		good = push(s, &more) == 0 && push(s, &few) == 0;
	check(s, good && distance(s, &few) == 0, "5,000 peers come and go");
	check_probe(s, "a TCP stream beside them is whole");
	check(s, same_session(s), "in one session");
}

static void check_many(struct suite *s)
{
	_cleanup_(wglist_done) struct wg_list wanted = {0}, running = {0};

	add_far(s, &wanted);
	add_many_more(s, &wanted);
	farside_probe(&s->far, 'u');
	printf("# %u peers\n", s->n_many);
	check(s, converge(s, &wanted), "thousands of peers, one more with 3,000 prefixes");
	check_probe(s, "no datagram is lost while they come");
	check(s,
	      wg_dump(s->wg, &running) == 0 && running.n_peers == wanted.n_peers &&
		      running.n_prefixes == wanted.n_prefixes,
	      "a dump has each peer once, with all it has");
	check(s, same_session(s), "same session");
}

/* Somebody else writes while we read: a dump is whole or says that it is not. */
static void check_dumps(struct suite *s)
{
	_cleanup_(wgdelta_done) struct wg_delta add = {0}, take = {0};
	unsigned whole = 0, refused = 0;
	struct key k = key_of(4);
	bool good = true;
	pid_t writer;

	if (!wgdelta_add(&add, WG_CHANGE_ADD, &k) || !wgdelta_add(&take, WG_CHANGE_REMOVE, &k))
		abort();
	writer = fork();
	for (unsigned i = 0; writer == 0; i++) {
		if (wg_apply(s->wg, i % 2 ? &take : &add))
			_exit(1);
		usleep(100000);
	}
	for (unsigned i = 0; i < DUMPS && good; i++) {
		_cleanup_(wglist_done) struct wg_list l = {0};
		int r = wg_dump(s->wg, &l);

		whole += r == 0;
		refused += r == -EAGAIN;
		good = r == -EAGAIN || (r == 0 && l.n_peers - s->n_many - 2 <= 1);
	}
	kill(writer, SIGKILL);
	waitpid(writer, NULL, 0);
	printf("# %u whole, %u given up\n", whole, refused);
	check(s, good && whole > 0, "dumps beside a writer are never cut short");
	check(s, wg_apply(s->wg, &take) == 0, "a peer is removed that may not be there");
}

static void count_refused(void *arg, const struct wg_change *c, int error)
{
	struct key bad = key_of(12);

	if (key_equal(&c->public_key, &bad) && error < 0)
		++*(unsigned *)arg;
	else
		*(unsigned *)arg += 100;
}

/* In the middle of three: an address of no such length. */
static void add_with_bad(const struct suite *s, struct wg_list *l)
{
	add_far(s, l);
	for (unsigned i = 11; i <= 13; i++) {
		add_peer(l, i);
		add_host(l, i);
		if (i == 12)
			l->prefixes[l->n_prefixes - 1].bits = 33;
	}
}

static void check_errors(struct suite *s)
{
	_cleanup_(wglist_done) struct wg_list wanted = {0}, running = {0}, good = {0};
	_cleanup_(wgdelta_done) struct wg_delta d = {0};
	struct key k13 = key_of(13);
	unsigned refused = 0;
	struct wg_peer p;

	farside_probe(&s->far, 'u');
	add_with_bad(s, &wanted);
	check(s, push(s, &wanted) < 0, "a bad peer in the middle: an error");
	if (wg_dump(s->wg, &running) || sync_make(&wanted, &running, &d))
		abort();
	check(s, wg_apply_each(s->wg, &d, count_refused, &refused) < 0 && refused == 1,
	      "one by one only the bad one is refused");
	check(s, look(s, &k13, &p) && p.n_prefixes == 1, "the one behind it is there");
	add_far(s, &good);
	add_peer(&good, 11);
	add_host(&good, 11);
	check(s, converge(s, &good), "read back and compared, all is as wanted");
	check_probe(s, "no datagram is lost by it");
	check(s, same_session(s), "same session");
}

static void check_odd(struct suite *s)
{
	_cleanup_(wgdelta_done) struct wg_delta d = {0};
	struct key unknown = key_of(20);
	struct wg_peer p;

	if (!wgdelta_add(&d, WG_CHANGE_UPDATE, &unknown) ||
	    !wgdelta_add(&d, WG_CHANGE_REMOVE, &unknown) ||
	    !wgdelta_add(&d, WG_CHANGE_ADD, &s->public_key))
		abort();
	check(s, wg_apply(s->wg, &d) == 0 && !look(s, &unknown, &p) && !look(s, &s->public_key, &p),
	      "unknown peers and our own key: nothing happens");
}

/* One peer more and one less among very many, in one message each. */
static void check_one_of_many(struct suite *s)
{
	_cleanup_(wglist_done) struct wg_list wanted = {0}, more = {0};

	add_far(s, &wanted);
	add_many_more(s, &wanted);
	add_far(s, &more);
	add_many_more(s, &more);
	add_peer(&more, 5);
	add_prefix(&more, "10.99.5.0/24");
	farside_probe(&s->far, 'u');
	check(s, distance(s, &more) == 1 && converge(s, &more), "one peer more is one change");
	check(s, distance(s, &wanted) == 1 && converge(s, &wanted), "and one less another");
	check_probe(s, "no datagram is lost by it");
}

static void check_restart(struct suite *s, bool many)
{
	_cleanup_(wglist_done) struct wg_list wanted = {0};
	struct key unclamped = s->private_key;
	bool made = true;

	add_far(s, &wanted);
	if (many)
		add_many_more(s, &wanted);
	else
		check(s, converge(s, &wanted), "the tunnel alone");
	unclamped.b[0] |= 7;
	farside_probe(&s->far, 'u');
	wg_free(s->wg);
	s->wg = NULL;
	check(s, wg_new(&s->options, NULL, &s->wg) == 0 && wg_open(s->wg, &made) == 0 && !made,
	      "a new run adopts the interface");
	check(s, distance(s, &wanted) == 0, "and finds nothing to change");
	check(s,
	      wg_set_device(s->wg, &s->private_key, 51820) == 0 &&
		      wg_set_device(s->wg, &unclamped, 51820) == 0,
	      "the same key again, clamped or not");
	usleep(100000);
	check_probe(s, "no datagram is lost by it");
	check(s, same_session(s), "same session");
}

static void check_teardown(struct suite *s)
{
	_cleanup_(wglist_done) struct wg_list running = {0};
	uint64_t until = clock_boot_ms() + PATIENCE_MS;
	char kind[NETIF_KIND_LEN];
	int r = 0;

	check(s, farside_end(&s->far) == 0, "the far side goes");
	check(s, wg_destroy(s->wg) == 0, "the interface goes, with all its peers");
	while (r == 0 && clock_boot_ms() < until) {
		r = netif_kind(NEAR, kind);
		usleep(10000);
	}
	check(s, r == -ENODEV, "nothing is left of it");
	check(s, wg_destroy(s->wg) == 0, "going twice is fine");
	check(s, wg_dump(s->wg, &running) < 0, "no dump of what is not there");
}

int main(int argc, char **argv)
{
	struct suite s = {.options = {.interface = NEAR}};

	if (argc < 3)
		return 2;
	s.n_many = argc > 3 ? (unsigned)atoi(argv[3]) : 2000;
	setvbuf(stdout, NULL, _IOLBF, 0);
	log_set_level(LOG_LEVEL_WARN);
	if (sign_init())
		return 1;
	s.backend = strcmp(argv[1], "kernel") == 0 ? &wg_kernel : &wg_userspace;
	s.options.state_dir = argv[2];
	if (farside_start(&s.far, s.backend, argv[2]) || netif_up("lo", 65536))
		return 1;
	check_create(&s);
	if (!s.failed) {
		check_device(&s);
		check_address(&s);
		check_tunnel(&s);
	}
	if (!s.failed) {
		check_update(&s);
		check_moves(&s);
		check_churn(&s);
		check_errors(&s);
		check_odd(&s);
		if (getenv("QMESH_BRIEF")) {
			printf("skipped: thousands of peers, dumps beside a writer: this machine "
			       "crawls\n");
			s.skipped = 9;
		} else {
			check_many(&s);
			check_dumps(&s);
			check_one_of_many(&s);
		}
		check_restart(&s, !s.skipped);
	}
	check_teardown(&s);
	wg_free(s.wg);
	printf("passed %u failed %u skipped %u\n", s.passed, s.failed, s.skipped);
	return s.failed ? 1 : 0;
}
