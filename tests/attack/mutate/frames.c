/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of frames is made right, then changed: what a frame says of itself,
 * which frames there are, in which order. Layers are changed one or two at a
 * time, so that most of a case still passes what stands before.
 */
#include "tests/attack/mutate/frames.h"

#include <string.h>

#include "server/rpc/h2frame.h"
#include "tests/attack/mutate/hpackish.h"

#define MAX_FRAMES 512

enum {
	TWIST_NOTHING,
	TWIST_HEAD = 1,
	TWIST_CODING = 2,
	TWIST_BODY = 4,
	TWIST_FRAMES = 8,
	TWIST_ORDER = 16,
	TWIST_BYTES = 32
};

struct atom {
	struct h2frame f;
	long lie; /* added to the length it claims */
	struct octets payload;
};

struct list {
	struct atom atoms[MAX_FRAMES];
	size_t n;
	uint32_t next_id;
};

static struct atom *atom_add(struct list *l, unsigned type, unsigned flags, uint32_t stream)
{
	struct atom *a = &l->atoms[l->n == MAX_FRAMES ? l->n - 1 : l->n++];

	octets_done(&a->payload);
	*a = (struct atom){.f = {.type = (uint8_t)type, .flags = (uint8_t)flags, .stream = stream}};
	return a;
}

/* --- right ones --- */

static void add_block(struct list *l, struct dice *d, const struct octets *block, unsigned flags)
{
	size_t cut = dice_chance(d, 10) ? dice_below(d, block->len) : block->len, pad = 0;
	struct atom *a;

	if (cut > 16384)
		cut = 16384;
	if (dice_chance(d, 5)) {
		flags |= H2_PADDED;
		pad = dice_below(d, 20);
	}
	if (dice_chance(d, 10))
		flags |= H2_HAS_PRIORITY;
	a = atom_add(l, H2_HEADERS, flags | (cut == block->len ? H2_END_HEADERS : 0), l->next_id);
	if (flags & H2_PADDED)
		octets_byte(&a->payload, (unsigned)pad);
	if (flags & H2_HAS_PRIORITY)
		octets_big_endian(&a->payload, dice_chance(d, 80) ? 15 : dice_roll(d), 5);
	octets_add(&a->payload, block->p, cut);
	octets_fill(&a->payload, 0, pad);
	while (cut < block->len) {
		size_t n = dice_below(d, block->len - cut) + 1;

		if (n > 16384)
			n = 16384;
		a = atom_add(l, H2_CONTINUATION, cut + n == block->len ? H2_END_HEADERS : 0,
			     l->next_id);
		octets_add(&a->payload, block->p + cut, n);
		cut += n;
	}
}

static void add_request(struct list *l, struct dice *d, const struct seeds *seeds, unsigned twists)
{
	_cleanup_(asking_done) struct asking a = {0};
	struct octets block = {0};
	struct atom *atom;
	size_t at = 0;

	asking_make(&a, d, seeds, twists & TWIST_HEAD, twists & TWIST_BODY);
	hpackish_request(&block, d, &a, twists & TWIST_CODING);
	if (a.body.len == 0 && dice_chance(d, 80)) {
		add_block(l, d, &block, H2_END_STREAM);
	} else {
		add_block(l, d, &block, 0);
		if (a.body.len > 100000)
			a.body.len = 100000;
		do {
			size_t n = dice_chance(d, 70) ? a.body.len - at
						      : dice_below(d, a.body.len - at);

			if (n > 16384)
				n = 16384;
			atom = atom_add(l, H2_DATA, 0, l->next_id);
			octets_add(&atom->payload, a.body.p + at, n);
			at += n;
		} while (at < a.body.len);
		if (dice_chance(d, 95))
			atom->f.flags |= H2_END_STREAM;
		else
			hpackish_trailers(
				&atom_add(l, H2_HEADERS, H2_END_HEADERS | H2_END_STREAM, l->next_id)
					 ->payload,
				d);
	}
	octets_done(&block);
	l->next_id += 2;
}

/* --- others between them --- */

static uint32_t any_stream(const struct list *l, struct dice *d)
{
	static const uint32_t odd[] = {0, 2, 1, 0x7fffffff, 0x80000001, 101};

	return dice_chance(d, 70) ? 1 + 2 * (uint32_t)dice_below(d, l->next_id / 2 + 1)
				  : dice_pick(d, odd);
}

static void put_setting(struct octets *out, struct dice *d)
{
	static const uint32_t values[] = {0,     1,     100,        4096,       16383,
					  16384, 65535, 0x7fffffff, 0x80000000, 0xffffffff};

	octets_big_endian(out, dice_below(d, 9), 2);
	octets_big_endian(out, dice_pick(d, values), 4);
}

static void add_control(struct list *l, struct dice *d)
{
	static const uint32_t steps[] = {1,          100, 65535,      1u << 20,
					 0x7fffffff, 0,   0x80000000, 0xffffffff};
	uint32_t stream = any_stream(l, d);
	struct octets *p;

	switch (dice_below(d, 11)) {
	case 0:
		p = &atom_add(l, H2_RST_STREAM, 0, stream)->payload;
		octets_big_endian(p, dice_below(d, 20), 4);
		break;
	case 1:
		p = &atom_add(l, H2_WINDOW_UPDATE, 0, dice_chance(d, 50) ? 0 : stream)->payload;
		octets_big_endian(p, dice_pick(d, steps), 4);
		break;
	case 2:
		p = &atom_add(l, H2_SETTINGS, dice_chance(d, 90) ? 0 : H2_ACK,
			      dice_chance(d, 95) ? 0 : stream)
			     ->payload;
		for (size_t i = dice_below(d, 4); i; i--)
			put_setting(p, d);
		break;
	case 3:
		p = &atom_add(l, H2_PING, (unsigned)dice_below(d, 2),
			      dice_chance(d, 95) ? 0 : stream)
			     ->payload;
		octets_noise(p, d, dice_chance(d, 90) ? 8 : dice_below(d, 17));
		break;
	case 4:
		p = &atom_add(l, H2_PRIORITY, 0, stream)->payload;
		octets_big_endian(p, dice_chance(d, 50) ? stream : dice_roll(d) & 0xff, 4);
		octets_byte(p, (unsigned)dice_below(d, 256));
		break;
	case 5:
		p = &atom_add(l, H2_GOAWAY, 0, 0)->payload;
		octets_big_endian(p, dice_below(d, 10), 4);
		octets_big_endian(p, dice_below(d, 14), 4);
		octets_noise(p, d, dice_below(d, 30));
		break;
	case 6:
		p = &atom_add(l, H2_PUSH_PROMISE, H2_END_HEADERS, stream)->payload;
		octets_big_endian(p, 2, 4);
		octets_add(p, "\x82\x86\x84", 3);
		break;
	case 7:
		p = &atom_add(l, H2_CONTINUATION, (unsigned)dice_below(d, 2) * H2_END_HEADERS,
			      stream)
			     ->payload;
		octets_fill(p, 0x82, dice_below(d, 5));
		break;
	case 8:
		p = &atom_add(l, H2_DATA, (unsigned)dice_below(d, 16), stream)->payload;
		octets_noise(p, d, dice_below(d, 40));
		break;
	case 9:
		p = &atom_add(l, H2_HEADERS, H2_END_HEADERS | (unsigned)dice_below(d, 2), stream)
			     ->payload;
		hpackish_trailers(p, d);
		break;
	default:
		p = &atom_add(l, (unsigned)dice_below(d, 256), (unsigned)dice_below(d, 256), stream)
			     ->payload;
		octets_noise(p, d, dice_below(d, 40));
	}
}

static void swap_atoms(struct list *l, size_t one, size_t other)
{
	struct atom was = l->atoms[one];

	l->atoms[one] = l->atoms[other];
	l->atoms[other] = was;
}

/* The atom added last moves to where chance wants it. */
static void settle_last(struct list *l, struct dice *d)
{
	for (size_t at = dice_below(d, l->n), i = l->n - 1; i > at; i--)
		swap_atoms(l, i, i - 1);
}

/* --- wrong ones --- */

static void twist_frame(struct list *l, struct dice *d)
{
	static const long lies[] = {1, -1, 5, -5, 100, 16384, 65536, 0xffffff, -1000};
	struct atom *a = &l->atoms[dice_below(d, l->n)];

	switch (dice_below(d, 8)) {
	case 0:
		a->lie = dice_pick(d, lies);
		break;
	case 1:
		a->f.flags ^= (uint8_t)(1u << dice_below(d, 8));
		break;
	case 2:
		a->f.stream = any_stream(l, d);
		break;
	case 3:
		a->f.type = (uint8_t)dice_below(d, 12);
		break;
	case 4: /* padding that does not fit */
		a->f.flags |= H2_PADDED;
		if (a->payload.len)
			a->payload.p[0] = (uint8_t)dice_roll(d);
		break;
	case 5:
		octets_cut(&a->payload, dice_below(d, a->payload.len), a->payload.len);
		break;
	case 6:
		octets_fill(&a->payload, 0, dice_chance(d, 90) ? dice_below(d, 300) : 17000);
		break;
	default:
		octets_shake(&a->payload, d);
	}
}

static void twist_order(struct list *l, struct dice *d)
{
	size_t one = dice_below(d, l->n), n;
	const struct atom *from;
	struct atom *copy;

	switch (dice_below(d, 4)) {
	case 0:
		swap_atoms(l, one, dice_below(d, l->n));
		break;
	case 1: /* twice, or often */
		for (n = dice_chance(d, 90) ? 1 : dice_below(d, 150); n && l->n < MAX_FRAMES; n--) {
			copy = atom_add(l, 0, 0, 0);
			from = &l->atoms[one];
			copy->f = from->f;
			octets_add(&copy->payload, from->payload.p, from->payload.len);
		}
		if (dice_chance(d, 70))
			settle_last(l, d);
		break;
	case 2: /* left out */
		if (l->n > 1) {
			l->n--;
			swap_atoms(l, one, l->n);
			octets_done(&l->atoms[l->n].payload);
		}
		break;
	default:
		for (n = dice_below(d, 4) + 1; n; n--) {
			add_control(l, d);
			settle_last(l, d);
		}
	}
}

static void put_atom(struct octets *out, const struct atom *a)
{
	uint8_t head[H2FRAME_HEAD_LEN];
	struct h2frame f = a->f;
	long len = (long)a->payload.len + a->lie;

	f.len = len < 0 ? 0 : (uint32_t)len & 0xffffff;
	h2frame_write(head, &f);
	octets_add(out, head, sizeof(head));
	octets_add(out, a->payload.p, a->payload.len);
}

static unsigned roll_twists(struct dice *d)
{
	static const unsigned kinds[] = {TWIST_HEAD,  TWIST_HEAD, TWIST_CODING, TWIST_BODY,
					 TWIST_BODY,  TWIST_BODY, TWIST_FRAMES, TWIST_FRAMES,
					 TWIST_ORDER, TWIST_BYTES};
	unsigned twists = TWIST_NOTHING;

	if (dice_chance(d, 4))
		return twists;
	do {
		twists |= dice_pick(d, kinds);
	} while (dice_chance(d, 25));
	return twists;
}

size_t frames_make(struct octets *out, struct dice *d, const struct seeds *seeds)
{
	static struct list l;
	unsigned twists = roll_twists(d);
	size_t n = dice_chance(d, 60) ? 1 : dice_below(d, 5) + 1;
	size_t start;

	l.n = 0;
	l.next_id = 1;
	atom_add(&l, H2_SETTINGS, 0, 0);
	if (dice_chance(d, 20))
		put_setting(&l.atoms[0].payload, d);
	if (dice_chance(d, 50))
		atom_add(&l, H2_SETTINGS, H2_ACK, 0);
	for (size_t i = 0; i < n; i++)
		add_request(&l, d, seeds, twists);
	for (size_t i = dice_chance(d, 25) ? dice_below(d, 4) : 0; i; i--) {
		add_control(&l, d);
		settle_last(&l, d);
	}
	for (size_t i = twists & TWIST_FRAMES ? dice_below(d, 3) + 1 : 0; i; i--)
		twist_frame(&l, d);
	for (size_t i = twists & TWIST_ORDER ? dice_below(d, 3) + 1 : 0; i; i--)
		twist_order(&l, d);
	octets_text(out, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
	start = dice_chance(d, 5) ? 0 : out->len;
	for (size_t i = 0; i < l.n; i++)
		put_atom(out, &l.atoms[i]);
	if (twists & TWIST_BYTES) {
		struct octets tail = {0};

		octets_add(&tail, out->p + start, out->len - start);
		out->len = start;
		for (size_t i = dice_below(d, 4) + 1; i; i--)
			octets_shake(&tail, d);
		octets_add(out, tail.p, tail.len);
		octets_done(&tail);
	}
	return n;
}
