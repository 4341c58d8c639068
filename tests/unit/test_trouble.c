/* SPDX-License-Identifier: Apache-2.0 */
/* trouble.c: what reaches the log of something that fails every 3 s, by a clock of the test's. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/err.h"
#include "server/node/trouble.h"

#define TRY_MS 3000

static uint64_t now_ms = 1000000;
static int kept, file;

/* Lines go to a file from here on. */
static void listen_to_log(void)
{
	char path[] = "/tmp/qmesh-test-trouble-XXXXXX";

	file = mkstemp(path);
	assert_true(file >= 0);
	unlink(path);
	kept = dup(STDERR_FILENO);
	dup2(file, STDERR_FILENO);
}

/* What was logged since; the log is as it was. */
static char *heard(void)
{
	static char text[65536];
	ssize_t len = pread(file, text, sizeof(text) - 1, 0);

	dup2(kept, STDERR_FILENO);
	close(kept);
	close(file);
	assert_true(len >= 0);
	text[len] = '\0';
	return text;
}

static unsigned count(const char *text, const char *words)
{
	unsigned n = 0;

	for (; (text = strstr(text, words)); text++)
		n++;
	return n;
}

/* As the keeper tries its interface. */
static void try_it(struct trouble *t, int r, const char *cause)
{
	now_ms += TRY_MS;
	clock_fake(1, now_ms, (int64_t)now_ms, "");
	trouble_begin(t);
	log_info("wg", "back end userspace: configured, try of pid %llu",
		 (unsigned long long)now_ms);
	if (r) {
		/* Of one try both are said. */
		log_info("wg", "peer 1");
		log_info("wg", "peer 2");
		log_error("wg", "%s", cause);
		(void)err_origin(r);
		log_error("node", "list not applied: %s", strerror(-r));
	}
	trouble_end(t, r, "the interface");
}

static void a_change_is_said_and_then_a_line_a_minute(void **state)
{
	struct trouble t = {.since_ms = 0};
	const char *text;

	(void)state;
	listen_to_log();
	for (unsigned i = 0; i < 100; i++)
		try_it(&t, -EADDRINUSE, "another program has UDP port 51820");
	for (unsigned i = 0; i < 20; i++)
		try_it(&t, -ENOENT, "there is no /dev/net/tun");
	text = heard();
	/* Five minutes, and one. */
	assert_int_equal(count(text, "back end"), 1);
	assert_int_equal(count(text, "another program"), 1);
	assert_int_equal(count(text, "list not applied: Address already in use"), 1);
	assert_int_equal(count(text, "the interface still fails"), 5);
	assert_int_equal(count(text, "still fails, for 60 s: Address already in use"), 1);
	assert_int_equal(count(text, "there is no /dev/net/tun"), 1);
	assert_int_equal(count(text, "list not applied: No such file"), 1);
	assert_int_equal(count(text, "peer "), 2);
	assert_int_equal(count(text, "\n"), 14);
}

static void its_end_is_said_and_the_next_one_anew(void **state)
{
	struct trouble t = {.since_ms = 0};
	const char *text;

	(void)state;
	listen_to_log();
	try_it(&t, -EADDRINUSE, "another program has UDP port 51820");
	try_it(&t, -EADDRINUSE, "another program has UDP port 51820");
	try_it(&t, 0, NULL);
	log_info("node", "a line of its own");
	log_info("node", "a line of its own");
	try_it(&t, 0, NULL);
	try_it(&t, -EADDRINUSE, "another program has UDP port 51820");
	text = heard();
	assert_int_equal(count(text, "another program"), 2);
	assert_int_equal(count(text, "the interface fails no more, after 6 s"), 1);
	assert_int_equal(count(text, "a line of its own"), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_change_is_said_and_then_a_line_a_minute),
		cmocka_unit_test(its_end_is_said_and_the_next_one_anew),
	};

	return cmocka_run_group_tests_name("trouble", tests, NULL, NULL);
}
