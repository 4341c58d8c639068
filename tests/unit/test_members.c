/* SPDX-License-Identifier: Apache-2.0 */
/* members.c, member.c and digest.c: records survive the wire, digests follow the set. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "server/peers/members.h"

static struct member device(uint8_t n)
{
	struct member m = {
		.kind = MEMBER_DEVICE,
		.label = "Ren\xc3\xa9"
			 "e",
		.slug = "renee",
		.ip4 = 0x0a401000u + n,
		.has_ip6 = true,
		.created_at_ms = 1700000000123,
	};

	m.id.b[15] = n;
	m.ip6[0] = 0xfd;
	m.device.type = MEMBER_DEVICE_IPHONE;
	m.device.owner_name = "anna";
	m.device.owner_id.b[3] = 4;
	m.device.home.b[0] = 7;
	m.device.active.public_key.b[0] = n;
	m.device.active.key_version = 3;
	m.device.active.psk_version = 2;
	m.device.pending.public_key.b[0] = n;
	m.device.pending.public_key.b[1] = 1;
	m.device.pending.key_version = 4;
	m.device.pending.psk_version = 2;
	m.device.pending.until_ms = 1700000600000;
	return m;
}

static void put(struct members *ms, const struct member *m)
{
	uint8_t *bytes;
	size_t len;

	assert_int_equal(member_encode(m, &bytes, &len), 0);
	assert_int_equal(members_put(ms, bytes, len), 0);
	free(bytes);
}

static void test_round_trip(void **state)
{
	struct members *ms = members_new();
	struct member m = device(1);
	const struct member *got;

	(void)state;
	put(ms, &m);
	got = members_get(ms, &m.id);
	assert_non_null(got);
	assert_string_equal(got->label, m.label);
	assert_string_equal(got->slug, "renee");
	assert_string_equal(got->device.owner_name, "anna");
	assert_int_equal(got->ip4, m.ip4);
	assert_memory_equal(got->ip6, m.ip6, 16);
	assert_int_equal(got->created_at_ms, m.created_at_ms);
	assert_int_equal(got->device.active.key_version, 3);
	assert_int_equal(got->device.pending.until_ms, m.device.pending.until_ms);
	assert_true(uuid_equal(&got->device.home, &m.device.home));
	assert_ptr_equal(member_newest_key(got), &got->device.pending);
	assert_ptr_equal(members_by_key(ms, &m.device.pending.public_key), got);
	members_free(ms);
}

static void test_refused(void **state)
{
	static const uint8_t garbage[] = {0xff, 0xff, 0xff};
	struct members *ms = members_new();
	struct member m = device(1);
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_int_equal(members_put(ms, garbage, sizeof(garbage)), -EBADMSG);
	assert_int_equal(members_put(ms, "", 0), -EBADMSG);
	assert_int_equal(members_apply(ms, garbage, sizeof(garbage), NULL), -EBADMSG);
	assert_int_equal(member_encode(&m, &bytes, &len), 0);
	for (size_t cut = 0; cut < len; cut++)
		if (members_put(ms, bytes, cut) == 0)
			members_remove(ms, &m.id);
	assert_int_equal(members_count(ms), 0);
	free(bytes);
	members_free(ms);
}

static void test_order_and_digest(void **state)
{
	static const uint8_t order[] = {9, 2, 5, 200, 1};
	struct members *ms = members_new(), *other = members_new();
	const struct digest zero = {{0}};
	uint8_t *list;
	size_t len;

	(void)state;
	for (size_t i = 0; i < sizeof(order); i++) {
		struct member m = device(order[i]);

		put(ms, &m);
		put(ms, &m);
	}
	assert_int_equal(members_count(ms), 5);
	assert_int_equal(members_devices(ms), 5);
	for (size_t i = 1; i < 5; i++)
		assert_true(members_at(ms, i - 1)->id.b[15] < members_at(ms, i)->id.b[15]);
	assert_int_equal(members_encode(ms, 0, 100, &list, &len), 0);
	assert_int_equal(members_apply(other, list, len, NULL), 0);
	assert_int_equal(members_apply(other, list, len, NULL), 0);
	assert_true(digest_equal(members_digest(ms), members_digest(other)));
	free(list);
	for (size_t i = 0; i < sizeof(order); i++) {
		struct uuid id = device(order[i]).id;

		assert_true(members_remove(ms, &id));
		assert_false(members_remove(ms, &id));
	}
	assert_true(digest_equal(members_digest(ms), &zero));
	members_free(ms);
	members_free(other);
}

static void test_tenant(void **state)
{
	struct tenantrec t = {.name = "acme", .plan = PLAN_PRO, .cap = 20, .lease_s = 604800};
	struct members *ms = members_new();
	uint8_t *bytes;
	size_t len;

	(void)state;
	t.range4 = cidr_v4(0x0a400000u, 16);
	strcpy(t.features[t.n_features++], "mesh_vpn");
	assert_int_equal(tenantrec_encode(&t, &bytes, &len), 0);
	assert_int_equal(members_set_tenant(ms, bytes, len), 0);
	assert_string_equal(members_tenant(ms)->name, "acme");
	assert_true(cidr_equal(&members_tenant(ms)->range4, &t.range4));
	assert_true(tenantrec_has(members_tenant(ms), "mesh_vpn"));
	assert_false(tenantrec_has(members_tenant(ms), "audit_log"));
	free(bytes);
	members_free(ms);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_order_and_digest),
		cmocka_unit_test(test_tenant),
	};

	return cmocka_run_group_tests_name("members", tests, NULL, NULL);
}
