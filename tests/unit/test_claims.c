/* SPDX-License-Identifier: Apache-2.0 */
/* claims.c: what was written is read back; anything else is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/peers/claims.h"

static void test_round_trip(void **state)
{
	struct claims c = {
		.role = ROLE_ADMIN, .issued_at_s = 1700000000, .expires_at_s = 1700028800};
	struct claims got;
	char *text;

	(void)state;
	c.node_id = uuid_make();
	c.user_id = uuid_make();
	c.session_id = uuid_make();
	c.tenant_id = uuid_make();
	claims_aud_node(&c.node_id, c.aud);
	strcpy(c.name, "an\"na\\<>");
	text = claims_session_text(&c);
	assert_non_null(text);
	assert_int_equal(claims_parse(text, &got), 0);
	assert_string_equal(got.aud, c.aud);
	assert_string_equal(got.name, c.name);
	assert_true(uuid_equal(&got.session_id, &c.session_id));
	assert_true(uuid_equal(&got.user_id, &c.user_id));
	assert_int_equal(got.role, ROLE_ADMIN);
	assert_int_equal(got.expires_at_s, c.expires_at_s);
	free(text);
	text = claims_agent_text(&c);
	assert_int_equal(claims_parse(text, &got), 0);
	assert_true(uuid_equal(&got.node_id, &c.node_id));
	free(text);
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"{}",
		"[]",
		"{\"aud\":}",
		"{\"aud\":\"a\"",
		"{\"aud\":\"a\"}x",
		"{\"aud\":-1}",
		"{\"tid\":\"nope\"}",
		"{\"aud\" :\"a\"}",
		"{\"aud\":{}}",
		"{\"exp\":99999999999999999999}",
		"{\"aud\":\"a\\u0041\"}",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct claims c;

		assert_int_not_equal(claims_parse(bad[i], &c), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests_name("claims", tests, NULL, NULL);
}
