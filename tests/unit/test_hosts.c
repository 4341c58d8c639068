/* SPDX-License-Identifier: Apache-2.0 */
/* Exact names, with one port and no other; peers by network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <string.h>

#include "base/cleanup.h"
#include "server/rpc/hosts.h"

static const char hosts[] = "n1.quazzar.mesh 10.64.0.1 [fd00::1]";

static void test_names(void **state)
{
	static const char *const good[] = {"n1.quazzar.mesh", "N1.Quazzar.Mesh:8443",
					   "10.64.0.1",       "10.64.0.1:8443",
					   "[fd00::1]",       "[FD00::1]:8443"};
	static const char *const bad[] = {"",
					  "n1",
					  "n1.quazzar.mes",
					  "n1.quazzar.mesh.",
					  "n1.quazzar.mesh:",
					  "n1.quazzar.mesh:443",
					  "n1.quazzar.mesh:84430",
					  "n1.quazzar.mesh:08443",
					  "n1.quazzar.meshx",
					  "n2.quazzar.mesh",
					  "xn1.quazzar.mesh",
					  "quazzar.mesh",
					  "10.64.0.11",
					  "10.64.0.1.",
					  "fd00::1",
					  "[fd00:0::1]",
					  "localhost",
					  " ",
					  "n1.quazzar.mesh 10.64.0.1"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(hosts_name(hosts, 8443, good[i]));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(hosts_name(hosts, 8443, bad[i]));
	assert_false(hosts_name("", 8443, ""));
	assert_false(hosts_name("  ", 8443, "n1"));
}

static void test_loopback(void **state)
{
	(void)state;
	assert_true(hosts_loopback("localhost:7480"));
	assert_true(hosts_loopback("[::1]"));
	assert_false(hosts_loopback("localhost.evil.example"));
	assert_false(hosts_loopback("127.0.0.2"));
	assert_false(hosts_loopback(""));
}

static bool comes(const struct cidr from[2], const char *text)
{
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6};
	struct sockaddr_in in = {.sin_family = AF_INET};

	if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		return hosts_from(from, 2, (const struct sockaddr *)&in);
	assert_int_equal(inet_pton(AF_INET6, text, &in6.sin6_addr), 1);
	return hosts_from(from, 2, (const struct sockaddr *)&in6);
}

static void test_from(void **state)
{
	struct cidr from[2] = {0};

	(void)state;
	assert_true(comes(from, "192.0.2.1"));
	assert_int_equal(cidr_parse("10.64.0.0/16", &from[0]), 0);
	assert_true(comes(from, "10.64.255.7"));
	assert_false(comes(from, "10.65.0.1"));
	assert_false(comes(from, "fd00::1"));
	assert_int_equal(cidr_parse("fd00::/48", &from[1]), 0);
	assert_true(comes(from, "fd00::1"));
	assert_false(comes(from, "fd01::1"));
	assert_false(hosts_from(from, 2, &(const struct sockaddr){.sa_family = AF_UNIX}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_loopback),
		cmocka_unit_test(test_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
