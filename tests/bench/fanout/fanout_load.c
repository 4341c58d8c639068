/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many nodes in one process, each with a connection of its own, as agents of a
 * Control Panel: renew their token, subscribe, take events, report. Of an event
 * the head is read and nothing of the list, so that the load costs less than
 * what it loads. Sources are spread over 127.0.0.0/8, 500 connections each.
 *
 *   fanout_load PORT AUTHORITY NODES N [--tls]
 *
 * NODES is what "store_seed nodes" printed. On stdin a line each: "mode report",
 * "mode mute" (takes events, says nothing), "mode whole" (fetches its whole map
 * after each event, then reports), "poll S" (no reports; the map every S
 * seconds, spread), "heartbeat S" (0: none), "stats". On stdout: "all N NS" when
 * each has subscribed and its first report was answered, again after each loss;
 * "gen TENANT GENERATION FIRST LAST REPORTED" when all of a tenant have it, the
 * times in ns of CLOCK_MONOTONIC; "polled NS" after each round; the stats.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "tests/bench/fanout/loadpeer.h"

/* One process shakes hands for so many at a time; thousands of machines would each for its own. */
enum { OPENING_MAX = 256 };

enum { TENANTS_MAX = 64, ROWS = 256, LINE_MAX_LEN = 512, TICK_MS = 50 };

struct row {
	uint64_t generation, first_ns, last_ns, reported_ns;
	unsigned n_seen, n_reported;
};

struct tenant {
	unsigned n_peers;
	struct row rows[ROWS];
};

static struct tenant *tenants;
static struct loadpeer *peers;
static size_t n_peers, n_back, n_polled;
static unsigned poll_s, heartbeat_s;
static struct load load;

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* --- what peers tell --- */

static struct row *row_of(struct tenant *t, uint64_t generation)
{
	struct row *row = &t->rows[generation % ROWS];

	if (row->generation != generation)
		*row = (struct row){.generation = generation};
	return row;
}

/* Of a jump only the last of the ring is kept. */
static uint64_t first_of(uint64_t before, uint64_t now)
{
	return now - before > ROWS ? now - ROWS + 1 : before + 1;
}

static void on_seen(struct loadpeer *p, uint64_t before, uint64_t generation)
{
	uint64_t now = now_ns();

	for (uint64_t g = first_of(before, generation); before && g <= generation; g++) {
		struct row *row = row_of(&tenants[p->tenant], g);

		row->first_ns = row->first_ns ? row->first_ns : now;
		row->last_ns = now;
		row->n_seen++;
		if (load.mode == LOAD_MUTE && row->n_seen == tenants[p->tenant].n_peers)
			printf("gen %u %llu %llu %llu 0\n", p->tenant, (unsigned long long)g,
			       (unsigned long long)row->first_ns, (unsigned long long)now);
	}
}

static void on_reported(struct loadpeer *p, uint64_t before, uint64_t generation)
{
	uint64_t now = now_ns();

	if (!p->is_back) {
		p->is_back = true;
		if (++n_back == n_peers)
			printf("all %zu %llu\n", n_back, (unsigned long long)now);
	}
	for (uint64_t g = first_of(before, generation); before && g <= generation; g++) {
		struct row *row = row_of(&tenants[p->tenant], g);

		row->reported_ns = now;
		if (++row->n_reported == tenants[p->tenant].n_peers)
			printf("gen %u %llu %llu %llu %llu\n", p->tenant, (unsigned long long)g,
			       (unsigned long long)row->first_ns, (unsigned long long)row->last_ns,
			       (unsigned long long)now);
	}
}

static void on_lost(struct loadpeer *p)
{
	if (p->is_back)
		n_back--;
	p->is_back = false;
}

static void on_polled(struct loadpeer *p)
{
	(void)p;
	if (++n_polled % n_peers == 0)
		printf("polled %llu\n", (unsigned long long)now_ns());
}

/* --- start --- */

static void read_nodes(const char *path)
{
	FILE *f = fopen(path, "re");
	char line[LINE_MAX_LEN], id[64], secret[160];

	peers = calloc(n_peers, sizeof(*peers));
	tenants = calloc(TENANTS_MAX, sizeof(*tenants));
	if (!f || !peers || !tenants)
		die(path);
	for (size_t i = 0; i < n_peers; i++) {
		struct loadpeer *p = &peers[i];

		if (!fgets(line, sizeof(line), f) ||
		    sscanf(line, "%u %63s %159s", &p->tenant, id, secret) != 3 ||
		    p->tenant >= TENANTS_MAX || uuid_parse(id, &p->id) ||
		    text_unhex(secret, p->secret, sizeof(p->secret))) {
			fprintf(stderr, "fanout_load: %s has no %zu nodes\n", path, n_peers);
			exit(1);
		}
		loadpeer_init(p, &load, i);
		tenants[p->tenant].n_peers++;
	}
	fclose(f);
}

static void raise_files(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) < 0)
		die("files");
	files.rlim_cur = files.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &files) < 0)
		die("files");
}

/* --- commands --- */

static void print_stats(void)
{
	printf("stats %llu %llu %llu %llu %llu %llu\n", (unsigned long long)load.bytes_in,
	       (unsigned long long)load.bytes_out, (unsigned long long)load.n_events,
	       (unsigned long long)load.n_reports, (unsigned long long)load.n_refused,
	       (unsigned long long)load.n_lost);
}

static void obey(const char *line)
{
	static const char *const modes[] = {[LOAD_REPORT] = "mode report",
					    [LOAD_MUTE] = "mode mute",
					    [LOAD_WHOLE] = "mode whole"};
	uint64_t now = load_now_ms();

	for (int i = 0; i < 3; i++) {
		if (!strcmp(line, modes[i])) {
			load.mode = (enum load_mode)i;
			poll_s = 0;
		}
	}
	if (!strcmp(line, "stats"))
		print_stats();
	if (sscanf(line, "heartbeat %u", &heartbeat_s) == 1) {
		for (size_t i = 0; i < n_peers; i++)
			peers[i].heartbeat_at_ms = now + heartbeat_s * 1000ull * i / n_peers;
	}
	if (sscanf(line, "poll %u", &poll_s) == 1) {
		load.mode = LOAD_POLL;
		n_polled = 0;
		for (size_t i = 0; i < n_peers; i++)
			peers[i].poll_at_ms = now + poll_s * 1000ull * (i + 1) / n_peers;
	}
}

/* False: the input has ended. */
static bool read_commands(void)
{
	static char text[LINE_MAX_LEN];
	static size_t len;
	ssize_t n = read(STDIN_FILENO, text + len, sizeof(text) - 1 - len);
	char *end;

	if (n <= 0)
		return false;
	len += (size_t)n;
	text[len] = '\0';
	while ((end = strchr(text, '\n'))) {
		*end = '\0';
		obey(text);
		len -= (size_t)(end + 1 - text);
		memmove(text, end + 1, len + 1);
	}
	return true;
}

/* --- time --- */

static void look(struct loadpeer *p, uint64_t now)
{
	if (p->state == PEER_DOWN) {
		if (now >= p->retry_at_ms && load.n_opening < OPENING_MAX)
			loadpeer_open(p);
		return;
	}
	if (heartbeat_s && p->is_back && now >= p->heartbeat_at_ms) {
		p->heartbeat_at_ms = now + heartbeat_s * 1000ull;
		loadpeer_report(p);
	}
	if (p->must_fetch && p->is_back)
		loadpeer_fetch(p);
	if (poll_s && p->is_back && now >= p->poll_at_ms) {
		p->poll_at_ms += poll_s * 1000ull;
		loadpeer_fetch(p);
	}
}

static void run(int epoll)
{
	struct epoll_event events[256], input = {.events = EPOLLIN, .data.ptr = NULL};
	uint64_t next_look = 0;

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, STDIN_FILENO, &input) < 0)
		die("epoll");
	for (;;) {
		int n = epoll_wait(epoll, events, 256, TICK_MS);
		uint64_t now = load_now_ms();

		for (int i = 0; i < n; i++) {
			if (!events[i].data.ptr && !read_commands())
				return;
			if (events[i].data.ptr)
				loadpeer_event(events[i].data.ptr, events[i].events);
		}
		if (now >= next_look) {
			next_look = now + TICK_MS;
			for (size_t i = 0; i < n_peers; i++)
				look(&peers[i], now);
		}
		fflush(stdout);
	}
}

int main(int argc, char **argv)
{
	bool with_tls = argc == 6 && !strcmp(argv[5], "--tls");

	if (argc != 5 + with_tls || sign_init()) {
		fprintf(stderr, "fanout_load: PORT AUTHORITY NODES N [--tls]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	raise_files();
	load = (struct load){.port = (uint16_t)atoi(argv[1]),
			     .authority = argv[2],
			     .epoll = epoll_create1(EPOLL_CLOEXEC),
			     .seen = on_seen,
			     .reported = on_reported,
			     .polled = on_polled,
			     .lost = on_lost};
	if (load.epoll < 0 || (with_tls && load_tls(&load)))
		die("start");
	n_peers = strtoul(argv[4], NULL, 10);
	read_nodes(argv[3]);
	run(load.epoll);
	return 0;
}
