/* SPDX-License-Identifier: Apache-2.0 */
/*
 * applier.c over a back end in memory: lists that no sound Control Panel makes,
 * and an interface that refuses in the middle. One bad peer is named and never
 * holds up the others.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/sign.h"
#include "server/node/applier.h"
#include "tests/support/fakewg.h"

#define SELF 1

struct bench {
	struct node_conf conf;
	struct identity identity;
	struct replica replica;
	struct fakewg *fake;
	struct applier applier;
};

static struct uuid id_of(unsigned i)
{
	struct uuid id = {{0}};

	id.b[0] = 1;
	id.b[15] = (uint8_t)i;
	return id;
}

static struct key key_of(unsigned i)
{
	struct key k = {{0}};

	k.b[0] = (uint8_t)i;
	k.b[31] = 9;
	return k;
}

static void put_node_at(struct bench *b, unsigned i, const char *address, const char *endpoint)
{
	struct member m = {.id = id_of(i), .kind = MEMBER_NODE, .label = "l", .slug = "s"};
	struct cidr given;
	uint8_t *bytes;
	size_t len;

	m.ip4 = 0x0a400000u + i;
	if (address && cidr_parse(address, &given) == 0)
		m.ip4 = cidr_host4(&given);
	m.node.public_key = key_of(i);
	m.node.endpoint = (char *)endpoint;
	assert_int_equal(member_encode(&m, &bytes, &len), 0);
	assert_int_equal(members_put(b->replica.list, bytes, len), 0);
	free(bytes);
}

/* Node i, at 10.64.0.i unless another address is given. */
static void put_node(struct bench *b, unsigned i, const char *address)
{
	put_node_at(b, i, address, "");
}

static bool refuses_four(void *arg, const struct key *public_key)
{
	const struct key four = key_of(4);

	(void)arg;
	return key_equal(public_key, &four);
}

static int set_up(void **state)
{
	struct bench *b = calloc(1, sizeof(*b));
	struct tenantrec tenant = {.id = id_of(99), .name = "acme"};
	struct wg_options options = {.interface = "wg-fake", .state_dir = "/nowhere"};
	struct uuid self = id_of(SELF);
	uint8_t *bytes;
	size_t len;

	if (!b || sign_init() || replica_init(&b->replica, &self, &tenant.id))
		return -1;
	log_set_level(LOG_LEVEL_ERROR);
	tenant.range4 = cidr_v4(0x0a400000u, 16);
	assert_int_equal(tenantrec_encode(&tenant, &bytes, &len), 0);
	assert_int_equal(members_set_tenant(b->replica.list, bytes, len), 0);
	free(bytes);
	put_node(b, SELF, NULL);
	b->fake = fakewg_new("wg-fake");
	if (!b->fake)
		return -1;
	b->fake->is_there = true;
	/* As it is after its interface was raised: that part needs a host. */
	b->applier = (struct applier){.conf = &b->conf,
				      .identity = &b->identity,
				      .replica = &b->replica,
				      .endpoints = endpoints_new(NULL, NULL),
				      .is_up = true};
	if (!b->applier.endpoints || wg_new(&options, &fakewg_backend, &b->applier.wg))
		return -1;
	*state = b;
	return 0;
}

static int tear_down(void **state)
{
	struct bench *b = *state;

	applier_done(&b->applier);
	fakewg_free(b->fake);
	replica_done(&b->replica);
	free(b);
	return 0;
}

static int failure_of(const struct bench *b, unsigned i)
{
	const struct uuid id = id_of(i);
	const struct replica_failed *failed = replica_failure(&b->replica, &id);

	return failed ? failed->error : 0;
}

/* The address as WireGuard has it; 0: with nobody. */
static unsigned holder_of(const struct bench *b, const char *address)
{
	const struct fakewg_peer *p;
	struct cidr prefix;

	assert_int_equal(cidr_parse(address, &prefix), 0);
	p = fakewg_holder(b->fake, &prefix);
	return p ? p->is.public_key.b[0] : 0;
}

static void test_two_owners_of_one_address(void **state)
{
	struct bench *b = *state;

	put_node(b, 2, NULL);
	put_node(b, 3, "10.64.0.2");
	put_node(b, 4, NULL);
	assert_int_equal(applier_apply(&b->applier), 0);
	assert_int_equal(holder_of(b, "10.64.0.2/32"), 2);
	assert_int_equal(holder_of(b, "10.64.0.4/32"), 4);
	assert_int_equal(failure_of(b, 2), 0);
	assert_int_equal(failure_of(b, 3), EADDRINUSE);
	assert_int_equal(failure_of(b, 4), 0);
	assert_int_equal(b->replica.interface.n_failed, 1);
	assert_true(b->replica.interface.active);

	/* Nothing is done over and over, and it is not forgotten; the address is right: mended. */
	assert_int_equal(applier_apply(&b->applier), 0);
	assert_int_equal(applier_poll(&b->applier), 0);
	assert_int_equal(failure_of(b, 3), EADDRINUSE);
	assert_int_equal(b->fake->n_messages, 1);
	put_node(b, 3, "10.64.0.3");
	assert_int_equal(applier_apply(&b->applier), 0);
	assert_int_equal(holder_of(b, "10.64.0.3/32"), 3);
	assert_int_equal(b->replica.interface.n_failed, 0);
	assert_string_equal(b->fake->fault, "");
}

static void test_an_address_outside_the_range(void **state)
{
	struct bench *b = *state;

	put_node(b, 2, "192.0.2.7");
	put_node(b, 3, NULL);
	assert_int_equal(applier_apply(&b->applier), 0);
	assert_int_equal(holder_of(b, "192.0.2.7/32"), 0);
	assert_int_equal(holder_of(b, "10.64.0.3/32"), 3);
	assert_int_equal(failure_of(b, 2), ERANGE);
	assert_int_equal(applier_poll(&b->applier), 0);
	assert_int_equal(b->replica.interface.n_failed, 1);
	put_node(b, 2, NULL);
	assert_int_equal(applier_apply(&b->applier), 0);
	assert_int_equal(holder_of(b, "10.64.0.2/32"), 2);
	assert_int_equal(b->replica.interface.n_failed, 0);
}

static uint8_t endpoint_family(const struct bench *b, unsigned i)
{
	const struct key key = key_of(i);

	return fakewg_peer(b->fake, &key)->is.endpoint.family;
}

static void test_an_endpoint_inside_the_mesh(void **state)
{
	struct bench *b = *state;

	put_node_at(b, 2, NULL, "10.64.0.3:51820");
	put_node_at(b, 3, NULL, "192.0.2.3:51820");
	assert_int_equal(applier_apply(&b->applier), 0);
	assert_int_equal(holder_of(b, "10.64.0.2/32"), 2);
	assert_int_equal(endpoint_family(b, 2), 0);
	assert_int_equal(endpoint_family(b, 3), CIDR_V4);
	put_node_at(b, 2, NULL, "192.0.2.2:51820");
	assert_int_equal(applier_apply(&b->applier), 0);
	assert_int_equal(endpoint_family(b, 2), CIDR_V4);
}

static void test_a_refusal_in_the_middle(void **state)
{
	struct bench *b = *state;

	b->fake->refuses = refuses_four;
	for (unsigned i = 2; i <= 8; i++)
		put_node(b, i, NULL);
	assert_int_equal(applier_apply(&b->applier), 0);
	for (unsigned i = 2; i <= 8; i++)
		assert_int_equal(failure_of(b, i), i == 4 ? EADDRNOTAVAIL : 0);
	assert_int_equal(b->fake->n_peers, 6);
	assert_int_equal(holder_of(b, "10.64.0.8/32"), 8);

	/* It is taken by now: the next look at the interface puts it there. */
	b->fake->refuses = NULL;
	assert_int_equal(applier_poll(&b->applier), 0);
	assert_int_equal(holder_of(b, "10.64.0.4/32"), 4);
	assert_int_equal(b->replica.interface.n_failed, 0);
	assert_string_equal(b->fake->fault, "");
}

/* Nobody lists rules: no nft, then one that fails. */
static void test_rules_that_cannot_be_read(void **state)
{
	char dir[] = "/tmp/qmesh-applier.XXXXXX", interface[] = "wg-fake", nft[64], path[512];
	struct bench *b = *state;
	struct applier *a = &b->applier;
	FILE *f;

	assert_int_equal(applier_apply(a), 0);
	b->conf.firewall = NODE_FIREWALL_ON;
	b->conf.wg_interface = interface;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s", getenv("PATH"));
	setenv("PATH", dir, 1);
	assert_true(applier_look(a));
	assert_memory_equal(b->replica.interface.forwarding, "unknown: the rules of others", 28);
	/* Nothing new. */
	assert_false(applier_look(a));

	snprintf(nft, sizeof(nft), "%s/nft", dir);
	f = fopen(nft, "w");
	assert_non_null(f);
	fputs("#!/bin/sh\nexit 1\n", f);
	assert_int_equal(fclose(f), 0);
	assert_int_equal(chmod(nft, 0755), 0);
	(void)applier_look(a);
	assert_memory_equal(b->replica.interface.forwarding, "unknown: the rules of others", 28);
	assert_false(applier_look(a));
	/* What was found missing before goes on being told. */
	strcpy(a->forwarding, "no firewall table: nft refused it: see the log");
	assert_false(applier_look(a));
	assert_memory_equal(a->forwarding, "no firewall table", 17);

	setenv("PATH", path, 1);
	unlink(nft);
	rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_two_owners_of_one_address, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_an_address_outside_the_range, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_an_endpoint_inside_the_mesh, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_a_refusal_in_the_middle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_rules_that_cannot_be_read, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
