/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's way to change an interface, for a stopwatch:
 *
 *   wgbench kernel|userspace INTERFACE STATE_DIR N
 *
 * has a replica, an applier and an interface with N devices, and takes a line
 * each on stdin. Each answers with what it took in microseconds:
 *
 *   (at once)  full set: from the bytes of a snapshot to the interface read back
 *   change     one device more, or the same one less: from the bytes of the signed
 *              event, as the stream carries them, to WireGuard's answer and the
 *              numbers of the next report
 *   whole      the same where no part can be looked at alone, as after an error
 *   message    the part of a change that is WireGuard's answer
 *   check      the look at the whole interface that follows changes, once a second at most
 *   names      the zone anew, as it follows changes, ten times a second at most
 *   cache      the list to the disk, as it follows changes, once a second at most
 *   dump       the interface read
 *   adopt      a new run: interface taken over, read, compared, nothing to do
 *   files PATH two lists for wg(8) as PATH.a, without that device, and PATH.b
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/sign.h"
#include "server/node/applier.h"
#include "server/node/nodecache.h"
#include "server/node/nodedns.h"
#include "tests/support/listsource.h"

#define RANGE (10u << 24 | 100u << 16)

struct stopwatch {
	struct node_conf conf;
	struct identity identity;
	struct replica replica;
	struct applier applier;
	struct nodedns dns;
	struct listsource source;
	unsigned n;
	bool has_more; /* the device after the last */
};

static struct wg_backend timed;
static const struct wg_backend *real;
static uint64_t sent_ns;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void must(int r, const char *what)
{
	if (!r)
		return;
	fprintf(stderr, "wgbench: %s: %s\n", what, strerror(-r));
	exit(1);
}

static int apply_timed(const struct wg_options *o, const struct wg_delta *d, size_t from, size_t n)
{
	uint64_t began = now_ns();
	int r = real->apply(o, d, from, n);

	sent_ns += now_ns() - began;
	return r;
}

static void resolved(void *arg)
{
	(void)arg;
}

static struct uuid id_of(unsigned i)
{
	struct uuid id = {{1}};

	for (int b = 15; i; b--, i >>= 8)
		id.b[b] = (uint8_t)i;
	return id;
}

static void put_device(struct stopwatch *s, unsigned i)
{
	char slug[32];
	struct member m = {.id = id_of(i + 2), .kind = MEMBER_DEVICE, .label = slug, .slug = slug};
	struct key *k = &m.device.active.public_key;
	uint64_t x = i + 1;

	snprintf(slug, sizeof(slug), "d%u", i);
	m.ip4 = RANGE + 2 + i;
	m.device.home = s->replica.self;
	m.device.active.key_version = m.device.active.psk_version = 1;
	for (size_t b = 0; b < KEY_LEN; b++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		k->b[b] = (uint8_t)(x >> 56);
	}
	k->b[31] &= 127;
	listsource_put(&s->source, &m);
}

/* What the stream brings; what making it took is the Control Panel's and not counted. */
static uint64_t take_news(struct stopwatch *s, bool snapshot, int (*apply)(struct applier *a))
{
	size_t len;
	uint8_t *bytes = listsource_event(&s->source, snapshot, &len);
	uint64_t began = now_ns();

	sent_ns = 0;
	must(listsource_give(bytes, len, &s->replica) == REPLICA_CHANGED ? 0 : -1, "event");
	must(apply(&s->applier), "apply");
	began = now_ns() - began;
	must(s->replica.interface.n_failed ? -1 : 0, "a peer refused");
	free(bytes);
	return began;
}

static uint64_t change(struct stopwatch *s, int (*apply)(struct applier *a))
{
	const struct uuid id = id_of(s->n + 2);

	if (s->has_more)
		listsource_remove(&s->source, &id);
	else
		put_device(s, s->n);
	s->has_more = !s->has_more;
	return take_news(s, false, apply);
}

static void check(struct stopwatch *s)
{
	must(applier_poll(&s->applier), "look");
	must(s->applier.wanted.n_peers == s->n + s->has_more ? 0 : -1, "peers wanted");
}

static void write_list(struct stopwatch *s, const char *path)
{
	char name[512], text[KEY_TEXT_LEN + 1], psk[KEY_TEXT_LEN + 1], prefix[CIDR_TEXT_LEN + 1];
	const struct wg_list *l = &s->applier.wanted;
	FILE *f;

	check(s);
	snprintf(name, sizeof(name), "%s.%c", path, s->has_more ? 'b' : 'a');
	f = fopen(name, "we");
	if (!f)
		exit(1);
	fprintf(f, "[Interface]\nPrivateKey = %s\nListenPort = %u\n",
		key_text(&s->identity.wg_private, text), (unsigned)s->conf.wg_port);
	for (size_t i = 0; i < l->n_peers; i++)
		fprintf(f, "[Peer]\nPublicKey = %s\nPresharedKey = %s\nAllowedIPs = %s\n",
			key_text(&l->peers[i].public_key, text), key_text(&l->peers[i].psk, psk),
			cidr_text(&l->prefixes[l->peers[i].first_prefix], prefix));
	fclose(f);
}

static void print_us(uint64_t ns)
{
	printf("%.1f\n", (double)ns / 1000);
	fflush(stdout);
}

static void obey(struct stopwatch *s, const char *word, const char *rest)
{
	_cleanup_(wglist_done) struct wg_list l = {0};
	uint64_t began = now_ns(), took = 0;

	if (strcmp(word, "change") == 0) {
		took = change(s, applier_follow);
	} else if (strcmp(word, "whole") == 0) {
		took = change(s, applier_apply);
	} else if (strcmp(word, "message") == 0) {
		change(s, applier_follow);
		took = sent_ns;
	} else if (strcmp(word, "check") == 0) {
		check(s);
	} else if (strcmp(word, "names") == 0) {
		nodedns_apply(&s->dns);
	} else if (strcmp(word, "cache") == 0) {
		must(nodecache_save(s->conf.state_dir, &s->replica), "cache");
	} else if (strcmp(word, "dump") == 0) {
		must(wg_dump(s->applier.wg, &l), "dump");
	} else if (strcmp(word, "adopt") == 0) {
		sent_ns = 0;
		s->applier.is_up = false;
		must(applier_apply(&s->applier), "take over");
		must(sent_ns ? -1 : 0, "something to do");
	} else if (strcmp(word, "files") == 0) {
		for (int i = 0; i < 2; i++) {
			write_list(s, rest);
			change(s, applier_follow);
		}
		check(s);
	} else {
		return;
	}
	print_us(took ? took : now_ns() - began);
}

static void set_up(struct stopwatch *s, char **argv)
{
	const struct uuid self = id_of(1), tenant = id_of(0);
	struct member node = {.id = self, .kind = MEMBER_NODE, .label = "n", .slug = "n"};
	struct wg_options options = {.interface = argv[2], .state_dir = argv[3]};

	real = strcmp(argv[1], "kernel") == 0 ? &wg_kernel : &wg_userspace;
	timed = *real;
	timed.apply = apply_timed;
	s->n = (unsigned)atoi(argv[4]);
	s->conf = (struct node_conf){.wg_interface = argv[2],
				     .state_dir = argv[3],
				     .wireguard_go = (char *)"wireguard-go",
				     .wg_port = 51820,
				     .mtu = 1420,
				     .firewall = NODE_FIREWALL_OFF,
				     .dns = NODE_DNS_COREDNS};
	key_make(&s->identity.wg_private, &s->identity.wg_public);
	must(replica_init(&s->replica, &self, &tenant), "replica");
	listsource_init(&s->source, &tenant, cidr_v4(RANGE, 16));
	listsource_trust(&s->source, &s->replica);
	must(applier_init(&s->applier, &s->conf, &s->identity, &s->replica, resolved, NULL),
	     "applier");
	wg_free(s->applier.wg);
	must(wg_new(&options, &timed, &s->applier.wg), "handle");
	nodedns_init(&s->dns, &s->conf, &s->replica, NULL);
	node.ip4 = RANGE + 1;
	node.node.public_key = s->identity.wg_public;
	listsource_put(&s->source, &node);
	take_news(s, true, applier_follow);
}

int main(int argc, char **argv)
{
	struct stopwatch *s = calloc(1, sizeof(*s));
	char line[600], *rest;

	if (argc != 5 || !s)
		return 2;
	log_set_level(LOG_LEVEL_ERROR);
	must(sign_init(), "random numbers");
	set_up(s, argv);
	for (unsigned i = 0; i < s->n; i++)
		put_device(s, i);
	print_us(take_news(s, true, applier_follow));
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		rest = strchr(line, ' ');
		if (rest)
			*rest++ = '\0';
		obey(s, line, rest ? rest : "");
	}
	must(applier_teardown(&s->conf), "teardown");
	nodedns_done(&s->dns);
	applier_done(&s->applier);
	listsource_done(&s->source);
	replica_done(&s->replica);
	free(s);
	return 0;
}
