/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Throws cases at a server and tells what became of them:
 *   mutate --to 127.0.0.1:PORT|/PATH --seeds FILE [--tls] [--seed S] [--first N | --case N]
 *          [--cases N] [--conns N] [--h1 PERCENT] [--seconds N] [--dump | --show]
 * A case follows from seeds, seed and its number alone. With --case it is that
 * one, --dump writes its bytes instead of sending them, --show the answer's too. Exit 3: nobody
 * listens any more, and the cases that were under way are named; 4: connections hung; 5: what is
 * beyond a limit was answered.
 *
 * With --save DIR the bytes of such cases, and of all that were under way or had just ended when
 * nobody listened any more, are kept as DIR/SEED-NUMBER.h1 and .h2. `mutate --to ... --replay FILE`
 * sends one again as it is, whatever became of the seeds meanwhile.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/un.h>

#include "base/clock.h"
#include "tests/attack/mutate/keepsake.h"

#define MAX_CONNS 256
#define SILENCE_MS 150  /* that is all: a busy machine is given more */
#define STREAM_MS 2000  /* of a stream that always has something to say */
#define REPLAY_MS 20000 /* one case alone is waited for */

struct run {
	struct strike_target target;
	struct seeds seeds;
	uint64_t seed, first, n_cases, n_conns, seconds;
	bool dump, show;
	const char *save, *replay; /* NULL: no */
	/* Its own. */
	struct strike strikes[MAX_CONNS];
	struct strike_tally tally;
	uint64_t latency_ms; /* of answers, about */
	uint64_t next, n_done, tries, slowest, slowest_ms;
	size_t n_live;
	bool gone;
};

/* --- options --- */

static int parse_address(const char *s, struct strike_target *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)&ret->address;
	struct sockaddr_un *un = (struct sockaddr_un *)&ret->address;
	const char *colon = strrchr(s, ':');
	char host[64];

	if (s[0] == '/') {
		un->sun_family = AF_UNIX;
		if (strlen(s) >= sizeof(un->sun_path))
			return -1;
		strcpy(un->sun_path, s);
		ret->address_len = sizeof(*un);
		return 0;
	}
	if (!colon || (size_t)(colon - s) >= sizeof(host))
		return -1;
	memcpy(host, s, (size_t)(colon - s));
	host[colon - s] = '\0';
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)atoi(colon + 1));
	ret->address_len = sizeof(*in);
	return inet_pton(AF_INET, host, &in->sin_addr) == 1 ? 0 : -1;
}

static void usage(void)
{
	fprintf(stderr,
		"usage: mutate --to 127.0.0.1:PORT|/PATH --seeds FILE [--tls] [--seed S] [--first N | --case N]\n"
		"              [--cases N] [--conns N] [--h1 PERCENT] [--seconds N] [--dump | --show]\n"
		"              [--save DIR]\n"
		"       mutate --to 127.0.0.1:PORT|/PATH --replay FILE [--tls] [--show]\n");
	exit(2);
}

static void tls_on(struct run *r)
{
	r->target.tls = SSL_CTX_new(TLS_client_method());
	if (!r->target.tls)
		abort();
	SSL_CTX_set_mode(r->target.tls,
			 SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_ENABLE_PARTIAL_WRITE);
}

static void parse_options(struct run *r, int argc, char **argv)
{
	static const struct option options[] = {
		{"to", 1, NULL, 't'},      {"seeds", 1, NULL, 'f'},  {"tls", 0, NULL, 'l'},
		{"seed", 1, NULL, 's'},    {"first", 1, NULL, 'i'},  {"case", 1, NULL, 'c'},
		{"cases", 1, NULL, 'n'},   {"conns", 1, NULL, 'k'},  {"h1", 1, NULL, 'h'},
		{"seconds", 1, NULL, 'w'}, {"dump", 0, NULL, 'd'},   {"show", 0, NULL, 'o'},
		{"save", 1, NULL, 'v'},    {"replay", 1, NULL, 'r'}, {NULL, 0, NULL, 0},
	};
	uint64_t n;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		n = optarg ? strtoull(optarg, NULL, 0) : 0;
		switch (c) {
		case 't':
			if (parse_address(optarg, &r->target) < 0)
				usage();
			break;
		case 'f':
			if (seeds_read(optarg, &r->seeds) < 0)
				exit(2);
			break;
		case 'l':
			tls_on(r);
			break;
		case 's':
			r->seed = n;
			break;
		case 'c':
			r->first = n;
			r->n_cases = 1;
			break;
		case 'i':
			r->first = n;
			break;
		case 'n':
			r->n_cases = n;
			break;
		case 'k':
			r->n_conns = n < MAX_CONNS ? n : MAX_CONNS;
			break;
		case 'h':
			r->target.h1_percent = (unsigned)n;
			break;
		case 'w':
			r->seconds = n;
			break;
		case 'd':
			r->dump = true;
			break;
		case 'o':
			r->show = true;
			break;
		case 'v':
			r->save = optarg;
			break;
		case 'r':
			r->replay = optarg;
			r->n_cases = 1;
			break;
		default:
			usage();
		}
	}
	if ((!r->seeds.n && !r->replay) || (!r->dump && !r->target.address_len))
		usage();
}

/* --- the run --- */

static void begin_one(struct run *r, struct strike *s, uint64_t now_ms)
{
	enum strike_outcome o;

	if (!r->replay)
		strike_deal(s, &r->target, &r->seeds, r->seed, r->next);
	else if (keepsake_load(r->replay, s) < 0)
		exit(2);
	s->silence_ms = SILENCE_MS + (r->latency_ms < 250 ? 4 * r->latency_ms : 1000);
	s->stream_ms = STREAM_MS;
	if (r->replay)
		s->silence_ms = s->stream_ms = REPLAY_MS;
	o = strike_begin(s, &r->target, now_ms);
	if (o == STRIKE_GOING) {
		r->next++;
		r->n_live++;
		r->tries = 0;
		return;
	}
	strike_end(s);
	r->tally.outcomes[o]++;
	/* A full backlog empties; a server that went stays away. */
	if (o == STRIKE_GONE || ++r->tries > 1000000)
		r->gone = true;
}

static void move_one(struct run *r, struct strike *s, uint64_t now_ms)
{
	enum strike_outcome o = strike_move(s, &r->tally, now_ms);

	if (o == STRIKE_GOING) {
		if (r->replay && s->in.len && (s->answered || s->reset || s->goaway))
			s->silence_ms = SILENCE_MS;
		return;
	}
	if (r->show && s->in.len)
		fwrite(s->in.p, 1, s->in.len, stdout);
	if (o == STRIKE_ANSWERED && s->moved_ms > s->finished_ms)
		r->latency_ms = (r->latency_ms * 15 + (s->moved_ms - s->finished_ms)) / 16;
	if (o == STRIKE_STUCK || o == STRIKE_LENIENT) {
		fprintf(stderr, "case %" PRIu64 " %s\n", s->number,
			o == STRIKE_STUCK ? "hangs" : "is beyond a limit and was answered");
		keepsake_save(r->save, s, r->seed);
	}
	keepsake_note(s, now_ms);
	if (now_ms - s->began_ms > r->slowest_ms) {
		r->slowest_ms = now_ms - s->began_ms;
		r->slowest = s->number;
	}
	r->tally.outcomes[o]++;
	r->tally.bytes += s->sent;
	strike_end(s);
	r->n_live--;
	r->n_done++;
}

static void throw_all(struct run *r)
{
	uint64_t began = clock_boot_ms(), now = began, last = r->first + r->n_cases;
	struct pollfd fds[MAX_CONNS];

	while (!r->gone && (r->n_live ||
			    (r->next < last && (!r->seconds || now - began < r->seconds * 1000)))) {
		bool more = r->next < last && (!r->seconds || now - began < r->seconds * 1000);

		for (size_t i = 0; i < r->n_conns; i++) {
			struct strike *s = &r->strikes[i];

			if (s->fd < 0 && more && r->next < last && !r->gone)
				begin_one(r, s, now);
			fds[i] = (struct pollfd){.fd = s->fd, .events = POLLIN};
			if (s->fd >= 0 && !s->done_sending)
				fds[i].events |= POLLOUT;
		}
		poll(fds, r->n_conns, 5);
		now = clock_boot_ms();
		for (size_t i = 0; i < r->n_conns; i++)
			if (r->strikes[i].fd >= 0 &&
			    (fds[i].revents || now > r->strikes[i].moved_ms + 2))
				move_one(r, &r->strikes[i], now);
	}
}

static void tell(const struct run *r)
{
	const uint64_t *o = r->tally.outcomes;

	printf("seed %" PRIu64 ": %" PRIu64 " cases from %" PRIu64 ", %" PRIu64 " KiB\n", r->seed,
	       r->n_done, r->first, r->tally.bytes >> 10);
	printf("answered %" PRIu64 " stream-refused %" PRIu64 " closed %" PRIu64 " silent %" PRIu64
	       " left %" PRIu64 " stuck %" PRIu64 " lenient %" PRIu64 " waited-for-room %" PRIu64
	       "\n",
	       o[STRIKE_ANSWERED], o[STRIKE_REFUSED], o[STRIKE_CLOSED], o[STRIKE_SILENT],
	       o[STRIKE_CUT], o[STRIKE_STUCK], o[STRIKE_LENIENT], o[STRIKE_AGAIN]);
	printf("http");
	for (size_t i = 1; i < ARRAY_LEN(r->tally.http); i++)
		printf(" %zuxx %" PRIu64, i, r->tally.http[i]);
	printf("\ngrpc-status");
	for (size_t i = 0; i < ARRAY_LEN(r->tally.grpc); i++)
		if (r->tally.grpc[i])
			printf(" %zu:%" PRIu64, i, r->tally.grpc[i]);
	printf("\nslowest: case %" PRIu64 " in %" PRIu64 " ms\n", r->slowest, r->slowest_ms);
}

static void tell_gone(const struct run *r)
{
	printf("nobody listens; under way with --seed %" PRIu64 " were --case", r->seed);
	for (size_t i = 0; i < r->n_conns; i++)
		if (r->strikes[i].fd >= 0)
			printf(" %" PRIu64, r->strikes[i].number);
	printf("; the last begun was %" PRIu64 "\n", r->next);
	for (size_t i = 0; i < r->n_conns; i++)
		if (r->strikes[i].fd >= 0)
			keepsake_save(r->save, &r->strikes[i], r->seed);
	keepsake_save_noted(r->save, r->seed);
}

int main(int argc, char **argv)
{
	static struct run r = {.n_cases = 1000, .n_conns = 160, .target.h1_percent = 40};

	signal(SIGPIPE, SIG_IGN);
	parse_options(&r, argc, argv);
	for (size_t i = 0; i < MAX_CONNS; i++)
		r.strikes[i].fd = -1;
	r.next = r.first;
	if (r.dump) {
		strike_deal(&r.strikes[0], &r.target, &r.seeds, r.seed, r.first);
		fwrite(r.strikes[0].out.p, 1, r.strikes[0].out.len, stdout);
	} else {
		throw_all(&r);
		tell(&r);
	}
	if (r.gone)
		tell_gone(&r);
	for (size_t i = 0; i < MAX_CONNS; i++) {
		strike_end(&r.strikes[i]);
		octets_done(&r.strikes[i].out);
		octets_done(&r.strikes[i].in);
	}
	keepsake_done();
	SSL_CTX_free(r.target.tls);
	seeds_free(&r.seeds);
	if (r.gone)
		return 3;
	return r.tally.outcomes[STRIKE_STUCK] ? 4 : r.tally.outcomes[STRIKE_LENIENT] ? 5 : 0;
}
