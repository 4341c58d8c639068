/* SPDX-License-Identifier: Apache-2.0 */
/* endpoints.c: what counts as new, and that nodes which are gone are forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/node/endpoints.h"

static const struct uuid one = {{1}}, two = {{2}};

static bool is_new(struct endpoints *e, const struct uuid *id, const char *text, bool known)
{
	struct wg_endpoint at;
	bool is_new;

	endpoints_look(e, id, text, known, &at, &is_new);
	return is_new;
}

static void test_new(void **state)
{
	_cleanup_(endpoints_freep) struct endpoints *e = endpoints_new(NULL, NULL);

	(void)state;
	assert_non_null(e);
	assert_false(is_new(e, &one, "192.0.2.1:51820", true));
	assert_true(is_new(e, &two, "192.0.2.2:51820", false));
	endpoints_was_set(e, &two);
	assert_false(is_new(e, &two, "192.0.2.2:51820", false));
	assert_true(is_new(e, &two, "192.0.2.3:51820", false));
}

/* Who is looked at stays; who is not, is as one that was never heard of. */
static void test_sweep(void **state)
{
	_cleanup_(endpoints_freep) struct endpoints *e = endpoints_new(NULL, NULL);

	(void)state;
	assert_non_null(e);
	for (int i = 0; i < 3; i++) {
		assert_false(is_new(e, &one, "192.0.2.1:51820", i == 0));
		assert_int_equal(is_new(e, &two, "192.0.2.2:51820", false), i != 1);
		endpoints_was_set(e, &two);
		endpoints_sweep(e);
		if (i != 1)
			continue;
		assert_false(is_new(e, &one, "192.0.2.1:51820", false));
		endpoints_sweep(e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_new),
					   cmocka_unit_test(test_sweep)};

	return cmocka_run_group_tests_name("endpoints", tests, NULL, NULL);
}
