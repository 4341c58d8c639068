/* SPDX-License-Identifier: Apache-2.0 */
/* What reaches stderr, read back from a temporary file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/log.h"

static char said[16384];
static int saved_stderr;

static void listen_in(void)
{
	char name[] = "/tmp/qmesh-test-log-XXXXXX";
	int fd = mkstemp(name);

	assert_true(fd >= 0);
	unlink(name);
	saved_stderr = dup(STDERR_FILENO);
	dup2(fd, STDERR_FILENO);
	close(fd);
}

static const char *heard(void)
{
	ssize_t n;

	n = pread(STDERR_FILENO, said, sizeof(said) - 1, 0);
	dup2(saved_stderr, STDERR_FILENO);
	close(saved_stderr);
	said[n > 0 ? n : 0] = '\0';
	return said;
}

static void a_line_with_context(void **state)
{
	const struct log_ctx ctx = {.request = "r1", .device = "d\n1"};

	(void)state;
	listen_in();
	log_line(LOG_LEVEL_WARN, "cp", &ctx, "took %d ms", 7);
	assert_string_equal(heard(), "warn cp: took 7 ms [request=r1 device=d\\x0a1]\n");
}

static void nobody_forges_a_second_line(void **state)
{
	(void)state;
	listen_in();
	log_info("cp", "label %s", "x\nerror cp: forged\x1b[2J\xc2\x9b");
	assert_string_equal(heard(), "info cp: label x\\x0aerror cp: forged\\x1b[2J\\xc2\x9b\n");
}

static void levels_and_traces(void **state)
{
	enum log_level level = LOG_LEVEL_ERROR;

	(void)state;
	assert_int_equal(log_level_parse("warn", &level), 0);
	assert_int_equal(level, LOG_LEVEL_WARN);
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
	log_set_level(level);
	log_set_trace("all,-dns");
	listen_in();
	log_info("cp", "%s", "quiet");
	log_debug("rpc", "%s", "seen");
	log_debug("dns", "%s", "quiet");
	log_set_trace("rpcx,wg");
	log_debug("rpc", "%s", "quiet");
	log_debug("wg", "%s", "seen");
	log_set_trace("");
	log_set_level(LOG_LEVEL_INFO);
	assert_string_equal(heard(), "debug rpc: seen\ndebug wg: seen\n");
}

static void a_very_long_line_is_one_line(void **state)
{
	static char words[8001];
	const char *got;

	(void)state;
	memset(words, '\x01', sizeof(words) - 1);
	listen_in();
	log_info("cp", "%s", words);
	got = heard();
	assert_true(strlen(got) <= 4096);
	assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_with_context),
		cmocka_unit_test(nobody_forges_a_second_line),
		cmocka_unit_test(levels_and_traces),
		cmocka_unit_test(a_very_long_line_is_one_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
