/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nothing here allocates: callers bring the buffers. Header blocks are literals
 * without indexing and without Huffman, so that no peer can ask us for a table.
 */
#include "server/rpc/h2frame.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void h2frame_read(const uint8_t p[H2FRAME_HEAD_LEN], struct h2frame *ret)
{
	*ret = (struct h2frame){
		.len = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2],
		.type = p[3],
		.flags = p[4],
		.stream =
			((uint32_t)p[5] << 24 | (uint32_t)p[6] << 16 | (uint32_t)p[7] << 8 | p[8]) &
			0x7fffffff,
	};
}

void h2frame_write(uint8_t ret[H2FRAME_HEAD_LEN], const struct h2frame *f)
{
	ret[0] = (uint8_t)(f->len >> 16);
	ret[1] = (uint8_t)(f->len >> 8);
	ret[2] = (uint8_t)f->len;
	ret[3] = f->type;
	ret[4] = f->flags;
	ret[5] = (uint8_t)(f->stream >> 24 & 0x7f);
	ret[6] = (uint8_t)(f->stream >> 16);
	ret[7] = (uint8_t)(f->stream >> 8);
	ret[8] = (uint8_t)f->stream;
}

int h2frame_payload(const struct h2frame *f, const uint8_t *payload, const uint8_t **ret_p,
		    size_t *ret_len)
{
	size_t front = 0, pad = 0;

	if (f->flags & H2_PADDED) {
		if (f->len < 1)
			return -EPROTO;
		pad = payload[0];
		front = 1;
	}
	if (f->type == H2_HEADERS && f->flags & H2_HAS_PRIORITY)
		front += 5;
	if (front + pad > f->len)
		return -EPROTO;
	*ret_p = payload + front;
	*ret_len = f->len - front - pad;
	return 0;
}

/* Phases of h2fields: what the next byte is. */
enum {
	FIELD_START,
	INDEX_REST,  /* more bytes of an indexed field's number */
	NAME_REST,   /* more bytes of a name's index */
	RESIZE_REST, /* more bytes of a table size */
	NAME_LEN,
	NAME_LEN_REST,
	VALUE_LEN,
	VALUE_LEN_REST,
	STRING,
};

/* An integer began with all ones in its prefix. */
static void integer_begin(struct h2fields *s, uint8_t phase, uint64_t start)
{
	s->phase = phase;
	s->value = start;
	s->shift = 0;
}

static void string_begin(struct h2fields *s, uint64_t len, uint8_t after)
{
	s->skip = len;
	s->after = after;
	s->phase = len == 0 ? after : STRING;
}

static void field_start(struct h2fields *s, uint8_t c)
{
	if (c & 0x80) { /* indexed */
		s->n++;
		if ((c & 0x7f) == 0x7f)
			integer_begin(s, INDEX_REST, 0x7f);
		return;
	}
	if ((c & 0xe0) == 0x20) { /* table size */
		if ((c & 0x1f) == 0x1f)
			integer_begin(s, RESIZE_REST, 0x1f);
		return;
	}
	s->n++;
	uint8_t mask = c & 0x40 ? 0x3f : 0x0f;
	if ((c & mask) == 0)
		s->phase = NAME_LEN;
	else if ((c & mask) == mask)
		integer_begin(s, NAME_REST, mask);
	else
		s->phase = VALUE_LEN;
}

static void integer_done(struct h2fields *s)
{
	switch (s->phase) {
	case NAME_REST:
		s->phase = VALUE_LEN;
		break;
	case NAME_LEN_REST:
		string_begin(s, s->value, VALUE_LEN);
		break;
	case VALUE_LEN_REST:
		string_begin(s, s->value, FIELD_START);
		break;
	default:
		s->phase = FIELD_START;
	}
}

static void string_len(struct h2fields *s, uint8_t c, uint8_t rest, uint8_t after)
{
	if ((c & 0x7f) == 0x7f)
		integer_begin(s, rest, 0x7f);
	else
		string_begin(s, c & 0x7f, after);
}

int h2fields_add(struct h2fields *s, const uint8_t *p, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		switch (s->phase) {
		case FIELD_START:
			field_start(s, p[i]);
			break;
		case NAME_LEN:
			string_len(s, p[i], NAME_LEN_REST, VALUE_LEN);
			break;
		case VALUE_LEN:
			string_len(s, p[i], VALUE_LEN_REST, FIELD_START);
			break;
		case STRING: {
			size_t take = len - i < s->skip ? len - i : (size_t)s->skip;

			s->skip -= take;
			i += take - 1;
			if (s->skip == 0)
				s->phase = s->after;
			break;
		}
		default:
			if (s->shift > 28)
				return -EPROTO;
			s->value += (uint64_t)(p[i] & 0x7f) << s->shift;
			s->shift += 7;
			if (!(p[i] & 0x80))
				integer_done(s);
		}
	}
	return 0;
}

static void put(struct h2block *b, const void *p, size_t len)
{
	if (b->failed || b->cap - b->len < len) {
		b->failed = true;
		return;
	}
	memcpy(b->p + b->len, p, len);
	b->len += len;
}

static void put_int(struct h2block *b, uint8_t first, unsigned bits, size_t v)
{
	uint8_t tmp[12], *e = tmp;
	size_t max = (1u << bits) - 1;

	if (v < max) {
		*e++ = first | (uint8_t)v;
	} else {
		*e++ = first | (uint8_t)max;
		for (v -= max; v >= 128; v >>= 7)
			*e++ = 0x80 | (v & 0x7f);
		*e++ = (uint8_t)v;
	}
	put(b, tmp, (size_t)(e - tmp));
}

void h2block_table_size(struct h2block *b, size_t size)
{
	put_int(b, 0x20, 5, size);
}

void h2block_status(struct h2block *b, unsigned status)
{
	char text[12];
	uint8_t indexed = 0;

	switch (status) { /* RFC 7541 appendix A */
	case 200:
		indexed = 0x88;
		break;
	case 204:
		indexed = 0x89;
		break;
	case 304:
		indexed = 0x8b;
		break;
	case 400:
		indexed = 0x8c;
		break;
	case 404:
		indexed = 0x8d;
		break;
	case 500:
		indexed = 0x8e;
		break;
	}
	if (indexed) {
		put(b, &indexed, 1);
		return;
	}
	int len = snprintf(text, sizeof(text), "%03u", status);

	put_int(b, 0x00, 4, 8); /* name :status, literal without indexing */
	put_int(b, 0x00, 7, (size_t)len);
	put(b, text, (size_t)len);
}

void h2block_add(struct h2block *b, const char *name, const char *value, size_t value_len)
{
	size_t name_len = strlen(name);

	if (strcmp(name, "content-type") == 0) {
		put_int(b, 0x00, 4, 31);
	} else {
		put_int(b, 0x00, 4, 0);
		put_int(b, 0x00, 7, name_len);
		put(b, name, name_len);
	}
	put_int(b, 0x00, 7, value_len);
	put(b, value, value_len);
}
