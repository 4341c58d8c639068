/* SPDX-License-Identifier: Apache-2.0 */
/*
 * firewall.c and foreign.c on the real nft, in a network namespace of the test's own: what a
 * node puts there, what is another node's beside it, and what others do meanwhile.
 */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/text.h"
#include "server/wg/firewall.h"
#include "server/wg/foreign.h"
#include "server/wg/nft.h"
#include "server/wg/spawn.h"

#define SKIPPED 77

static void nft(const char *commands)
{
	assert_int_equal(nft_batch(commands), 0);
}

static struct text list(const char *arguments)
{
	char *argv[] = {(char *)"nft", (char *)"-s", (char *)"list", (char *)arguments, NULL};
	struct text out = TEXT_INIT(65536);

	assert_int_equal(spawn_run(argv, NULL, &out), 0);
	text_adds(&out, "");
	return out;
}

static bool has(const char *words)
{
	struct text out = list("ruleset");
	bool found = out.s && strstr(out.s, words);

	text_done(&out);
	return found;
}

static struct firewall_rules rules_of(const char *interface, const char *range)
{
	struct firewall_rules rules = {.interface = interface};

	assert_int_equal(cidr_parse(range, &rules.range4), 0);
	return rules;
}

static struct foreign_wish wish_of(const char *interface, const char *range, bool integrate)
{
	struct foreign_wish wish = {
		.interface = interface, .wg_port = 51820, .integrate = integrate};

	assert_int_equal(cidr_parse(range, &wish.range4), 0);
	return wish;
}

static int empty(void **state)
{
	(void)state;
	nft("flush ruleset\n");
	return 0;
}

static void two_nodes_have_a_table_each(void **state)
{
	struct firewall_rules usual = rules_of("wg-quazzar0", "10.64.0.0/16");
	struct firewall_rules other = rules_of("wg-b", "10.65.0.0/16");
	struct foreign_wish wish = wish_of("wg-b", "10.65.0.0/16", false);
	struct foreign_look look;

	(void)state;
	assert_int_equal(firewall_apply(&usual), 0);
	assert_int_equal(foreign_look(&wish, &look), 0);
	assert_false(look.is_table_there);
	other.mesh_input_only = true;
	assert_int_equal(firewall_apply(&other), 0);
	assert_true(has("table inet qmesh {"));
	assert_true(has("table inet qmesh-wg-b {"));
	assert_true(has("10.64.0.0/16") && has("10.65.0.0/16"));
	assert_int_equal(foreign_look(&wish, &look), 0);
	assert_true(look.is_table_there);
	assert_string_equal(look.blocked, "");

	/* Neither end of one takes the other's. */
	assert_int_equal(foreign_clear("wg-c"), 0);
	assert_int_equal(firewall_remove("wg-b"), 0);
	assert_true(has("10.64.0.0/16") && !has("10.65.0.0/16"));
	assert_int_equal(firewall_apply(&other), 0);
	assert_int_equal(foreign_clear("wg-quazzar0"), 0);
	assert_true(!has("10.64.0.0/16") && has("10.65.0.0/16"));
	assert_int_equal(foreign_clear("wg-b"), 0);
	assert_false(has("qmesh"));
	assert_int_equal(firewall_remove("wg-b"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(two_nodes_have_a_table_each, empty),
	};

	log_set_level(LOG_LEVEL_ERROR);
	if (geteuid() != 0 || unshare(CLONE_NEWNET) || nft_batch("flush ruleset\n")) {
		puts("skipped: needs root, a network namespace and nft");
		return SKIPPED;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
