/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bodies of gRPC-Web (as bytes and as text) and Connect: in pieces as whole,
 * the same messages and the same verdict; nothing larger than its limit. The
 * first byte says which form, the second how long the pieces are.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "base/sign.h"
#include "gateway/inlet.h"

#define MESSAGE_MAX 3000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

struct verdict {
	int r;
	size_t n;
	uint8_t hash[HASH_LEN];
};

static void note(struct verdict *v, const uint8_t *p, size_t len)
{
	const struct hash_part parts[] = {{v->hash, HASH_LEN}, {&len, sizeof(len)}, {p, len}};

	assert(len <= MESSAGE_MAX);
	v->n++;
	hash_parts(NULL, 0, parts, ARRAY_LEN(parts), v->hash);
}

/* Messages of a stream as they become whole. */
static int drain(struct inlet *in, struct verdict *v)
{
	const char *why = NULL;

	for (;;) {
		_cleanup_(text_done) struct text room = TEXT_INIT(0);
		const uint8_t *p;
		size_t len;
		int r = inlet_next(in, &room, &p, &len, &why);

		if (r || !p) {
			assert(!r || why);
			return r;
		}
		note(v, p, len);
	}
}

static void last(struct inlet *in, struct verdict *v)
{
	_cleanup_(text_done) struct text room = TEXT_INIT(0);
	const char *why = NULL;
	const uint8_t *p;
	size_t len;

	v->r = inlet_end(in, &why);
	if (!v->r && in->many) {
		v->r = drain(in, v);
		v->n += v->r ? 0 : 1000 * inlet_is_cut(in);
		return;
	}
	if (!v->r)
		v->r = inlet_plain(in, &room, &p, &len, &why);
	if (!v->r)
		note(v, p, len);
	assert(!v->r || why);
}

static struct verdict take(const struct inlet *form, const uint8_t *data, size_t len, size_t step)
{
	struct verdict v = {0};
	struct inlet in = *form;
	const char *why = NULL;

	inlet_init(&in);
	for (size_t at = 0; at < len && !v.r; at += step) {
		v.r = inlet_add(&in, data + at, step < len - at ? step : len - at, &why);
		assert(v.r >= 0 && (!v.r || why));
		if (!v.r && in.many)
			v.r = drain(&in, &v);
	}
	if (!v.r)
		last(&in, &v);
	inlet_done(&in);
	return v;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct verdict whole, pieces;

	if (len < 2)
		return 0;
	const struct inlet form = {
		.enveloped = data[0] & 1,
		.base64 = data[0] & 2,
		.many = (data[0] & 5) == 5, /* only enveloped ones are many */
		.gzip = data[0] & 8,
		.malformed = ERR_FIELD_INVALID,
		.max = MESSAGE_MAX,
	};

	whole = take(&form, data + 2, len - 2, len);
	pieces = take(&form, data + 2, len - 2, data[1] + 1u);
	/* Which of two faults is seen first may depend on the pieces; that there is one may not. */
	assert((whole.r == 0) == (pieces.r == 0));
	assert(whole.r || (whole.n == pieces.n && memcmp(whole.hash, pieces.hash, HASH_LEN) == 0));
	return 0;
}
