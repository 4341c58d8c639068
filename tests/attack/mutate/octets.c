/* SPDX-License-Identifier: Apache-2.0 */
/* One block, doubled when full. */
#include "tests/attack/mutate/octets.h"

#include <stdlib.h>
#include <string.h>

static size_t room(struct octets *o, size_t len)
{
	if (len > OCTETS_MAX - o->len)
		len = OCTETS_MAX - o->len;
	if (o->len + len > o->cap) {
		size_t cap = o->cap ? o->cap : 512;

		while (cap < o->len + len)
			cap *= 2;
		o->p = realloc(o->p, cap);
		if (!o->p)
			abort();
		o->cap = cap;
	}
	return len;
}

void octets_add(struct octets *o, const void *p, size_t len)
{
	len = room(o, len);
	if (len)
		memcpy(o->p + o->len, p, len);
	o->len += len;
}

void octets_text(struct octets *o, const char *s)
{
	octets_add(o, s, strlen(s));
}

void octets_byte(struct octets *o, unsigned byte)
{
	uint8_t b = (uint8_t)byte;

	octets_add(o, &b, 1);
}

void octets_big_endian(struct octets *o, uint64_t n, unsigned n_bytes)
{
	while (n_bytes--)
		octets_byte(o, (unsigned)(n >> (8 * n_bytes)) & 0xff);
}

void octets_fill(struct octets *o, uint8_t byte, size_t len)
{
	len = room(o, len);
	if (len)
		memset(o->p + o->len, byte, len);
	o->len += len;
}

void octets_noise(struct octets *o, struct dice *d, size_t len)
{
	len = room(o, len);
	for (size_t i = 0; i < len; i++)
		o->p[o->len + i] = (uint8_t)dice_roll(d);
	o->len += len;
}

void octets_cut(struct octets *o, size_t at, size_t len)
{
	if (at > o->len)
		at = o->len;
	if (len > o->len - at)
		len = o->len - at;
	if (len == 0)
		return;
	memmove(o->p + at, o->p + at + len, o->len - at - len);
	o->len -= len;
}

void octets_insert(struct octets *o, size_t at, const void *p, size_t len)
{
	if (at > o->len)
		at = o->len;
	len = room(o, len);
	if (len == 0)
		return;
	memmove(o->p + at + len, o->p + at, o->len - at);
	memcpy(o->p + at, p, len);
	o->len += len;
}

void octets_shake(struct octets *o, struct dice *d)
{
	static const uint8_t odd[] = {0,   1,    0x7f, 0x80, 0xff, '"', '\\', '\r', '-', '/',
				      '%', '\n', '{',  '[',  ':',  ',', ' ',  '=',  ';', '.'};
	size_t at = dice_below(d, o->len), n = dice_below(d, 16) + 1;
	uint8_t piece[16];

	switch (dice_below(d, 6)) {
	case 0:
		if (o->len)
			o->p[at] ^= (uint8_t)(1u << dice_below(d, 8));
		break;
	case 1:
		if (o->len)
			o->p[at] = dice_pick(d, odd);
		break;
	case 2:
		octets_cut(o, at, o->len);
		break;
	case 3:
		octets_cut(o, at, n);
		break;
	case 4:
		for (size_t i = 0; i < n; i++)
			piece[i] = (uint8_t)dice_roll(d);
		octets_insert(o, at, piece, n);
		break;
	default:
		if (n > o->len - at)
			n = o->len - at;
		if (n)
			memcpy(piece, o->p + at, n);
		octets_insert(o, at, piece, n);
	}
}

void octets_swap(struct octets *a, struct octets *b)
{
	struct octets was = *a;

	*a = *b;
	*b = was;
}

void octets_done(struct octets *o)
{
	free(o->p);
	*o = (struct octets){0};
}
