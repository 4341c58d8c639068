/* SPDX-License-Identifier: Apache-2.0 */
/* Names and addresses of a zone: found, not found, twice there, only one family. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "server/dns/zone.h"

static struct cidr at(const char *s)
{
	struct cidr c;

	assert_int_equal(cidr_parse(s, &c), 0);
	return c;
}

static struct zone *make(void)
{
	const struct zone_head head = {.serial = 7,
				       .self = "n1",
				       .range4 = at("10.77.0.0/16"),
				       .range6 = at("fd00:77::/48")};
	const struct zone_host hosts[] = {
		{.name = "phone", .ip4 = at("10.77.0.9"), .ip6 = at("fd00:77::9")},
		{.name = "n1", .ip4 = at("10.77.0.1"), .ip6 = at("fd00:77::1")},
		{.name = "old", .ip4 = at("10.77.3.4")},
		{.name = "phone", .ip4 = at("10.77.0.200")},
	};

	return zone_new(&head, hosts, ARRAY_LEN(hosts));
}

static void finds_names(void **state)
{
	_cleanup_(zone_freep) struct zone *z = make();
	const struct zone_host *h;

	(void)state;
	assert_non_null(z);
	h = zone_by_name(z, "phone");
	assert_non_null(h);
	assert_int_equal(cidr_host4(&h->ip4), 0x0a4d0009);
	assert_string_equal(zone_by_name(z, "old")->name, "old");
	assert_null(zone_by_name(z, "phon"));
	assert_null(zone_by_name(z, "phones"));
	assert_null(zone_by_name(z, ""));
	assert_string_equal(zone_head(z)->self, "n1");
	assert_int_equal(zone_head(z)->serial, 7);
}

static void finds_addresses(void **state)
{
	_cleanup_(zone_freep) struct zone *z = make();
	struct cidr c;

	(void)state;
	c = at("10.77.0.9");
	assert_string_equal(zone_within(z, &c)->name, "phone");
	c = at("10.77.0.200");
	assert_null(zone_within(z, &c)); /* the second of two with one name is not there */
	c = at("10.77.3.0/24");
	assert_string_equal(zone_within(z, &c)->name, "old");
	c = at("10.77.4.0/24");
	assert_null(zone_within(z, &c));
	c = at("10.77.0.0/16");
	assert_string_equal(zone_within(z, &c)->name, "n1");
	c = at("fd00:77::9");
	assert_string_equal(zone_within(z, &c)->name, "phone");
	c = at("fd00:77::a");
	assert_null(zone_within(z, &c));
}

static void knows_its_own(void **state)
{
	_cleanup_(zone_freep) struct zone *z = make();
	const char *const in[] = {"10.77.0.1", "10.77.255.255", "fd00:77::1234"};
	const char *const out[] = {"10.78.0.1", "192.0.2.1", "fd00:78::1", "::1", "127.0.0.1"};
	struct cidr c;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(in); i++) {
		c = at(in[i]);
		assert_true(zone_is_mesh(z, &c));
	}
	for (size_t i = 0; i < ARRAY_LEN(out); i++) {
		c = at(out[i]);
		assert_false(zone_is_mesh(z, &c));
	}
}

static void is_empty(void **state)
{
	const struct zone_head head = {.self = "n1"};
	_cleanup_(zone_freep) struct zone *z = zone_new(&head, NULL, 0);
	struct cidr c = at("10.77.0.1");

	(void)state;
	assert_non_null(z);
	assert_null(zone_by_name(z, "n1"));
	assert_null(zone_within(z, &c));
	assert_false(zone_is_mesh(z, &c));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_names),
		cmocka_unit_test(finds_addresses),
		cmocka_unit_test(knows_its_own),
		cmocka_unit_test(is_empty),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
