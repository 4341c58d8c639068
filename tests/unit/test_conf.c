/* SPDX-License-Identifier: Apache-2.0 */
/* Configuration from presets, file, environment and arguments; every refusal says where. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>

#include "base/conf.h"

struct settings {
	char *listen;
	char *plain;
	uint64_t port;
	uint64_t lease_ms;
	bool http2;
	int firewall;
};

#define AT(member) offsetof(struct settings, member)

static const struct conf_key keys[] = {
	{"listen", CONF_STRING, AT(listen), "[::]:7443", 1, 100, NULL, "where to listen"},
	{"listen_plain", CONF_STRING, AT(plain), "", 0, 100, NULL, "clear text"},
	{"wg_port", CONF_U64, AT(port), "51820", 1, 65535, NULL, "UDP port"},
	{"lease", CONF_MS, AT(lease_ms), "7d", 3600000, 7776000000, NULL, "lease"},
	{"http2", CONF_BOOL, AT(http2), "on", 0, 0, NULL, "emergency brake"},
	{"firewall", CONF_ENUM, AT(firewall), "own", 0, 0, "own|integrate|off", "who rules"},
};

static const struct conf_table table = {.program = "testd",
					.file = "/nonexistent/testd.conf",
					.keys = keys,
					.n_keys = ARRAY_LEN(keys)};

static char path[] = "/tmp/qmesh-test-conf-XXXXXX";
static char said[8192];
static struct settings got;
static int exit_code, rest[16];
static size_t n_rest;

static int setup(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	unsetenv("QMESH_CONFIG");
	close(fd);
	return fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	return unlink(path);
}

/* Loads with stderr kept in said. The last argument is NULL. */
static int load(const char *first, ...)
{
	char name[] = "/tmp/qmesh-test-said-XXXXXX";
	int fd = mkstemp(name), stderr_fd = dup(STDERR_FILENO), argc = 0, r;
	char *argv[16] = {0};
	ssize_t n;
	va_list ap;

	assert_true(fd >= 0);
	unlink(name);
	argv[argc++] = (char *)"testd";
	va_start(ap, first);
	for (const char *s = first; s; s = va_arg(ap, const char *))
		argv[argc++] = (char *)s;
	va_end(ap);
	conf_done(&table, &got);
	memset(&got, 0, sizeof(got));
	dup2(fd, STDERR_FILENO);
	r = conf_load(&table, &got, argc, argv, &exit_code, rest, &n_rest);
	dup2(stderr_fd, STDERR_FILENO);
	close(stderr_fd);
	n = pread(fd, said, sizeof(said) - 1, 0);
	said[n > 0 ? n : 0] = '\0';
	close(fd);
	return r;
}

static int load_file(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
	return load("--config", path, NULL);
}

static void refused(const char *text, int line, const char *word)
{
	char where[100];

	assert_int_equal(load_file(text), -EINVAL);
	snprintf(where, sizeof(where), "%s:%d: ", path, line);
	assert_non_null(strstr(said, where));
	assert_non_null(strstr(said, word));
	assert_int_equal(exit_code, 1);
	assert_null(got.listen);
}

static void presets(void **state)
{
	(void)state;
	assert_int_equal(load(NULL), 0);
	assert_int_equal(exit_code, -1);
	assert_string_equal(got.listen, "[::]:7443");
	assert_string_equal(got.plain, "");
	assert_int_equal(got.port, 51820);
	assert_int_equal(got.lease_ms, 604800000);
	assert_true(got.http2);
	assert_int_equal(got.firewall, 0);
	assert_int_equal(n_rest, 0);
}

static void a_file(void **state)
{
	(void)state;
	assert_int_equal(load_file("# comment\n; comment\n\nlisten = 0.0.0.0:1\n"
				   "   wg_port=7\n\tlease = 90m\nhttp2 = no\r\nfirewall = off\n"
				   "listen_plain ="),
			 0);
	assert_string_equal(got.listen, "0.0.0.0:1");
	assert_string_equal(got.plain, "");
	assert_int_equal(got.port, 7);
	assert_int_equal(got.lease_ms, 5400000);
	assert_false(got.http2);
	assert_int_equal(got.firewall, 2);
}

static void a_file_that_is_wrong(void **state)
{
	char longest[300];

	(void)state;
	refused("\nlistn = x\n", 2, "listn");
	refused("listen = a\nlisten = b\n", 2, "twice");
	refused("# x\n\nwg_port = 65536\n", 3, "1 to 65535");
	refused("wg_port = 0\n", 1, "wg_port");
	refused("wg_port = 12x\n", 1, "whole number");
	refused("lease = 30\n", 1, "lease");
	refused("lease = 59m\n", 1, "lease");
	refused("lease = 99999999999999999999d\n", 1, "lease");
	refused("http2 = 1\n", 1, "on or off");
	refused("firewall = own|off\n", 1, "own|integrate|off");
	refused("firewall = ow\n", 1, "firewall");
	refused("listen =\n", 1, "listen");
	refused("listen\n", 1, "key = value");
	refused("listen = a\n[node]\nwg_port = 1\n", 2, "sections");
	memset(longest, 'x', sizeof(longest));
	memcpy(longest, "wg_port = 1\nlisten = ", 21);
	longest[250] = '\0';
	refused(longest, 2, "198");
	longest[12 + 198] = '\n';
	longest[12 + 199] = '\0';
	refused(longest, 2, "100 characters");
}

static void a_file_that_is_not_there(void **state)
{
	(void)state;
	assert_int_equal(load("--config", "/nonexistent/other.conf", NULL), -EINVAL);
	assert_non_null(strstr(said, "/nonexistent/other.conf"));
	assert_int_equal(load("--config=/tmp", NULL), -EINVAL);
}

static void environment_beats_file_and_arguments_beat_both(void **state)
{
	(void)state;
	setenv("QMESH_WG_PORT", "8", 1);
	assert_int_equal(load_file("wg_port = 7\nlisten = f:1\n"), 0);
	assert_int_equal(got.port, 8);
	assert_int_equal(load("--config", path, "--wg-port", "9", "--http2=off", NULL), 0);
	assert_int_equal(got.port, 9);
	assert_false(got.http2);
	assert_string_equal(got.listen, "f:1");
	setenv("QMESH_WG_PORT", "x", 1);
	assert_int_equal(load(NULL), -EINVAL);
	assert_non_null(strstr(said, "QMESH_WG_PORT"));
	unsetenv("QMESH_WG_PORT");
}

static void arguments(void **state)
{
	(void)state;
	assert_int_equal(load("one", "--wg_port=3", "two", "--", "--three", NULL), 0);
	assert_int_equal(n_rest, 3);
	assert_int_equal(rest[0], 1);
	assert_int_equal(rest[1], 3);
	assert_int_equal(rest[2], 5);
	assert_int_equal(load("--nonsense", NULL), -EINVAL);
	assert_non_null(strstr(said, "--nonsense"));
	assert_int_equal(load("--wg-port", NULL), -EINVAL);
	assert_non_null(strstr(said, "needs a value"));
	assert_int_equal(load("--wg-port=", NULL), -EINVAL);
	assert_int_equal(load("--listen=", NULL), -EINVAL);
}

static void check_config(void **state)
{
	(void)state;
	assert_int_equal(load_file("wg_port = 7\n"), 0);
	assert_int_equal(load("--check-config", "--config", path, NULL), 0);
	assert_int_equal(exit_code, 0);
	assert_int_equal(load_file("wg_port = z\n"), -EINVAL);
	assert_int_equal(load("--config", path, "--check-config", NULL), -EINVAL);
	assert_int_equal(exit_code, 1);
	assert_int_equal(load("--version", NULL), 0);
	assert_int_equal(exit_code, 0);
	assert_int_equal(load("--help", NULL), 0);
	assert_int_equal(exit_code, 0);
}

static int last(void **state)
{
	conf_done(&table, &got);
	return teardown(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(presets),
		cmocka_unit_test(a_file),
		cmocka_unit_test(a_file_that_is_wrong),
		cmocka_unit_test(a_file_that_is_not_there),
		cmocka_unit_test(environment_beats_file_and_arguments_beat_both),
		cmocka_unit_test(arguments),
		cmocka_unit_test(check_config),
	};

	return cmocka_run_group_tests(tests, setup, last);
}
