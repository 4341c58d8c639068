/* SPDX-License-Identifier: Apache-2.0 */
/* The product's numbers, and the constraint behind the check. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "server/cp/cp_conf.h"
#include "server/cp/plan.h"

static struct cp_conf defaults(void)
{
	char *argv[] = {(char *)"qmesh-cpd", (char *)"--config", (char *)"/dev/null", NULL};
	struct cp_conf conf = {0};
	int exit_code, rest[4];
	size_t n_rest;

	assert_int_equal(conf_load(&cp_conf_table, &conf, 3, argv, &exit_code, rest, &n_rest), 0);
	return conf;
}

static void the_products_numbers(void **state)
{
	struct cp_conf conf = defaults();
	struct window_rule rule = cp_conf_window(&conf);
	struct cidr pool;

	(void)state;
	assert_int_equal(plan_cap(&conf.caps, PLAN_FREE), 3);
	assert_int_equal(plan_cap(&conf.caps, PLAN_PRO), 20);
	assert_int_equal(plan_cap(&conf.caps, PLAN_TEAM), 100);
	assert_int_equal(plan_cap(&conf.caps, PLAN_ENTERPRISE), 0);
	assert_int_equal(rule.limit, 5);
	assert_int_equal(rule.period_ms, 60000);
	assert_int_equal(conf.session_ms, 8 * 3600 * 1000);
	assert_int_equal(conf.join_token_ms, 24 * 3600 * 1000);
	assert_int_equal(conf.agent_token_ms, 15 * 60 * 1000);
	assert_int_equal(conf.overlap_ms, 10 * 60 * 1000);
	assert_int_equal(cp_conf_check(&conf, &pool), 0);
	assert_int_equal(cidr_host4(&pool), 0x0a400000);
	assert_int_equal(pool.bits, 10);
	conf_done(&cp_conf_table, &conf);
}

static void admits_up_to_the_cap(void **state)
{
	struct tenant_row t = {.cap = 3, .devices = 2};

	(void)state;
	assert_int_equal(plan_admit(&t), 0);
	t.devices = 3;
	assert_int_equal(plan_admit(&t), ERR_DEVICE_CAP_REACHED);
	t.devices = 50; /* after a change to a smaller plan */
	assert_int_equal(plan_admit(&t), ERR_DEVICE_CAP_REACHED);
	t.cap = 0;
	t.devices = 60000;
	assert_int_equal(plan_admit(&t), 0);
}

static void features_start_at_their_plan(void **state)
{
	(void)state;
	assert_int_equal(plans_from("mesh_vpn"), PLAN_FREE);
	assert_int_equal(plans_from("peer_stats"), PLAN_PRO);
	assert_int_equal(plans_from("audit_log"), PLAN_TEAM);
	assert_int_equal(plans_from("saml_provisioning"), PLAN_ENTERPRISE);
	assert_int_equal(plans_from("nonsense"), 0);
	assert_string_equal(plans_name(PLAN_TEAM), "Team");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_products_numbers),
		cmocka_unit_test(admits_up_to_the_cap),
		cmocka_unit_test(features_start_at_their_plan),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
