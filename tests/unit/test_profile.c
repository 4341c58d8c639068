/* SPDX-License-Identifier: Apache-2.0 */
/* The config text, against a golden written from the grammar of the official apps. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/cp/profile.h"

static struct key private_key, node_key, psk;

static struct profile phone(void)
{
	struct profile p = {.private_key = &private_key,
			    .mtu = PROFILE_MTU_PHONE,
			    .endpoint = "vpn.example.org:51820",
			    .keepalive = true};

	memset(private_key.b, 1, KEY_LEN);
	memset(node_key.b, 2, KEY_LEN);
	memset(psk.b, 3, KEY_LEN);
	p.node_key = node_key;
	p.psk = psk;
	assert_int_equal(cidr_parse("10.77.16.5/32", &p.address4), 0);
	assert_int_equal(cidr_parse("fd12:3456:789a::1005/128", &p.address6), 0);
	assert_int_equal(cidr_parse("10.77.0.0/16", &p.range4), 0);
	assert_int_equal(cidr_parse("fd12:3456:789a::/48", &p.range6), 0);
	return p;
}

static void check(const struct profile *p, const char *want)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(PROFILE_MAX);

	assert_int_equal(profile_write(p, &out), 0);
	assert_string_equal(out.s, want);
}

static void phone_golden(void **state)
{
	struct profile p = phone();

	(void)state;
	check(&p, "[Interface]\n"
		  "PrivateKey = AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=\n"
		  "Address = 10.77.16.5/32, fd12:3456:789a::1005/128\n"
		  "MTU = 1280\n"
		  "\n"
		  "[Peer]\n"
		  "PublicKey = AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n"
		  "PresharedKey = AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n"
		  "AllowedIPs = 10.77.0.0/16, fd12:3456:789a::/48\n"
		  "Endpoint = vpn.example.org:51820\n"
		  "PersistentKeepalive = 25\n");
}

static void own_key_no_keepalive_with_dns(void **state)
{
	struct profile p = phone();

	(void)state;
	p.private_key = NULL;
	p.keepalive = false;
	p.mtu = PROFILE_MTU_OTHER;
	p.endpoint = "[2001:db8::1]:51820";
	assert_int_equal(cidr_parse("10.77.0.1", &p.dns), 0);
	check(&p, "[Interface]\n"
		  "Address = 10.77.16.5/32, fd12:3456:789a::1005/128\n"
		  "DNS = 10.77.0.1, quazzar.mesh\n"
		  "MTU = 1420\n"
		  "\n"
		  "[Peer]\n"
		  "PublicKey = AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI=\n"
		  "PresharedKey = AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=\n"
		  "AllowedIPs = 10.77.0.0/16, fd12:3456:789a::/48\n"
		  "Endpoint = [2001:db8::1]:51820\n");
}

static void no_room_is_no_text(void **state)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(100);
	struct profile p = phone();

	(void)state;
	assert_true(profile_write(&p, &out) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(phone_golden),
		cmocka_unit_test(own_key_no_keepalive_with_dns),
		cmocka_unit_test(no_room_is_no_text),
	};

	return cmocka_run_group_tests_name("profile", tests, NULL, NULL);
}
