/* SPDX-License-Identifier: Apache-2.0 */
/* Strings that are none make a message that is none, wherever they stand in it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdbool.h>
#include <string.h>

#include "base/unpack.h"
#include "google/protobuf/any.pb-c.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"

static bool taken(const ProtobufCMessageDescriptor *desc, const void *p, size_t len)
{
	ProtobufCMessage *msg = unpack_message(desc, NULL, p, len);
	bool ok = msg != NULL;

	if (msg)
		protobuf_c_message_free_unpacked(msg, NULL);
	return ok;
}

static void test_strings(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		bool ok;
	} cases[] = {
		{"", 0, true},
		{"\x0a\x00", 2, true},
		{"\x0a\x02\xc3\xa9", 4, true},
		{"\x0a\x01\xff", 3, false},
		{"\x0a\x03"
		 "a\0b",
		 5, false},
		{"\x0a\x01\0", 3, false},
		{"\x0a\x03\xed\xa0\x80", 5, false},
		{"\x0a\x02\xc0\x80", 4, false},
		{"\x0a\x01\xff\x0a\x01x", 6, false}, /* the last one counts, the first one lies */
		{"\x0a\x02x", 3, false},
		{"\x00\x00", 2, false},
		{"\xfa\x01\x01\xff", 4, true}, /* a field that we do not know may be bytes */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool ok =
			taken(&pb__create_device_request__descriptor, cases[i].bytes, cases[i].len);

		if (ok != cases[i].ok)
			print_error("case %zu\n", i);
		assert_int_equal(ok, cases[i].ok);
	}
}

static void test_inside(void **state)
{
	/* devices[0].owner.id, and a map's key */
	static const char good[] = "\x0a\x05\x4a\x03\x0a\x01x",
			  bad[] = "\x0a\x05\x4a\x03\x0a\x01\xff";
	static const char key[] = "\x12\x03\x0a\x01\xff";

	(void)state;
	assert_true(taken(&pb__list_devices_response__descriptor, good, sizeof(good) - 1));
	assert_false(taken(&pb__list_devices_response__descriptor, bad, sizeof(bad) - 1));
	assert_false(taken(&pb__get_orbit_features_response__descriptor, key, sizeof(key) - 1));
}

/* Bytes may be anything. */
static void test_bytes(void **state)
{
	static const char value[] = "\x12\x03\xff\0\xff";

	(void)state;
	assert_true(taken(&google__protobuf__any__descriptor, value, sizeof(value) - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_strings),
		cmocka_unit_test(test_inside),
		cmocka_unit_test(test_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
