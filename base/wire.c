/* SPDX-License-Identifier: Apache-2.0 */
/* Tags, varints and lengths. Pure; the reader trusts no length it is told. */
#include "base/wire.h"

#include <errno.h>
#include <string.h>

static void put_raw_varint(struct text *t, uint64_t n)
{
	uint8_t bytes[10];
	size_t len = 0;

	do {
		bytes[len] = (uint8_t)(n & 0x7f);
		n >>= 7;
		if (n)
			bytes[len] |= 0x80;
		len++;
	} while (n);
	text_add(t, bytes, len);
}

void wire_put_varint(struct text *t, unsigned field, uint64_t n)
{
	put_raw_varint(t, (uint64_t)field << 3 | WIRE_VARINT);
	put_raw_varint(t, n);
}

void wire_put_bytes(struct text *t, unsigned field, const void *p, size_t len)
{
	put_raw_varint(t, (uint64_t)field << 3 | WIRE_BYTES);
	put_raw_varint(t, len);
	text_add(t, p, len);
}

void wire_put_string(struct text *t, unsigned field, const char *s)
{
	if (s && *s)
		wire_put_bytes(t, field, s, strlen(s));
}

static int read_varint(struct wire_reader *r, uint64_t *ret_n)
{
	uint64_t n = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		uint8_t b;

		if (r->len == 0)
			return -EBADMSG;
		b = *r->p++;
		r->len--;
		if (shift == 63 && b > 1)
			return -EBADMSG;
		n |= (uint64_t)(b & 0x7f) << shift;
		if (!(b & 0x80)) {
			*ret_n = n;
			return 0;
		}
	}
	return -EBADMSG;
}

static int read_fixed(struct wire_reader *r, size_t len, uint64_t *ret_n)
{
	uint64_t n = 0;

	if (r->len < len)
		return -EBADMSG;
	for (size_t i = 0; i < len; i++)
		n |= (uint64_t)r->p[i] << (8 * i);
	r->p += len;
	r->len -= len;
	*ret_n = n;
	return 0;
}

int wire_next(struct wire_reader *r, struct wire_field *ret_field)
{
	struct wire_field f = {0};
	uint64_t tag, len;
	int rc;

	if (r->len == 0)
		return 0;
	if (read_varint(r, &tag) != 0 || tag >> 3 == 0 || tag >> 3 > 536870911)
		return -EBADMSG;
	f.number = (unsigned)(tag >> 3);
	f.type = (enum wire_type)(tag & 7);
	switch (f.type) {
	case WIRE_VARINT:
		rc = read_varint(r, &f.n);
		break;
	case WIRE_FIXED64:
		rc = read_fixed(r, 8, &f.n);
		break;
	case WIRE_FIXED32:
		rc = read_fixed(r, 4, &f.n);
		break;
	case WIRE_BYTES:
		rc = read_varint(r, &len);
		if (rc == 0 && len > r->len)
			rc = -EBADMSG;
		if (rc)
			break;
		f.p = r->p;
		f.len = (size_t)len;
		r->p += len;
		r->len -= (size_t)len;
		break;
	default:
		rc = -EBADMSG;
	}
	if (rc)
		return rc;
	*ret_field = f;
	return 1;
}

struct wire_reader wire_enter(const struct wire_field *f)
{
	return (struct wire_reader){.p = f->p, .len = f->type == WIRE_BYTES ? f->len : 0};
}

int wire_string(const struct wire_field *f, char **ret)
{
	char *s;

	if (f->type != WIRE_BYTES || !text_utf8_ok((const char *)f->p, f->len) ||
	    (f->len && memchr(f->p, '\0', f->len)))
		return -EBADMSG;
	s = malloc(f->len + 1);
	if (!s)
		return -ENOMEM;
	if (f->len)
		memcpy(s, f->p, f->len);
	s[f->len] = '\0';
	*ret = s;
	return 0;
}
