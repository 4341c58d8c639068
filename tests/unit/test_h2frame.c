/* SPDX-License-Identifier: Apache-2.0 */
/* Frames, field counting and header blocks, against bytes from RFC 7541 and RFC 9113. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <string.h>

#include "server/rpc/h2frame.h"

static void head_there_and_back(void **state)
{
	const uint8_t bytes[9] = {0x01, 0x02, 0x03, H2_PING, H2_ACK, 0x80, 0x00, 0x01, 0x05};
	struct h2frame f;
	uint8_t out[9];

	(void)state;
	h2frame_read(bytes, &f);
	assert_int_equal(f.len, 0x010203);
	assert_int_equal(f.type, H2_PING);
	assert_int_equal(f.stream, 0x105); /* the reserved bit is ignored */
	h2frame_write(out, &f);
	assert_int_equal(out[5], 0);
	assert_memory_equal(out, bytes, 5);
}

static void payload_without_padding(void **state)
{
	const uint8_t payload[] = {2, 0, 0, 0, 0, 16, 'a', 'b', 0, 0};
	struct h2frame f = {
		.len = sizeof(payload), .type = H2_HEADERS, .flags = H2_PADDED | H2_HAS_PRIORITY};
	const uint8_t *p;
	size_t len;

	(void)state;
	assert_int_equal(h2frame_payload(&f, payload, &p, &len), 0);
	assert_int_equal(len, 2);
	assert_memory_equal(p, "ab", 2);
	f.type = H2_DATA; /* has no priority */
	assert_int_equal(h2frame_payload(&f, payload, &p, &len), 0);
	assert_int_equal(len, 7);
	f.len = 2;
	assert_int_equal(h2frame_payload(&f, payload, &p, &len), -EPROTO);
	f.len = 0;
	assert_int_equal(h2frame_payload(&f, payload, &p, &len), -EPROTO);
}

/* RFC 7541 C.3 (plain) and C.4 (Huffman): three requests on one connection. */
static void fields_of_the_rfc(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		unsigned n;
	} rows[] = {
		{"\x82\x86\x84\x41\x0fwww.example.com", 20, 4},
		{"\x82\x86\x84\xbe\x58\x08no-cache", 14, 5},
		{"\x82\x87\x85\xbf\x40\x0a"
		 "custom-key\x0c"
		 "custom-value",
		 29, 5},
		{"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff", 17, 4},
		{"\x3f\xe1\x1f\x82", 4, 1}, /* table size, then one field */
		{"\x20\x20\x20", 3, 0},     /* sizes are no fields */
		{"\x00\x01"
		 "a\x00\x10\x01"
		 "a\x00",
		 8, 2},                  /* empty values */
		{"\x0f\x10\x01x", 4, 1}, /* index over the prefix */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct h2fields whole = {0}, bytewise = {0};

		assert_int_equal(h2fields_add(&whole, (const uint8_t *)rows[i].bytes, rows[i].len),
				 0);
		assert_int_equal(whole.n, rows[i].n);
		for (size_t j = 0; j < rows[i].len; j++)
			assert_int_equal(
				h2fields_add(&bytewise, (const uint8_t *)rows[i].bytes + j, 1), 0);
		assert_memory_equal(&whole, &bytewise, sizeof(whole));
	}
}

static void integers_that_never_end(void **state)
{
	uint8_t bytes[16];
	struct h2fields s = {0};

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(h2fields_add(&s, bytes, sizeof(bytes)), -EPROTO);
}

static void blocks(void **state)
{
	uint8_t buf[400];
	struct h2block b = {.p = buf, .cap = sizeof(buf)};
	struct h2fields s = {0};
	char value[300];

	(void)state;
	memset(value, 'v', sizeof(value));
	h2block_table_size(&b, 0);
	h2block_status(&b, 200);
	h2block_status(&b, 421);
	h2block_add(&b, "content-type", "application/grpc", 16);
	h2block_add(&b, "x", value, sizeof(value));
	assert_false(b.failed);
	assert_memory_equal(buf,
			    "\x20\x88\x08\x03"
			    "421\x0f\x10\x10"
			    "application/grpc\x00\x01x\x7f\xad\x01vvv",
			    10 + 16 + 9);
	assert_int_equal(h2fields_add(&s, buf, b.len), 0);
	assert_int_equal(s.n, 4);
	h2block_add(&b, "y", value, sizeof(value));
	assert_true(b.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(head_there_and_back),
		cmocka_unit_test(payload_without_padding),
		cmocka_unit_test(fields_of_the_rfc),
		cmocka_unit_test(integers_that_never_end),
		cmocka_unit_test(blocks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
