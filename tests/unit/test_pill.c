/* SPDX-License-Identifier: Apache-2.0 */
/* pill.c: the state of a device at the edges of each rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "server/node/node.h"
#include "server/node/pill.h"
#include "server/node/poll.h"

#define NOW 1700000000000

static struct member device(void)
{
	struct member m = {.kind = MEMBER_DEVICE};

	m.device.active.key_version = 2;
	return m;
}

static enum pill at_age(int64_t age_ms, int64_t rx_age_ms)
{
	const struct member m = device();
	const struct pill_row row = {.key_version = 2,
				     .handshake_ms = NOW - age_ms,
				     .last_rx_ms = rx_age_ms < 0 ? 0 : NOW - rx_age_ms};
	const struct pill_view v = {.device = &m, .row = &row, .applied = true, .now_ms = NOW};

	return pill_of(&v);
}

static void test_age(void **state)
{
	(void)state;
	assert_int_equal(at_age(0, -1), PILL_CONNECTED);
	assert_int_equal(at_age(180000, -1), PILL_CONNECTED);
	assert_int_equal(at_age(180001, -1), PILL_IDLE);
	assert_int_equal(at_age(180001, 30000), PILL_CONNECTED);
	assert_int_equal(at_age(180001, 30001), PILL_IDLE);
	assert_int_equal(at_age(600000, -1), PILL_IDLE);
	assert_int_equal(at_age(600001, -1), PILL_OFFLINE);
	/* A clock that jumped back makes the stamp lie in the future: it is still fresh. */
	assert_int_equal(at_age(-5000, -1), PILL_CONNECTED);
}

static void test_precedence(void **state)
{
	struct member m = device();
	struct pill_row row = {.key_version = 2, .handshake_ms = NOW};
	struct pill_view v = {.device = &m, .row = &row, .applied = true, .now_ms = NOW};

	(void)state;
	row.key_version = 1;
	assert_int_equal(pill_of(&v), PILL_WAITING);
	m.device.pending.key_version = 1;
	assert_int_equal(pill_of(&v), PILL_CONNECTED);
	v.row = NULL;
	assert_int_equal(pill_of(&v), PILL_WAITING);
	v.applied = false;
	assert_int_equal(pill_of(&v), PILL_NOT_APPLIED);
	v.home_down = true;
	assert_int_equal(pill_of(&v), PILL_UNKNOWN);
	m.suspended = true;
	assert_int_equal(pill_of(&v), PILL_SUSPENDED);
}

static void test_table(void **state)
{
	struct pill_table t = {0};

	(void)state;
	for (unsigned i = 0; i < 500; i++) {
		struct uuid id = {{(uint8_t)(i * 37 % 500 >> 8), (uint8_t)(i * 37 % 500)}};
		struct pill_row *row = pill_put(&t, &id);

		assert_non_null(row);
		row->rx_bytes = i;
		assert_ptr_equal(pill_put(&t, &id), row);
	}
	assert_int_equal(t.n, 500);
	for (size_t i = 1; i < t.n; i++)
		assert_true(memcmp(&t.rows[i - 1].device_id, &t.rows[i].device_id, 16) < 0);
	for (unsigned i = 0; i < 500; i++) {
		struct uuid id = {{(uint8_t)(i * 37 % 500 >> 8), (uint8_t)(i * 37 % 500)}};

		assert_int_equal(pill_get(&t, &id)->rx_bytes, i);
		pill_remove(&t, &id);
		assert_null(pill_get(&t, &id));
	}
	assert_int_equal(t.n, 0);
	pill_table_done(&t);
}

static bool is_unreached(struct node *n, const struct view *view, const struct wg_list *running,
			 int64_t wall_ms)
{
	const struct uuid *id = &view->peers[0].id;
	struct poll_result result;

	clock_fake(1, 1000, wall_ms, "");
	poll_read(n, view, running, &result);
	return pill_is_unreached(pill_get(&n->replica.pills, id), wall_ms);
}

/* Another node is told as out of reach once there was time for a handshake, and not before. */
static void test_a_node_that_is_new(void **state)
{
	const struct uuid self = {{1}}, tenant = {{2}};
	struct member far = {.id = {{3}}, .kind = MEMBER_NODE, .label = "far", .slug = "far"};
	struct view_peer peer = {.id = far.id, .kind = VIEW_NODE, .public_key = {{4}}};
	const struct view view = {.peers = &peer, .n_peers = 1};
	struct wg_list running = {.n_peers = 0};
	struct node *n = calloc(1, sizeof(*n));
	struct wg_peer *run;
	uint8_t *bytes;
	size_t len;

	(void)state;
	assert_non_null(n);
	assert_int_equal(replica_init(&n->replica, &self, &tenant), 0);
	far.node.public_key = peer.public_key;
	assert_int_equal(member_encode(&far, &bytes, &len), 0);
	assert_int_equal(members_put(n->replica.list, bytes, len), 0);
	free(bytes);
	run = wglist_add_peer(&running, &peer.public_key);
	assert_non_null(run);

	assert_false(is_unreached(n, &view, &running, NOW));
	assert_false(is_unreached(n, &view, &running, NOW + PILL_FIRST_SHAKE_MS));
	assert_true(is_unreached(n, &view, &running, NOW + PILL_FIRST_SHAKE_MS + 1));
	run->handshake_ms = NOW + 20000;
	assert_false(is_unreached(n, &view, &running, NOW + 20000));
	assert_false(is_unreached(n, &view, &running, NOW + 20000 + PILL_CONNECTED_MS));
	assert_true(is_unreached(n, &view, &running, NOW + 20001 + PILL_CONNECTED_MS));

	clock_fake(0, 0, 0, NULL);
	wglist_done(&running);
	replica_done(&n->replica);
	free(n);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_age),
		cmocka_unit_test(test_precedence),
		cmocka_unit_test(test_table),
		cmocka_unit_test(test_a_node_that_is_new),
	};

	return cmocka_run_group_tests_name("pill", tests, NULL, NULL);
}
