/* SPDX-License-Identifier: Apache-2.0 */
/* firewall.c: which foreign chain is named as the one that blocks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/wg/firewall.h"

static const char docker[] = "table ip filter {\n"
			     "\tchain DOCKER {\n\t}\n\n"
			     "\tchain FORWARD {\n"
			     "\t\ttype filter hook forward priority filter; policy drop;\n"
			     "\t\tcounter packets 0 bytes 0 jump DOCKER-USER\n"
			     "\t}\n}\n";

static const char allowed[] = "table inet fw {\n"
			      "\tchain fwd {\n"
			      "\t\ttype filter hook forward priority 0; policy drop;\n"
			      "\t\tiifname \"wg-quazzar0\" oifname \"wg-quazzar0\" accept\n"
			      "\t}\n}\n";

static void test_block(void **state)
{
	struct firewall_look look;

	(void)state;
	firewall_read("", "wg-quazzar0", &look);
	assert_string_equal(look.blocked, "");
	assert_false(look.is_ours_there);
	firewall_read(docker, "wg-quazzar0", &look);
	assert_string_equal(look.blocked, "blocked by chain FORWARD in table ip filter");
	assert_string_equal(look.helps, "nft insert rule ip filter FORWARD iifname wg-quazzar0 "
					"oifname wg-quazzar0 accept");
	firewall_read(allowed, "wg-quazzar0", &look);
	assert_string_equal(look.blocked, "");
	firewall_read("table inet qmesh {\n\tchain forward {\n\t}\n}\n", "wg-quazzar0", &look);
	assert_true(look.is_ours_there);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block),
	};

	return cmocka_run_group_tests_name("firewall", tests, NULL, NULL);
}
