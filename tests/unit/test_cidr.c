/* SPDX-License-Identifier: Apache-2.0 */
/* Prefixes and host:port, good and bad. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/cidr.h"

static struct cidr parse(const char *s)
{
	struct cidr c;

	assert_int_equal(cidr_parse(s, &c), 0);
	return c;
}

static void text_both_ways(void **state)
{
	static const char *const same[] = {"10.64.0.0/16",  "0.0.0.0/0",   "255.255.255.255/32",
					   "10.64.16.1/16", "fd00:1::/48", "::/0",
					   "fd00:1::2/128"};
	char text[CIDR_TEXT_LEN + 1];
	struct cidr c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(same); i++) {
		c = parse(same[i]);
		assert_string_equal(cidr_text(&c, text), same[i]);
	}
	c = parse("10.1.2.3");
	assert_string_equal(cidr_text(&c, text), "10.1.2.3/32");
	assert_string_equal(cidr_addr_text(&c, text), "10.1.2.3");
	c = parse("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255");
	assert_int_equal(strlen(cidr_text(&c, text)), 43);
	c = (struct cidr){0};
	assert_string_equal(cidr_text(&c, text), "");
}

static void text_is_read_strictly(void **state)
{
	static const char *const bad[] = {"",
					  "/",
					  "10.64.0.0/",
					  "10.64.0.0/33",
					  "10.64.0.0/-1",
					  "10.64.0.0/+8",
					  "10.64.0.0/08",
					  "10.64.0/16",
					  "10.64.0.256",
					  " 10.0.0.1",
					  "10.0.0.1 ",
					  "::/129",
					  "fd00::1::/64",
					  "a.b.c.d",
					  "010.0.0.1",
					  "1.2.3.4/8/8",
					  "fe80::1%eth0",
					  "10.0.0.1/4294967304"};
	struct cidr c = {.family = 99};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(cidr_parse(bad[i], &c), -EINVAL);
	assert_int_equal(c.family, 99);
}

static void networks(void **state)
{
	struct cidr net = parse("10.64.0.0/16"), host = parse("10.64.255.255"), c;

	(void)state;
	assert_true(cidr_contains(&net, &host));
	assert_false(cidr_contains(&host, &net));
	c = parse("10.65.0.0");
	assert_false(cidr_contains(&net, &c));
	c = parse("10.0.0.0/8");
	assert_false(cidr_contains(&net, &c));
	assert_true(cidr_overlaps(&net, &c));
	assert_true(cidr_overlaps(&c, &net));
	c = parse("0.0.0.0/0");
	assert_true(cidr_contains(&c, &net));
	c = parse("::/0");
	assert_false(cidr_contains(&c, &net));
	assert_false(cidr_overlaps(&c, &net));
	c = parse("10.64.77.3/20");
	c = cidr_network(&c);
	net = parse("10.64.64.0/20");
	assert_true(cidr_equal(&c, &net));
	c = parse("fd12:3456:789a:bcde::1/45");
	c = cidr_network(&c);
	net = parse("fd12:3456:7898::/45");
	assert_true(cidr_equal(&c, &net));
	c = cidr_v4(0x0a400001, 32);
	assert_int_equal(cidr_host4(&c), 0x0a400001);
	net = parse("10.64.0.1");
	assert_true(cidr_equal(&c, &net));
	c = cidr_v6(parse("fd00::5").addr, 128);
	net = parse("fd00::5");
	assert_true(cidr_equal(&c, &net));
}

static void hostports(void **state)
{
	static const char *const good[] = {
		"vpn.example.com:51820", "1.2.3.4:1",       "[2001:db8::1]:65535", "localhost:80",
		"a-b.c1.example:9",      "example.com.:53", "3com.example:1"};
	static const char *const bad[] = {"",
					  ":1",
					  "host",
					  "host:",
					  "host:0",
					  "host:65536",
					  "host:-1",
					  "host:080",
					  "2001:db8::1:1",
					  "[1.2.3.4]:1",
					  "[::1]",
					  "[::1:5",
					  "[]:1",
					  "-a.b:1",
					  "a-.b:1",
					  "a..b:1",
					  ".a:1",
					  "a b:1",
					  "a_b:1",
					  "1.2.3.4.5:1",
					  "999.1.1.1:1",
					  "host:1\n",
					  "h\xc3\xa9:1",
					  "a.b-:1"};
	char host[256], longest[400];
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_int_equal(hostport_check(good[i]), 0);
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_int_equal(hostport_check(bad[i]), -EINVAL);
	assert_int_equal(hostport_split("[2001:db8::1]:51820", host, &port), 0);
	assert_string_equal(host, "2001:db8::1");
	assert_int_equal(port, 51820);
	memset(longest, 'a', sizeof(longest));
	strcpy(longest + 64, ".b:1");
	assert_int_equal(hostport_check(longest), -EINVAL);
	strcpy(longest + 63, ".b:1");
	assert_int_equal(hostport_check(longest), 0);
	memset(longest, 'a', sizeof(longest));
	strcpy(longest + 390, ":1");
	assert_int_equal(hostport_check(longest), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_both_ways),
		cmocka_unit_test(text_is_read_strictly),
		cmocka_unit_test(networks),
		cmocka_unit_test(hostports),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
