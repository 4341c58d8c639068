/* SPDX-License-Identifier: Apache-2.0 */
/* opened.c: found is what was kept under the same token and key, nothing else, and the oldest goes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "server/cp/opened.h"

static struct claims claims_of(uint8_t i, int64_t expires_at_s)
{
	struct claims c = {.issued_at_s = 1, .expires_at_s = expires_at_s};

	strcpy(c.aud, CLAIMS_AUD_AGENT);
	c.tenant_id.b[0] = i;
	c.node_id.b[15] = i;
	return c;
}

static void test_only_the_same(void **state)
{
	struct opened *o = opened_new();
	uint8_t public[SIGN_PUBLIC_LEN] = {1}, other[SIGN_PUBLIC_LEN] = {2}, mark[HASH_LEN];
	struct claims c = claims_of(7, 900), got = {0};

	(void)state;
	assert_non_null(o);
	assert_false(opened_find(o, "head.claims.signature", public, mark, &got));
	opened_keep(o, mark, &c);
	assert_true(opened_find(o, "head.claims.signature", public, mark, &got));
	assert_int_equal(got.node_id.b[15], 7);
	assert_int_equal(got.tenant_id.b[0], 7);
	assert_int_equal(got.expires_at_s, 900);
	assert_string_equal(got.aud, CLAIMS_AUD_AGENT);
	/* Another signature under the same claims, another key, a token that was cut off. */
	assert_false(opened_find(o, "head.claims.signaturf", public, mark, &got));
	assert_false(opened_find(o, "head.claims.signature", other, mark, &got));
	assert_false(opened_find(o, "head.claims.signatur", public, mark, &got));
	opened_free(o);
}

static void test_no_other_audience(void **state)
{
	struct opened *o = opened_new();
	uint8_t public[SIGN_PUBLIC_LEN] = {1}, mark[HASH_LEN];
	struct claims c = claims_of(7, 900), got;

	(void)state;
	assert_non_null(o);
	strcpy(c.aud, CLAIMS_AUD_CP);
	assert_false(opened_find(o, "token", public, mark, &got));
	opened_keep(o, mark, &c);
	assert_false(opened_find(o, "token", public, mark, &got));
	opened_free(o);
}

/* Many more than there is room for: each is found right after it was kept, and is itself. */
static void test_full(void **state)
{
	struct opened *o = opened_new();
	uint8_t public[SIGN_PUBLIC_LEN] = {1}, mark[HASH_LEN];
	unsigned n_found = 0;
	struct claims got;
	char token[32];

	(void)state;
	assert_non_null(o);
	for (unsigned i = 0; i < 100000; i++) {
		struct claims c = claims_of((uint8_t)i, 1000 + i);

		snprintf(token, sizeof(token), "token-%u", i);
		assert_false(opened_find(o, token, public, mark, &got));
		opened_keep(o, mark, &c);
		assert_true(opened_find(o, token, public, mark, &got));
		assert_int_equal(got.expires_at_s, 1000 + i);
	}
	for (unsigned i = 99000; i < 100000; i++) {
		snprintf(token, sizeof(token), "token-%u", i);
		if (opened_find(o, token, public, mark, &got)) {
			assert_int_equal(got.expires_at_s, 1000 + i);
			n_found++;
		}
	}
	/* Those that end soonest go first. */
	assert_true(n_found > 990);
	opened_free(o);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_only_the_same),
		cmocka_unit_test(test_no_other_audience),
		cmocka_unit_test(test_full),
	};

	if (sign_init())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
