/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Literals by hand, because an encoder would not write wrong ones; indices of
 * the dynamic table and Huffman codes by nghttp2, an encoder that is not ours.
 */
#include "tests/attack/mutate/hpackish.h"

#include <nghttp2/nghttp2.h>
#include <string.h>

#define MAX_PAIRS (ASKING_MAX_FIELDS + 4)

static void put_integer(struct octets *out, unsigned first, unsigned bits, uint64_t n)
{
	uint64_t top = (1u << bits) - 1;

	if (n < top) {
		octets_byte(out, first | (unsigned)n);
		return;
	}
	octets_byte(out, first | (unsigned)top);
	for (n -= top; n > 127; n >>= 7)
		octets_byte(out, (n & 127) | 128);
	octets_byte(out, (unsigned)n);
}

static void put_string(struct octets *out, const uint8_t *p, size_t len)
{
	put_integer(out, 0, 7, len);
	octets_add(out, p, len);
}

static void put_literal(struct octets *out, struct dice *d, const nghttp2_nv *nv)
{
	static const uint8_t forms[] = {0x00, 0x10, 0x40};

	octets_byte(out, dice_pick(d, forms));
	put_string(out, nv->name, nv->namelen);
	put_string(out, nv->value, nv->valuelen);
}

/* Codings that a decoder must refuse or survive. */
static void put_odd(struct octets *out, struct dice *d)
{
	static const unsigned wild[] = {0x80, 0x7f, 0x40, 0x0f, 0x3f, 0x1f, 0xff};
	size_t n;

	switch (dice_below(d, 11)) {
	case 0: /* an index there is none of */
		put_integer(out, 0x80, 7, dice_chance(d, 50) ? 0 : 62 + dice_below(d, 1000));
		break;
	case 1: /* integers that overflow, or never end */
		octets_byte(out, dice_pick(d, wild));
		octets_fill(out, dice_chance(d, 50) ? 0xff : 0x80, dice_below(d, 16) + 1);
		octets_byte(out, (unsigned)dice_below(d, 256));
		break;
	case 2: /* table sizes, allowed and not */
		put_integer(out, 0x20, 5,
			    dice_chance(d, 50) ? dice_below(d, 4097)
					       : dice_roll(d) >> dice_below(d, 60));
		break;
	case 3: /* Huffman that ends badly: padding of zeros, of more than seven bits, EOS */
		octets_text(out, dice_chance(d, 50) ? "\x10\x84" : "\x10\x01x\x84");
		octets_add(out, dice_chance(d, 50) ? "\xff\xff\xff\xff" : "\x1c\x64\x00\x00", 4);
		octets_add(out, "\x01x", 2);
		break;
	case 4: /* Huffman of noise */
		n = dice_below(d, 60);
		octets_add(out, "\x40\x01x", 3);
		put_integer(out, 0x80, 7, n);
		octets_noise(out, d, n);
		break;
	case 5: /* a string longer than the block */
		octets_add(out, "\x00\x01x", 3);
		put_integer(out, 0, 7, dice_roll(d) >> dice_below(d, 60));
		break;
	case 6: /* a large entry, and a byte for each copy of it */
		octets_add(out, "\x40\x01w", 3);
		put_integer(out, 0, 7, 3900);
		octets_fill(out, 'x', 3900);
		octets_fill(out, 0xbe, dice_below(d, 2) ? 20 : 3000);
		break;
	case 7: /* entries larger than the table: it becomes empty */
		octets_add(out, "\x40\x01v", 3);
		put_integer(out, 0, 7, 5000);
		octets_fill(out, 'y', 5000);
		octets_byte(out, 0xbe);
		break;
	case 8: /* any static entry, also a second :method */
		put_integer(out, 0x80, 7, 1 + dice_below(d, 61));
		break;
	case 9: /* a name by index, dynamic or none */
		put_integer(out, 0x40, 6, dice_below(d, 130));
		put_string(out, (const uint8_t *)"v", 1);
		break;
	default:
		octets_noise(out, d, dice_below(d, 30) + 1);
	}
}

static nghttp2_nv pair(const void *name, size_t name_len, const void *value, size_t value_len)
{
	return (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name,
			    .value = (uint8_t *)(uintptr_t)value,
			    .namelen = name_len,
			    .valuelen = value_len};
}

static size_t pairs_of(const struct asking *a, nghttp2_nv pairs[MAX_PAIRS])
{
	size_t n = 0;

	pairs[n++] = pair(":method", 7, a->verb, strlen(a->verb));
	pairs[n++] = pair(":scheme", 7, "http", 4);
	pairs[n++] = pair(":path", 5, a->path.p, a->path.len);
	pairs[n++] = pair(":authority", 10, a->authority.p, a->authority.len);
	for (size_t i = 0; i < a->n_fields; i++) {
		const struct asking_field *f = &a->fields[i];

		pairs[n++] =
			pair(a->text.p + f->name, f->name_len, a->text.p + f->value, f->value_len);
	}
	return n;
}

/* As a real client would: indexed and Huffman coded. One block, so a table of its own. */
static void put_deflated(struct octets *out, const nghttp2_nv *pairs, size_t n)
{
	nghttp2_hd_deflater *deflater;
	static uint8_t buf[1u << 18];
	ssize_t len;

	if (nghttp2_hd_deflate_new(&deflater, 4096) != 0)
		abort();
	len = nghttp2_hd_deflate_hd(deflater, buf, sizeof(buf), pairs, n);
	if (len > 0)
		octets_add(out, buf, (size_t)len);
	nghttp2_hd_deflate_del(deflater);
}

/* Fields in another order, pseudo ones among them. */
static void shuffle(nghttp2_nv *pairs, size_t n, struct dice *d)
{
	for (size_t i = 0; i < 3; i++) {
		size_t one = dice_below(d, n), other = dice_below(d, n);
		nghttp2_nv was = pairs[one];

		pairs[one] = pairs[other];
		pairs[other] = was;
	}
}

void hpackish_request(struct octets *out, struct dice *d, const struct asking *a, bool twist)
{
	nghttp2_nv pairs[MAX_PAIRS];
	size_t n = pairs_of(a, pairs), first = 0;

	if (twist && dice_chance(d, 20))
		shuffle(pairs, n, d);
	if (twist && dice_chance(d, 15))
		first = dice_below(d, 4); /* a pseudo field is missing */
	if (!twist && dice_chance(d, 40)) {
		put_deflated(out, pairs, n);
		return;
	}
	if (twist && dice_chance(d, 30))
		put_odd(out, d);
	for (size_t i = first; i < n; i++) {
		put_literal(out, d, &pairs[i]);
		if (twist && dice_chance(d, 5))
			put_odd(out, d);
	}
	if (twist && dice_chance(d, 50))
		put_odd(out, d);
	if (twist && dice_chance(d, 20))
		octets_shake(out, d);
}

void hpackish_trailers(struct octets *out, struct dice *d)
{
	if (dice_chance(d, 50)) {
		octets_add(out, "\x00\x01x\x01y", 5);
		return;
	}
	put_odd(out, d);
}
