/* SPDX-License-Identifier: Apache-2.0 */
/* What `qmesh limits` tells of plans and provisioning is what a daemon without a file does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/limits.h"
#include "server/cp/cp_conf.h"

static void the_presets_are_the_table(void **state)
{
	char *argv[] = {(char[]){"qmesh-cpd"}, NULL};
	struct conf_table table = cp_conf_table;
	struct cp_conf conf = {0};
	int exit_code, rest[4];
	size_t n_rest;

	(void)state;
	table.file = NULL;
	assert_int_equal(conf_load(&table, &conf, 1, argv, &exit_code, rest, &n_rest), 0);
	assert_int_equal(conf.caps.free, LIMIT_CAP_FREE);
	assert_int_equal(conf.caps.pro, LIMIT_CAP_PRO);
	assert_int_equal(conf.caps.team, LIMIT_CAP_TEAM);
	assert_int_equal(conf.provision_limit, LIMIT_PROVISION_LIMIT);
	assert_int_equal(conf.provision_period_ms, LIMIT_PROVISION_PERIOD);
	conf_done(&table, &conf);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_presets_are_the_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
