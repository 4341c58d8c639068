/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node's way to change an interface, for a stopwatch:
 *
 *   wgbench kernel|userspace INTERFACE STATE_DIR N
 *
 * makes the interface with N peers and takes a line each on stdin. Each answers
 * with what it took in microseconds: "made" (full set, told at once), "change"
 * (one peer more, or the same one less: wanted and running compared, the
 * difference sent), "message" (only the sending), "dump", "churn K" (K such
 * changes with a read-back each, as the node does them), "adopt" (a new run:
 * dump, compared, nothing to do). "files PATH" writes the two lists for wg(8) as PATH.a and PATH.b.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/log.h"
#include "base/sign.h"
#include "server/wg/netif.h"
#include "server/wg/sync.h"
#include "server/wg/wg.h"

struct stopwatch {
	struct wg *wg;
	struct key private_key;
	struct wg_list few, more, running; /* more: one peer more */
	bool has_more;
};

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

static void add(struct wg_list *l, unsigned i)
{
	struct cidr prefix = cidr_v4((10u << 24 | 100u << 16) + i, 32);
	uint64_t x = i + 1;
	struct key k;

	for (size_t b = 0; b < KEY_LEN; b++) {
		x = x * 6364136223846793005u + 1442695040888963407u;
		k.b[b] = (uint8_t)(x >> 56);
	}
	k.b[31] &= 127;
	if (!wglist_add_peer(l, &k) || wglist_add_prefix(l, &prefix))
		exit(1);
}

static void read_back(struct stopwatch *s)
{
	struct wg_list l;

	must(wg_dump(s->wg, &l), "dump");
	wglist_sort(&l);
	wglist_done(&s->running);
	s->running = l;
}

/* To the other list; what the sending alone took goes to ret_sent, in ns. */
static uint64_t change(struct stopwatch *s, uint64_t *ret_sent)
{
	_cleanup_(wgdelta_done) struct wg_delta d = {0};
	uint64_t began = now_ns(), sending, end;

	must(sync_make(s->has_more ? &s->few : &s->more, &s->running, &d), "sync");
	sending = now_ns();
	must(wg_apply(s->wg, &d), "apply");
	end = now_ns();
	s->has_more = !s->has_more;
	*ret_sent = end - sending;
	read_back(s);
	return end - began;
}

static void print_us(uint64_t ns)
{
	printf("%.1f\n", (double)ns / 1000);
	fflush(stdout);
}

static void write_list(const struct stopwatch *s, const struct wg_list *l, const char *path,
		       const char *suffix)
{
	char name[512], text[KEY_TEXT_LEN + 1], prefix[CIDR_TEXT_LEN + 1];
	FILE *f;

	snprintf(name, sizeof(name), "%s.%s", path, suffix);
	f = fopen(name, "we");
	if (!f)
		exit(1);
	fprintf(f, "[Interface]\nPrivateKey = %s\nListenPort = 51820\n",
		key_text(&s->private_key, text));
	for (size_t i = 0; i < l->n_peers; i++)
		fprintf(f, "[Peer]\nPublicKey = %s\nAllowedIPs = %s\n",
			key_text(&l->peers[i].public_key, text),
			cidr_text(&l->prefixes[l->peers[i].first_prefix], prefix));
	fclose(f);
}

static void obey(struct stopwatch *s, const char *word, const char *rest)
{
	uint64_t began = now_ns(), sent = 0, took;

	if (strcmp(word, "change") == 0) {
		took = change(s, &sent);
		print_us(took);
	} else if (strcmp(word, "message") == 0) {
		change(s, &sent);
		print_us(sent);
	} else if (strcmp(word, "dump") == 0) {
		read_back(s);
		print_us(now_ns() - began);
	} else if (strcmp(word, "adopt") == 0) {
		_cleanup_(wgdelta_done) struct wg_delta d = {0};

		read_back(s);
		must(sync_make(s->has_more ? &s->more : &s->few, &s->running, &d), "sync");
		print_us(now_ns() - began);
		must(d.n_changes ? -1 : 0, "something to do");
	} else if (strcmp(word, "churn") == 0) {
		for (int i = atoi(rest); i > 0; i--)
			change(s, &sent);
		print_us(now_ns() - began);
	} else if (strcmp(word, "files") == 0) {
		write_list(s, &s->few, rest, "a");
		write_list(s, &s->more, rest, "b");
		print_us(now_ns() - began);
	}
}

int main(int argc, char **argv)
{
	struct stopwatch s = {0};
	struct wg_options options = {0};
	char line[600], *rest;
	uint64_t began;
	unsigned n;
	bool made;
	struct key unused;

	if (argc != 5)
		return 2;
	log_set_level(LOG_LEVEL_WARN);
	must(sign_init(), "random numbers");
	options.interface = argv[2];
	options.state_dir = argv[3];
	n = (unsigned)atoi(argv[4]);
	key_make(&s.private_key, &unused);
	must(wg_new(&options, strcmp(argv[1], "kernel") == 0 ? &wg_kernel : &wg_userspace, &s.wg),
	     "handle");
	must(wg_open(s.wg, &made), "interface");
	must(wg_set_device(s.wg, &s.private_key, 51820), "key and port");
	must(netif_up(options.interface, 1420), "up");
	read_back(&s);
	for (unsigned i = 0; i <= n; i++) {
		if (i < n)
			add(&s.few, i);
		add(&s.more, i);
	}
	s.has_more = true; /* so that the first change makes the short list */
	began = now_ns();
	{
		uint64_t sent;

		change(&s, &sent);
	}
	print_us(now_ns() - began);
	while (fgets(line, sizeof(line), stdin)) {
		line[strcspn(line, "\n")] = '\0';
		rest = strchr(line, ' ');
		if (rest)
			*rest++ = '\0';
		obey(&s, line, rest ? rest : "");
	}
	must(wg_destroy(s.wg), "teardown");
	wglist_done(&s.few);
	wglist_done(&s.more);
	wglist_done(&s.running);
	wg_free(s.wg);
	return 0;
}
