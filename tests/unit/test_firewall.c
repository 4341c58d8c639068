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
	char reason[FIREWALL_REASON_LEN];

	(void)state;
	firewall_find_block("", "wg-quazzar0", reason);
	assert_string_equal(reason, "");
	firewall_find_block(docker, "wg-quazzar0", reason);
	assert_string_equal(reason, "blocked by chain FORWARD in table ip filter");
	firewall_find_block(allowed, "wg-quazzar0", reason);
	assert_string_equal(reason, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_block),
	};

	return cmocka_run_group_tests_name("firewall", tests, NULL, NULL);
}
