/* SPDX-License-Identifier: Apache-2.0 */
/* uapi.c: answers of a userspace WireGuard, good and broken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/wg/uapi.h"

#define HEX_A "00000000000000000000000000000000000000000000000000000000000000aa"
#define HEX_B "00000000000000000000000000000000000000000000000000000000000000bb"

static void test_answer(void **state)
{
	static const char *const lines[] = {
		"private_key=" HEX_A,
		"listen_port=51820",
		"public_key=" HEX_A,
		"preshared_key=" HEX_B,
		"protocol_version=1",
		"endpoint=[2001:db8::1]:51820",
		"last_handshake_time_sec=1700000000",
		"last_handshake_time_nsec=250000000",
		"tx_bytes=18446744073709551615",
		"rx_bytes=7",
		"persistent_keepalive_interval=25",
		"allowed_ip=10.64.0.1/32",
		"allowed_ip=fd00::1/128",
		"public_key=" HEX_B,
		"something_new=1",
	};
	struct wg_list l = {0};
	char text[WG_ENDPOINT_TEXT_LEN];

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_int_equal(uapi_parse_line(&l, lines[i]), 0);
	assert_int_equal(l.listen_port, 51820);
	assert_int_equal(l.n_peers, 2);
	assert_int_equal(l.n_prefixes, 2);
	assert_int_equal(l.peers[0].n_prefixes, 2);
	assert_int_equal(l.peers[0].handshake_ms, 1700000000250);
	assert_int_equal(l.peers[0].keepalive_s, 25);
	assert_int_equal(l.peers[0].tx_bytes, UINT64_MAX);
	assert_int_equal(l.peers[0].psk.b[31], 0xbb);
	assert_string_equal(wg_endpoint_text(&l.peers[0].endpoint, text), "[2001:db8::1]:51820");
	assert_int_equal(l.peers[1].n_prefixes, 0);
	wglist_sort(&l);
	assert_int_equal(wglist_find(&l, &l.peers[1].public_key)->public_key.b[31], 0xbb);
	wglist_done(&l);
}

static void test_broken(void **state)
{
	static const char *const lines[] = {
		"",
		"no equals sign",
		"public_key=",
		"public_key=zz",
		"public_key=" HEX_A "0",
		"listen_port=65536",
		"listen_port=-1",
		"a_name_that_is_longer_than_any_that_the_protocol_has=1",
	};
	static const char *const of_peer[] = {
		"allowed_ip=10.0.0.0/33",
		"allowed_ip=",
		"preshared_key=1",
		"persistent_keepalive_interval=65536",
		"last_handshake_time_nsec=1000000000",
		"rx_bytes=18446744073709551616",
	};
	struct wg_list l = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		assert_true(uapi_parse_line(&l, lines[i]) < 0);
	assert_int_equal(uapi_parse_line(&l, "public_key=" HEX_A), 0);
	for (size_t i = 0; i < sizeof(of_peer) / sizeof(of_peer[0]); i++)
		assert_true(uapi_parse_line(&l, of_peer[i]) < 0);
	/* A scoped address is none that we would set: unknown, no error. */
	assert_int_equal(uapi_parse_line(&l, "endpoint=[fe80::1%eth0]:5"), 0);
	assert_int_equal(l.peers[0].endpoint.family, 0);
	wglist_done(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answer),
		cmocka_unit_test(test_broken),
	};

	return cmocka_run_group_tests_name("uapi", tests, NULL, NULL);
}
