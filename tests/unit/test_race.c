/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that race: order, pauses, winners and words, with real sockets on loopback. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "client/race.h"

/* A listener on 127.0.0.host; backlog -1: bound, but nobody listens. */
static int make_listener(const char *host, int backlog, struct sockaddr_in *ret_addr)
{
	socklen_t len = sizeof(*ret_addr);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	*ret_addr = (struct sockaddr_in){.sin_family = AF_INET};
	inet_pton(AF_INET, host, &ret_addr->sin_addr);
	assert_int_equal(bind(fd, (struct sockaddr *)ret_addr, len), 0);
	if (backlog >= 0)
		assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)ret_addr, &len), 0);
	return fd;
}

static void add(struct race *r, const struct sockaddr_in *addr)
{
	race_add(r, (const struct sockaddr *)addr, sizeof(*addr));
}

static void add_v6(struct race *r, const char *text)
{
	struct sockaddr_in6 addr = {.sin6_family = AF_INET6, .sin6_port = htons(9)};

	inet_pton(AF_INET6, text, &addr.sin6_addr);
	race_add(r, (const struct sockaddr *)&addr, sizeof(addr));
}

static size_t n_started(const struct race *r)
{
	size_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		n += r->runners[i].started;
	return n;
}

static enum race_state run(struct race *r, uint64_t now_ms)
{
	enum race_state state;

	/* Loopback answers at once, but not before the kernel has looked. */
	for (int i = 0; (state = race_step(r, now_ms)) == RACE_RUNS && i < 200; i++)
		usleep(1000);
	return state;
}

static void test_first_that_stands(void **state)
{
	struct sockaddr_in refusing, good;
	int a = make_listener("127.0.0.1", -1, &refusing), b = make_listener("127.0.0.1", 8, &good);
	struct race r;
	char why[200];
	int fd;

	(void)state;
	race_init(&r);
	assert_int_equal(race_step(&r, 0), RACE_LOST);
	add(&r, &refusing);
	add(&r, &good);
	/* A refusal starts the next at once, without the pause. */
	assert_int_equal(run(&r, 0), RACE_WON);
	fd = race_take(&r);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	race_done(&r);

	race_init(&r);
	add(&r, &refusing);
	assert_int_equal(run(&r, 0), RACE_LOST);
	race_why(&r, "open", why, sizeof(why));
	assert_string_equal(why, strerror(ECONNREFUSED));
	/* What is added later runs too. */
	add(&r, &good);
	assert_int_equal(run(&r, 0), RACE_WON);
	race_why(&r, "open", why, sizeof(why));
	assert_string_equal(why, "127.0.0.1: Connection refused; 127.0.0.1: open");
	race_done(&r);
	close(a);
	close(b);
}

/* A queue that is full: SYNs are dropped as on a broken path. */
static void test_pause(void **state)
{
	struct sockaddr_in mute, good;
	int a = make_listener("127.0.0.1", 0, &mute), b = make_listener("127.0.0.1", 8, &good);
	struct race r;
	char why[200];
	int fill[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		connect(fill[i], (struct sockaddr *)&mute, sizeof(mute));
	}
	usleep(20000);
	race_init(&r);
	add(&r, &mute);
	add(&r, &good);
	assert_int_equal(race_step(&r, 1000), RACE_RUNS);
	assert_int_equal(n_started(&r), 1);
	assert_int_equal(race_due(&r), 1000 + RACE_STAGGER_MS);
	assert_int_equal(race_step(&r, 1000 + RACE_STAGGER_MS - 1), RACE_RUNS);
	assert_int_equal(n_started(&r), 1);
	assert_int_equal(run(&r, 1000 + RACE_STAGGER_MS), RACE_WON);
	assert_int_equal(r.winner, 1);
	close(race_take(&r));
	for (size_t i = 0; i < r.n; i++)
		assert_int_equal(r.runners[i].fd, -1);
	/* It proves to be no good: the one that was passed by has its try again. */
	assert_true(race_has_more(&r));
	race_lose(&r, "speaks in riddles");
	assert_int_equal(race_step(&r, 2000), RACE_RUNS);
	assert_false(race_has_more(&r));
	assert_int_equal(race_due(&r), UINT64_MAX);
	race_why(&r, "open", why, sizeof(why));
	assert_string_equal(why, "127.0.0.1: open; 127.0.0.1: speaks in riddles");
	race_done(&r);
	for (int i = 0; i < 3; i++)
		close(fill[i]);
	close(a);
	close(b);
}

static void test_families_in_turn(void **state)
{
	struct sockaddr_in refusing;
	int a = make_listener("127.0.0.1", -1, &refusing);
	struct race r;
	char why[800];

	(void)state;
	race_init(&r);
	for (int i = 0; i < RACE_FAMILY_MAX + 3; i++)
		add(&r, &refusing);
	assert_int_equal(r.n, RACE_FAMILY_MAX);
	race_init(&r);
	add(&r, &refusing);
	add(&r, &refusing);
	/* No route leads there, or nobody is: it fails at once either way. */
	add_v6(&r, "fd00:9::1");
	add_v6(&r, "fd00:9::2");
	(void)race_step(&r, 0);
	/* The first to start is of IPv6, though it was added last. */
	assert_true(r.runners[2].started);
	race_why(&r, "open", why, sizeof(why));
	assert_non_null(strstr(why, "[fd00:9::1]: "));
	race_done(&r);
	close(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_first_that_stands),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_families_in_turn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
