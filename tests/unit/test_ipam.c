/* SPDX-License-Identifier: Apache-2.0 */
/* Addresses on a real store: fresh, wished, resting, exhausted. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/sign.h"
#include "server/cp/ipam.h"

static char dir[] = "/tmp/qmesh-test-ipam-XXXXXX";
static struct store *store;

struct step {
	struct tenant_row tenant;
	struct ipam_ask ask;
	uint32_t host;
	struct ipam_full full;
	struct cidr pool, wish;
};

static int insert(struct txn *txn, void *ctx)
{
	struct step *s = ctx;

	return tenant_row_insert(txn, &s->tenant);
}

static int take(struct txn *txn, void *ctx)
{
	struct step *s = ctx;
	struct tenant_row t;
	int r;

	r = tenant_row_bump(txn, &s->tenant.id, &t);
	if (!r)
		r = ipam_take(txn, &t, &s->ask, &s->host, &s->full);
	return r ? r : tenant_row_save(txn, &t, s->ask.now_ms);
}

static int give(struct txn *txn, void *ctx)
{
	struct step *s = ctx;

	return ipam_free(txn, &s->tenant, s->host, s->ask.now_ms);
}

static int pick(struct txn *txn, void *ctx)
{
	struct step *s = ctx;
	int r = ipam_pick_range(txn, &s->pool, &s->wish, &s->tenant.range4);

	return r ? r : tenant_row_insert(txn, &s->tenant);
}

static struct step new_tenant(void)
{
	static unsigned n;
	struct step s = {.tenant = {.id = uuid_make(),
				    .plan = 4,
				    .range4 = 0x0a400000,
				    .next_node = IPAM_NODE_FIRST,
				    .next_device = IPAM_DEVICE_FIRST},
			 .ask = {.kind = IPAM_DEVICE, .now_ms = 1000000}};

	snprintf(s.tenant.name, sizeof(s.tenant.name), "t%u", n++);
	ipam_pick_range6(s.tenant.range6);
	return s;
}

static struct step made_tenant(void)
{
	struct step s = new_tenant();

	assert_int_equal(store_write(store, insert, NULL, &s), 0);
	return s;
}

static uint32_t take_now(struct step *s)
{
	assert_int_equal(store_write(store, take, NULL, s), 0);
	return s->host;
}

static void kinds_have_their_own_numbers(void **state)
{
	struct step s = made_tenant();

	(void)state;
	assert_int_equal(take_now(&s), 4096);
	assert_int_equal(take_now(&s), 4097);
	s.ask.kind = IPAM_NODE;
	assert_int_equal(take_now(&s), 1);
	assert_int_equal(take_now(&s), 2);
}

static void wishes_are_kept_or_refused(void **state)
{
	struct step s = made_tenant();

	(void)state;
	s.ask.wished = 4097;
	assert_int_equal(take_now(&s), 4097);
	s.full.cause = IPAM_RESERVED;
	assert_int_equal(store_write(store, take, NULL, &s), ERR_ADDRESS_IN_USE);
	assert_int_equal(s.full.cause, IPAM_IN_USE);
	for (size_t i = 0; i < 4; i++) {
		s.ask.wished = (const uint32_t[]){1, 4095, 65535, 4094}[i];
		assert_int_equal(store_write(store, take, NULL, &s), ERR_ADDRESS_IN_USE);
		assert_int_equal(s.full.cause, IPAM_RESERVED);
	}
	s.ask.wished = 0;
	assert_int_equal(take_now(&s), 4096);
	assert_int_equal(take_now(&s), 4098);
}

static void freed_ones_rest_a_day(void **state)
{
	struct step s = made_tenant();

	(void)state;
	assert_int_equal(take_now(&s), 4096);
	assert_int_equal(store_write(store, give, NULL, &s), 0);
	s.ask.wished = 4096;
	s.ask.now_ms += IPAM_REST_MS - 1;
	assert_int_equal(store_write(store, take, NULL, &s), ERR_ADDRESS_IN_USE);
	assert_int_equal(s.full.cause, IPAM_RESTING);
	s.ask.now_ms++;
	assert_int_equal(take_now(&s), 4096);
}

static void exhaustion_then_the_longest_freed(void **state)
{
	struct step s = made_tenant();
	uint32_t first, second;

	(void)state;
	s.ask.kind = IPAM_NODE;
	for (uint32_t i = IPAM_NODE_FIRST; i <= IPAM_NODE_LAST; i++)
		assert_int_equal(take_now(&s), i);
	assert_int_equal(store_write(store, take, NULL, &s), ERR_POOL_EXHAUSTED);
	assert_int_equal(s.full.total, 4094);
	assert_int_equal(s.full.resting, 0);
	first = s.host = 700;
	assert_int_equal(store_write(store, give, NULL, &s), 0);
	second = s.host = 9;
	s.ask.now_ms += 1000;
	assert_int_equal(store_write(store, give, NULL, &s), 0);
	assert_int_equal(store_write(store, take, NULL, &s), ERR_POOL_EXHAUSTED);
	assert_int_equal(s.full.resting, 2);
	s.ask.now_ms += IPAM_REST_MS;
	assert_int_equal(take_now(&s), first);
	assert_int_equal(take_now(&s), second);
	assert_int_equal(store_write(store, take, NULL, &s), ERR_POOL_EXHAUSTED);
}

static void ranges_repeat_only_when_spent(void **state)
{
	bool used[4] = {0};
	struct step s;

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		s = new_tenant();
		s.pool = cidr_v4(0x0a800000, 14);
		assert_int_equal(store_write(store, pick, NULL, &s), 0);
		assert_int_equal(s.tenant.range4 & 0xfffcffff, 0x0a800000);
		assert_false(used[s.tenant.range4 >> 16 & 3]);
		used[s.tenant.range4 >> 16 & 3] = true;
	}
	s = new_tenant();
	s.pool = cidr_v4(0x0a800000, 14);
	assert_int_equal(store_write(store, pick, NULL, &s), 0);
	s = new_tenant();
	s.pool = cidr_v4(0x0a800000, 14);
	assert_int_equal(cidr_parse("10.129.0.0/16", &s.wish), 0);
	assert_int_equal(store_write(store, pick, NULL, &s), ERR_FIELD_INVALID);
	s.pool = cidr_v4(0x0a000000, 8);
	for (size_t i = 0; i < 4; i++) {
		static const char *const bad[] = {"10.5.0.0/17", "10.5.0.1/16", "11.0.0.0/16",
						  "fd00::/16"};

		assert_int_equal(cidr_parse(bad[i], &s.wish), 0);
		assert_int_equal(store_write(store, pick, NULL, &s), ERR_FIELD_INVALID);
	}
	assert_int_equal(cidr_parse("10.5.0.0/16", &s.wish), 0);
	assert_int_equal(store_write(store, pick, NULL, &s), 0);
	assert_int_equal(s.tenant.range4, 0x0a050000);
}

static void both_families_share_the_number(void **state)
{
	struct step s = new_tenant();
	uint8_t ip6[16];

	(void)state;
	ipam_address6(&s.tenant, s.tenant.range4 | 0x1234, ip6);
	assert_memory_equal(ip6, s.tenant.range6, 6);
	assert_int_equal(ip6[0], 0xfd);
	assert_int_equal(ip6[14], 0x12);
	assert_int_equal(ip6[15], 0x34);
	for (size_t i = 6; i < 14; i++)
		assert_int_equal(ip6[i], 0);
}

static int clear(void **state)
{
	char command[160];

	(void)state;
	store_close(store);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	return system(command);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(kinds_have_their_own_numbers),
		cmocka_unit_test(wishes_are_kept_or_refused),
		cmocka_unit_test(freed_ones_rest_a_day),
		cmocka_unit_test(exhaustion_then_the_longest_freed),
		cmocka_unit_test(ranges_repeat_only_when_spent),
		cmocka_unit_test(both_families_share_the_number),
	};
	char path[128];
	struct store_options options = {.path = path};

	if (sign_init() || !mkdtemp(dir))
		return 1;
	snprintf(path, sizeof(path), "%s/s.db", dir);
	if (store_open(&options, &store))
		return 1;
	return cmocka_run_group_tests_name("ipam", tests, NULL, clear);
}
