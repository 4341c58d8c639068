/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of messages: what is compressed, what never is, and how far it is inflated. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <zlib.h>

#include "quazzar/mesh/v1/mesh.pb-c.h"
#include "server/rpc/packing.h"

enum { LONG = 20000 };

static struct frame *pack(const ProtobufCMessage *msg, bool gzip)
{
	struct frame *f = NULL;

	assert_int_equal(packing_frame(msg, gzip, &f), 0);
	assert_int_equal(f->bytes[1] << 24 | f->bytes[2] << 16 | f->bytes[3] << 8 | f->bytes[4],
			 f->len - FRAME_HEAD_LEN);
	return f;
}

/* By zlib itself: gzip's own head and tail, and all of it. */
static size_t inflate_by_zlib(const struct frame *f, uint8_t *ret, size_t cap)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)f->bytes + FRAME_HEAD_LEN,
		      .avail_in = (unsigned)(f->len - FRAME_HEAD_LEN),
		      .next_out = ret,
		      .avail_out = (unsigned)cap};

	assert_int_equal(inflateInit2(&z, 16 + MAX_WBITS), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
	return z.total_out;
}

static void compressed_where_it_pays(void **state)
{
	Pb__UpdateDeviceRequest m = PB__UPDATE_DEVICE_REQUEST__INIT;
	char text[LONG + 1];
	uint8_t plain[LONG + 100];
	struct frame *zipped, *flat;
	size_t len;

	(void)state;
	memset(text, 'a', LONG);
	text[LONG] = '\0';
	m.id = text;
	zipped = pack(&m.base, true);
	flat = pack(&m.base, false);
	assert_int_equal(flat->bytes[0], 0);
	assert_int_equal(zipped->bytes[0], PACKING_ZIPPED);
	assert_in_range(zipped->len, 1, flat->len / 10);
	len = inflate_by_zlib(zipped, plain, sizeof(plain));
	assert_int_equal(len, flat->len - FRAME_HEAD_LEN);
	assert_memory_equal(plain, flat->bytes + FRAME_HEAD_LEN, len);
	frame_unref(zipped);
	frame_unref(flat);
	/* Short ones fit a packet anyway. */
	text[100] = '\0';
	zipped = pack(&m.base, true);
	assert_int_equal(zipped->bytes[0], 0);
	frame_unref(zipped);
	/* What would get longer stays as it is: every byte value, never the same pair twice. */
	for (unsigned i = 0, x = 1; i < LONG; i++) {
		x = x * 1103515245 + 12345;
		text[i] = (char)(1 + (x >> 16) % 127);
	}
	m.id = text;
	text[2000] = '\0';
	zipped = pack(&m.base, true);
	flat = pack(&m.base, false);
	assert_in_range(zipped->len, 1, flat->len);
	frame_unref(zipped);
	frame_unref(flat);
}

static void secrets_are_not_compressed(void **state)
{
	Pb__CreateDeviceResponse m = PB__CREATE_DEVICE_RESPONSE__INIT;
	char text[LONG + 1];
	struct frame *f;

	(void)state;
	memset(text, 'a', LONG);
	text[LONG] = '\0';
	m.qr_svg = text;
	f = pack(&m.base, true);
	assert_int_equal(f->bytes[0], 0);
	assert_true(f->secret);
	assert_in_range(f->len, LONG, 2 * LONG);
	frame_unref(f);
}

static size_t gzip(const void *p, size_t len, uint8_t *ret, size_t cap)
{
	z_stream z = {.next_in = (uint8_t *)(uintptr_t)p,
		      .avail_in = (unsigned)len,
		      .next_out = ret,
		      .avail_out = (unsigned)cap};

	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY),
			 Z_OK);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	deflateEnd(&z);
	return z.total_out;
}

static int inflate_up_to(const void *p, size_t len, size_t max, size_t *ret_len)
{
	_cleanup_(text_done) struct text room = TEXT_INIT(max);
	int r = packing_inflate(p, len, &room);

	*ret_len = room.len;
	return r;
}

static void inflated_up_to_the_limit(void **state)
{
	static uint8_t zeros[1 << 20];
	uint8_t zipped[4096];
	size_t len = gzip(zeros, 5000, zipped, sizeof(zipped)), got;

	(void)state;
	assert_int_equal(inflate_up_to(zipped, len, 5000, &got), 0);
	assert_int_equal(got, 5000);
	assert_int_equal(inflate_up_to(zipped, len, 4999, &got), ERR_MESSAGE_TOO_LARGE);
	assert_in_range(got, 0, 4999);
	assert_int_equal(inflate_up_to(zipped, len - 1, 5000, &got), ERR_MESSAGE_INVALID);
	assert_int_equal(inflate_up_to("no gzip", 7, 5000, &got), ERR_MESSAGE_INVALID);
	/* Marked as compressed, and nothing there: nothing it stays. */
	assert_int_equal(inflate_up_to(zipped, 0, 5000, &got), 0);
	assert_int_equal(got, 0);
	len = gzip(zeros, sizeof(zeros), zipped, sizeof(zipped));
	assert_int_equal(inflate_up_to(zipped, len, 5000, &got), ERR_MESSAGE_TOO_LARGE);
	zipped[len - 6] ^= 1; /* of the checksum */
	assert_int_equal(inflate_up_to(zipped, len, 2 << 20, &got), ERR_MESSAGE_INVALID);
}

static void lists_of_encodings(void **state)
{
	static const char *const with[] = {"gzip",         "identity,gzip", "identity, GZIP",
					   "gzip,deflate", " ,, gzip",      "br;q=1, gzip;q=0.5",
					   "x\t,\tgzip",   "gzip ; q=1",    "gzip; Q=0.001",
					   "gzip,br;q=0"};
	static const char *const without[] = {"",
					      "identity",
					      "gzipx",
					      "xgzip",
					      "x-gzip",
					      "deflate;gzip",
					      "gzi p",
					      "gzip;q=0",
					      "gzip ; q=0.000",
					      "br, gzip;\tQ=0, x"};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(with); i++)
		assert_true(packing_lists_gzip(with[i]));
	for (size_t i = 0; i < ARRAY_LEN(without); i++)
		assert_false(packing_lists_gzip(without[i]));
	assert_false(packing_lists_gzip(NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(compressed_where_it_pays),
		cmocka_unit_test(secrets_are_not_compressed),
		cmocka_unit_test(inflated_up_to_the_limit),
		cmocka_unit_test(lists_of_encodings),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
