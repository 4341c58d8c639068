/* SPDX-License-Identifier: Apache-2.0 */
/* why.c: which reason goes before which, and that no words are cut off. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "server/peers/why.h"

#define NOW 1800000000000
#define MIN 60000
#define BLOCKED "blocked by chain FORWARD in table ip filter; what helps: nft insert rule …"
#define PORT "the port of WireGuard is blocked by chain INPUT in table ip filter"

#define HOME .now_ms = NOW, .active_key = 2, .home = "n1", .lease_s = 604800
#define SEEN(newest, seen, at)                                                                     \
	HOME, .endpoint = "n1.example:51820", .newest_key = (newest), .seen_key = (seen),          \
	      .handshake_ms = (at)
/* Connected, and nothing wrong. */
#define FINE SEEN(2, 2, NOW - MIN)

static void test_order(void **state)
{
	static const struct {
		const char *reason, *evidence;
		struct why_facts facts;
	} cases[] = {
		{"CONNECTED", "60 s ago", {FINE}},
		{"SUSPENDED", "account", {FINE, .suspended = true, .home_away = true}},
		{"NEEDS_NEW_CONFIG", "endpoint", {FINE, .needs_new_config = true}},
		{"NO_KEY", "no key", {.now_ms = NOW, .home = "n1"}},
		{"LEASE_OVER", "7 days", {FINE, .lease_over = true}},
		{"LEASE_OVER",
		 "7 days",
		 {FINE, .home_away = true, .home_lost_ms = NOW - 604801000}},
		{"HOME_NOT_CONNECTED",
		 "since 5 min ago",
		 {FINE, .home_away = true, .home_lost_ms = NOW - 5 * MIN}},
		{"HOME_NOT_CONNECTED", "Panel: the", {FINE, .home_away = true}},
		{"APPLY_FAILED",
		 "Cannot assign",
		 {FINE, .failed_errno = EADDRNOTAVAIL, .not_applied = "behind"}},
		{"NODE_NOT_APPLIED",
		 "n1 has not applied the device: behind.",
		 {FINE, .not_applied = "behind", .clock_off_ms = -WHY_CLOCK_MS - 1}},
		{"CLOCK_OFF", "3 h behind", {FINE, .clock_off_ms = -3 * 60 * MIN}},
		{"CLOCK_OFF", "61 s ahead of", {SEEN(2, 1, NOW - MIN), .clock_off_ms = 61000}},
		{"CONNECTED", "", {FINE, .clock_off_ms = WHY_CLOCK_MS}},
		{"OLD_KEY_IN_USE",
		 "version 1 of its key, 60 s ago, and never with version 2, which has taken",
		 {SEEN(2, 1, NOW - MIN), .cut_off = "n2"}},
		{"OLD_KEY_IN_USE",
		 "takes its place in 4 min",
		 {SEEN(3, 2, NOW - MIN), .pending_until_ms = NOW + 4 * MIN}},
		{"NEVER_A_PACKET", "ever seen at n1.example:51820.", {SEEN(2, 2, 0)}},
		{"NEVER_A_PACKET", "", {SEEN(2, 2, 0), .blocked = BLOCKED}},
		{"PORT_BLOCKED", PORT, {SEEN(2, 2, 0), .blocked = PORT}},
		{"NO_DIRECT_PATH", "n2 and n1", {FINE, .cut_off = "n2", .overlap = "the route …"}},
		{"ADDRESS_OVERLAP",
		 "there the route …",
		 {FINE, .overlap = "the route …", .blocked = BLOCKED}},
		{"FORWARDING_BLOCKED", BLOCKED, {FINE, .blocked = BLOCKED}},
		{"CONNECTED", "", {FINE, .blocked = PORT}},
		{"CONNECTED", "", {FINE, .blocked = WHY_BLOCK_UNKNOWN "not read"}},
		{"IDLE", "4 min ago", {SEEN(2, 2, NOW - 4 * MIN)}},
		{"CONNECTED", "", {SEEN(2, 2, NOW - 20 * MIN), .last_rx_ms = NOW - 1000}},
		{"OFFLINE", "20 min ago", {SEEN(2, 2, NOW - 20 * MIN), .cut_off = "n2"}},
	};
	struct why why;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		why_make(&cases[i].facts, &why);
		assert_string_equal(why.reason, cases[i].reason);
		if (!strstr(why.evidence, cases[i].evidence))
			fail_msg("%s: %s", why.reason, why.evidence);
		assert_true(why.next_step[0]);
		assert_int_equal(why.evidence[strlen(why.evidence) - 1], '.');
		assert_non_null(strchr(".?", why.next_step[strlen(why.next_step) - 1]));
	}
}

/* "Run that command" only where there is one. */
static void test_step_of_a_block(void **state)
{
	struct why_facts facts = {FINE, .blocked = BLOCKED};
	struct why why;

	(void)state;
	why_make(&facts, &why);
	assert_non_null(strstr(why.next_step, "Run that command"));
	facts.blocked = "blocked by chain drop in table ip odd; our accept is refused there";
	why_make(&facts, &why);
	assert_string_equal(why.reason, "FORWARDING_BLOCKED");
	assert_null(strstr(why.next_step, "command"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_step_of_a_block),
	};

	return cmocka_run_group_tests_name("why", tests, NULL, NULL);
}
