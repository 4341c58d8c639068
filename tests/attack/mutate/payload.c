/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Wrong protobuf by its wire format, wrong JSON by its grammar, wrong gzip by
 * RFC 1952, wrong envelopes by their heads.
 */
#include "tests/attack/mutate/payload.h"

#include <string.h>
#include <zlib.h>

#include "base/text.h"

#define BOMB_LEN (8u << 20)

static const char *const bad_utf8[] = {
	"\xff", "\xc0\xaf", "\xed\xa0\x80", "\xf8\x88\x80\x80\x80", "\xe2\x82", "\xf4\x90\x80\x80",
	"\x80", "a\xc3",    "\xef\xbf\xbf", "\xf0\x9f\x98",         "\xc3\x28"};

/* --- protobuf --- */

static void put_varint(struct octets *out, uint64_t n)
{
	for (; n > 127; n >>= 7)
		octets_byte(out, (n & 127) | 128);
	octets_byte(out, (unsigned)n);
}

static void put_tag(struct octets *out, unsigned field, unsigned type)
{
	put_varint(out, (uint64_t)field << 3 | type);
}

static void put_nested(struct octets *out, struct dice *d)
{
	static const size_t depths[] = {10, 50, 100, 101, 1000, 5000};
	size_t depth = dice_pick(d, depths);
	unsigned field = (unsigned)dice_below(d, 20) + 1;
	struct octets inner = {0}, next = {0};

	for (size_t i = 0; i < depth && inner.len < 20000; i++) {
		next.len = 0;
		put_tag(&next, field, 2);
		put_varint(&next, inner.len);
		octets_add(&next, inner.p, inner.len);
		octets_swap(&inner, &next);
	}
	octets_add(out, inner.p, inner.len);
	octets_done(&inner);
	octets_done(&next);
}

/* A field that no sender would write. */
static void put_odd_field(struct octets *out, struct dice *d)
{
	unsigned field = (unsigned)dice_below(d, 20) + 1;
	const char *bad;

	switch (dice_below(d, 10)) {
	case 0: /* a varint of eleven bytes and more */
		put_tag(out, field, 0);
		octets_fill(out, 0xff, dice_below(d, 12) + 4);
		octets_byte(out, 1);
		break;
	case 1: /* a length past the end, past 32 and 64 bits */
		put_tag(out, field, 2);
		put_varint(out, dice_roll(d) >> dice_below(d, 60));
		octets_noise(out, d, dice_below(d, 20));
		break;
	case 2:
		bad = dice_pick(d, bad_utf8);
		put_tag(out, field, 2);
		put_varint(out, strlen(bad));
		octets_text(out, bad);
		break;
	case 3: /* groups, open and closed, and types there are none of */
		put_tag(out, field, 3 + (unsigned)dice_below(d, 5));
		break;
	case 4: /* field 0, and the largest */
		put_tag(out, dice_chance(d, 50) ? 0 : 0x1fffffff, (unsigned)dice_below(d, 6));
		octets_noise(out, d, 4);
		break;
	case 5:
		put_nested(out, d);
		break;
	case 6: /* many of one kind */
		for (size_t i = dice_below(d, 3000); i; i--) {
			put_tag(out, field, 2);
			octets_byte(out, 0);
		}
		break;
	case 7: /* an over-long tag */
		octets_byte(out, (field & 15) << 3 | 128);
		octets_fill(out, 0x80, dice_below(d, 10));
		octets_byte(out, 0);
		octets_byte(out, 1);
		break;
	case 8: /* a packed list that ends inside a number */
		put_tag(out, field, 2);
		put_varint(out, 3);
		octets_add(out, "\x01\xff\xff", 3);
		break;
	default: /* text with a NUL, and long text */
		put_tag(out, field, 2);
		put_varint(out, 300);
		octets_fill(out, dice_chance(d, 50) ? 0 : 'x', 300);
	}
}

static void make_message(struct octets *out, struct dice *d, const struct seed *seed, bool twist)
{
	size_t start = out->len;
	struct octets shaken = {0};

	octets_add(out, seed->message, seed->message_len);
	if (!twist)
		return;
	for (size_t i = dice_below(d, 3); i; i--)
		put_odd_field(out, d);
	if (dice_chance(d, 30)) { /* what came last stands first */
		octets_add(&shaken, out->p + start, out->len - start);
		out->len = start;
		put_odd_field(out, d);
		octets_add(out, shaken.p, shaken.len);
		shaken.len = 0;
	}
	if (dice_chance(d, 50)) {
		octets_add(&shaken, out->p + start, out->len - start);
		out->len = start;
		for (size_t i = dice_below(d, 4) + 1; i; i--)
			octets_shake(&shaken, d);
		octets_add(out, shaken.p, shaken.len);
	}
	octets_done(&shaken);
}

/* --- JSON --- */

static void put_odd_member(struct octets *out, struct dice *d)
{
	static const char *const odd[] = {"\"label\":\"\\ud800\"",
					  "\"label\":\"\\u0000\"",
					  "\"label\":1e999",
					  "\"label\":-0",
					  "\"page_size\":18446744073709551616",
					  "\"page_size\":1.5",
					  "\"page_size\":\"1\"",
					  "\"page_size\":-1",
					  "\"page_size\":1e2",
					  "\"page_size\":0x10",
					  "\"page_size\":NaN",
					  "\"page_size\":01",
					  "\"id\":null",
					  "\"id\":\"\x01\"",
					  "\"id\":'x'",
					  "\"id\":\"\\x\"",
					  "\"\":\"\"",
					  "\"wait_ms\":[{}]",
					  "\"label\":\"a\",\"label\":\"b\"",
					  "\"@type\":\"type.googleapis.com/google.protobuf.Any\"",
					  "\"id\":true,",
					  ",",
					  "\"n\":5,\"ms\":\"NaN\"",
					  "/* x */",
					  "\"data\":\"A===\"",
					  "\"data\":\"_-\"",
					  "\"update_mask\":\"a.b.,c\""};

	octets_text(out, dice_pick(d, odd));
}

static void put_deep(struct octets *out, struct dice *d)
{
	static const size_t depths[] = {10, 31, 33, 64, 1000, 30000};
	size_t depth = dice_pick(d, depths);
	bool list = dice_chance(d, 50), closed = dice_chance(d, 70);

	for (size_t i = 0; i < depth; i++)
		octets_text(out, list ? "[" : "{\"a\":");
	if (!list)
		octets_text(out, "1");
	for (size_t i = 0; closed && i < depth; i++)
		octets_byte(out, list ? ']' : '}');
}

static void make_json(struct octets *out, struct dice *d, const struct seed *seed, bool twist)
{
	struct octets o = {0};

	octets_text(&o, seed->json);
	for (size_t i = twist ? dice_below(d, 3) + 1 : 0; i; i--) {
		const char *bad = dice_pick(d, bad_utf8);

		switch (dice_below(d, 7)) {
		case 0:
			octets_insert(&o, dice_below(d, o.len), bad, strlen(bad));
			break;
		case 1:
			o.len = 0;
			put_deep(&o, d);
			break;
		case 2:
			o.len = 0;
			octets_byte(&o, '{');
			put_odd_member(&o, d);
			octets_text(&o, dice_chance(d, 90) ? "}" : "");
			break;
		case 3: /* another member in front */
			if (o.len > 2 && o.p[0] == '{') {
				struct octets member = {0};

				put_odd_member(&member, d);
				octets_byte(&member, ',');
				octets_insert(&o, 1, member.p, member.len);
				octets_done(&member);
			}
			break;
		case 4:
			octets_insert(&o, 0, "\xef\xbb\xbf", 3);
			break;
		case 5:
			octets_text(&o, dice_chance(d, 50) ? "{}" : " \t\r\n\f");
			break;
		default:
			octets_shake(&o, d);
		}
	}
	octets_add(out, o.p, o.len);
	octets_done(&o);
}

/* --- gzip --- */

static void deflate_all(struct octets *out, const void *p, size_t len, int window_bits)
{
	z_stream z = {.next_in = (Bytef *)(uintptr_t)p, .avail_in = (uInt)len};
	uint8_t piece[4096];
	int r = Z_OK;

	if (deflateInit2(&z, 1, Z_DEFLATED, window_bits, 8, Z_DEFAULT_STRATEGY) != Z_OK)
		return;
	while (r == Z_OK) {
		z.next_out = piece;
		z.avail_out = sizeof(piece);
		r = deflate(&z, Z_FINISH);
		octets_add(out, piece, sizeof(piece) - z.avail_out);
	}
	deflateEnd(&z);
}

/* Made once: zeros, and gzip of that gzip. */
static const struct octets *bomb(bool twice)
{
	static const uint8_t zeros[BOMB_LEN];
	static struct octets once, again;

	if (once.len == 0) {
		deflate_all(&once, zeros, sizeof(zeros), 31);
		deflate_all(&again, once.p, once.len, 31);
	}
	return twice ? &again : &once;
}

static void put_bomb(struct octets *out, struct dice *d)
{
	const struct octets *from = bomb(dice_chance(d, 20));

	octets_add(out, from->p, from->len / (1 + dice_below(d, 3)));
}

static void make_gzip(struct octets *out, struct dice *d, const struct octets *in, bool twist)
{
	struct octets o = {0};
	bool bombs = twist && dice_chance(d, 20);

	if (bombs)
		put_bomb(&o, d);
	else if (twist && dice_chance(d, 10))
		deflate_all(&o, in->p, in->len, dice_chance(d, 50) ? 15 : -15); /* zlib, raw */
	else
		deflate_all(&o, in->p, in->len, 31);
	if (twist && dice_chance(d, 60)) {
		switch (dice_below(d, 5)) {
		case 0: /* flags of the head: extra, name, comment, checksum */
			if (o.len > 3)
				o.p[3] = (uint8_t)dice_roll(d);
			break;
		case 1: /* checksum, length */
			if (o.len > 8)
				o.p[o.len - 1 - dice_below(d, 8)] ^= 1;
			break;
		case 2: /* cut off */
			octets_cut(&o, dice_below(d, o.len), o.len);
			break;
		case 3: /* a second member */
			deflate_all(&o, in->p, in->len, 31);
			break;
		default:
			octets_shake(&o, d);
		}
	}
	octets_add(out, o.p, o.len);
	octets_done(&o);
}

/* --- envelopes --- */

void payload_base64(struct octets *out, struct dice *d, const struct octets *in, bool twist)
{
	char *text = malloc(TEXT_BASE64_LEN(in->len) + 1);
	struct octets o = {0};

	if (!text)
		abort();
	if (twist && dice_chance(d, 30))
		text_base64url(in->p, in->len, text);
	else
		text_base64(in->p, in->len, text);
	octets_text(&o, text);
	free(text);
	for (size_t i = twist ? dice_below(d, 3) : 0; i; i--) {
		static const char *const odd[] = {"=",  "==", "====", "\n", " ",
						  "-_", "*",  "\xff", "A",  "AA=A"};
		const char *piece = dice_pick(d, odd);

		if (dice_chance(d, 70))
			octets_insert(&o, dice_below(d, o.len + 1), piece, strlen(piece));
		else
			octets_shake(&o, d);
	}
	octets_add(out, o.p, o.len);
	octets_done(&o);
}

static void make_envelope(struct octets *out, struct dice *d, const struct octets *body,
			  const struct payload_wish *wish)
{
	unsigned flag = wish->gzip ? 1 : 0;
	uint64_t len = body->len;

	if (wish->twist && dice_chance(d, 15))
		flag = (unsigned)dice_below(d, 256);
	if (wish->twist && dice_chance(d, 20)) {
		const uint64_t lens[] = {0,          1,           len + 1,     len - 1,
					 0xffffffff, 0x7fffffff,  len + 65536, 0x00400001,
					 0x01000000, dice_roll(d)};

		len = dice_pick(d, lens);
	}
	octets_byte(out, flag);
	octets_big_endian(out, len & 0xffffffff, 4);
	octets_add(out, body->p, body->len);
}

/* What ends a stream of Connect or gRPC-Web, though only servers send it. */
static void put_end(struct octets *out, struct dice *d)
{
	static const char *const ends[] = {"{}", "{\"error\":{\"code\":\"x\"}}",
					   "grpc-status:0\r\n", "", "{\"metadata\":{\"a\":[1]}}"};
	const char *end = dice_pick(d, ends);

	octets_byte(out, dice_chance(d, 50) ? 2 : 0x80);
	octets_big_endian(out, strlen(end), 4);
	octets_text(out, end);
}

static void put_message(struct octets *out, struct dice *d, const struct seed *seed,
			const struct payload_wish *wish)
{
	struct octets message = {0}, zipped = {0};
	bool wrong = wish->twist && dice_chance(d, 60);

	if (wish->json)
		make_json(&message, d, seed, wrong);
	else
		make_message(&message, d, seed, wrong);
	if (wish->gzip) {
		make_gzip(&zipped, d, &message, wish->twist && dice_chance(d, 60));
		octets_swap(&message, &zipped);
	}
	if (wish->enveloped)
		make_envelope(out, d, &message, wish);
	else
		octets_add(out, message.p, message.len);
	octets_done(&message);
	octets_done(&zipped);
}

void payload_make(struct octets *out, struct dice *d, const struct seed *seed,
		  const struct payload_wish *wish)
{
	size_t n = wish->many ? dice_below(d, 4) + 1 : 1;
	struct octets all = {0};

	if (wish->twist && wish->enveloped && dice_chance(d, 8))
		n = dice_below(d, 4); /* none, or too many */
	while (n--)
		put_message(&all, d, seed, wish);
	if (wish->twist && wish->enveloped && dice_chance(d, 5))
		put_end(&all, d);
	if (wish->twist && dice_chance(d, 10))
		octets_cut(&all, dice_below(d, all.len), all.len);
	if (wish->text)
		payload_base64(out, d, &all, wish->twist && dice_chance(d, 60));
	else
		octets_add(out, all.p, all.len);
	octets_done(&all);
}
