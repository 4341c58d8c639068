/* SPDX-License-Identifier: Apache-2.0 */
#include "base/sealed.h"

#include <errno.h>
#include <string.h>

#include "base/sign.h"

enum { ID_AT = 20, BOX_AT = 28, STREAM_AT = 108 };

static const char magic[] = "qmsealed";

_Static_assert(STREAM_AT == BOX_AT + KEY_LEN + KEY_SEAL_OVERHEAD, "the box fits");
_Static_assert(SEALED_HEAD_LEN == STREAM_AT + KEY_STREAM_HEAD_LEN, "the head fits");

static void put(uint64_t v, size_t len, uint8_t *ret)
{
	for (size_t i = len; i-- > 0; v >>= 8)
		ret[i] = (uint8_t)v;
}

static uint64_t get(const uint8_t *p, size_t len)
{
	uint64_t v = 0;

	for (size_t i = 0; i < len; i++)
		v = v << 8 | p[i];
	return v;
}

static void name_key(const struct key *public, uint8_t ret_id[SEALED_ID_LEN])
{
	uint8_t hash[HASH_LEN];

	hash_bytes(NULL, 0, public->b, KEY_LEN, hash);
	memcpy(ret_id, hash, SEALED_ID_LEN);
}

/* The head is part of the stream's key. */
static void stream_key(const struct key *random, const uint8_t *head, struct key *ret)
{
	hash_bytes(random->b, KEY_LEN, head, BOX_AT, ret->b);
}

int sealed_begin(struct sealed_writer *w, const struct key *public, int64_t made_ms,
		 uint8_t ret_head[SEALED_HEAD_LEN])
{
	struct key random, key;
	int r;

	memcpy(ret_head, magic, 8);
	put(SEALED_VERSION, 2, ret_head + 8);
	put(SEALED_BACKUP, 2, ret_head + 10);
	put((uint64_t)made_ms, 8, ret_head + 12);
	name_key(public, ret_head + ID_AT);
	sign_random(random.b, KEY_LEN);
	stream_key(&random, ret_head, &key);
	r = key_seal(public, random.b, KEY_LEN, ret_head + BOX_AT);
	if (!r)
		r = key_stream_seal(&w->stream, &key, ret_head + STREAM_AT);
	key_wipe(&random);
	key_wipe(&key);
	return r;
}

int sealed_add(struct sealed_writer *w, const void *p, size_t len, bool last, uint8_t *ret,
	       size_t *ret_len)
{
	int r;

	if (len > SEALED_CHUNK_LEN)
		return -EINVAL;
	r = key_stream_push(&w->stream, p, len, last, ret + 4);
	if (r)
		return r;
	put(len + KEY_STREAM_OVERHEAD, 4, ret);
	*ret_len = 4 + len + KEY_STREAM_OVERHEAD;
	return 0;
}

void sealed_done(struct sealed_writer *w)
{
	key_wipe_bytes(w, sizeof(*w));
}

int sealed_peek(const uint8_t *p, size_t len, struct sealed_head *ret)
{
	struct sealed_head head;

	if (len < 8 || memcmp(p, magic, 8) != 0)
		return SEALED_NOT_OURS;
	if (len < 12)
		return SEALED_CUT;
	head.version = (uint16_t)get(p + 8, 2);
	head.kind = (uint16_t)get(p + 10, 2);
	if (head.version != SEALED_VERSION || head.kind != SEALED_BACKUP)
		return SEALED_NEWER;
	if (len < SEALED_HEAD_LEN)
		return SEALED_CUT;
	head.made_ms = (int64_t)get(p + 12, 8);
	memcpy(head.id, p + ID_AT, SEALED_ID_LEN);
	*ret = head;
	return 0;
}

static int open_stream(const uint8_t *p, const struct key *private, struct key_stream *ret)
{
	uint8_t id[SEALED_ID_LEN];
	struct key public, random, key;
	int r;

	key_public(private, &public);
	name_key(&public, id);
	if (memcmp(id, p + ID_AT, SEALED_ID_LEN) != 0)
		return SEALED_OTHER_KEY;
	r = key_unseal(private, p + BOX_AT, KEY_LEN + KEY_SEAL_OVERHEAD, random.b);
	if (r)
		return SEALED_DAMAGED;
	stream_key(&random, p, &key);
	r = key_stream_open(ret, &key, p + STREAM_AT);
	key_wipe(&random);
	key_wipe(&key);
	return r ? SEALED_DAMAGED : 0;
}

/* All chunks from p on into plain; nothing may follow the last one. */
static int read_chunks(struct key_stream *stream, const uint8_t *p, size_t left, uint8_t *plain,
		       size_t *ret_len)
{
	size_t n = 0, len;
	bool last = false;

	while (!last) {
		if (left < 4)
			return SEALED_CUT;
		len = get(p, 4);
		if (len < KEY_STREAM_OVERHEAD || len > SEALED_CHUNK_LEN + KEY_STREAM_OVERHEAD)
			return SEALED_DAMAGED;
		if (len > left - 4)
			return SEALED_CUT;
		if (key_stream_pull(stream, p + 4, len, plain + n, &last))
			return SEALED_DAMAGED;
		n += len - KEY_STREAM_OVERHEAD;
		p += 4 + len;
		left -= 4 + len;
	}
	*ret_len = n;
	return left ? SEALED_DAMAGED : 0;
}

int sealed_open(const uint8_t *p, size_t len, const struct key *private, uint8_t **ret_plain,
		size_t *ret_len)
{
	struct sealed_head head;
	struct key_stream stream;
	uint8_t *plain;
	int r;

	r = sealed_peek(p, len, &head);
	if (!r)
		r = open_stream(p, private, &stream);
	if (r)
		return r;
	plain = malloc(len); /* what is inside is always shorter */
	r = plain ? read_chunks(&stream, p + SEALED_HEAD_LEN, len - SEALED_HEAD_LEN, plain, ret_len)
		  : -ENOMEM;
	key_wipe_bytes(&stream, sizeof(stream));
	if (r) {
		sealed_free(plain, len);
		return r;
	}
	*ret_plain = plain;
	return 0;
}

void sealed_free(uint8_t *plain, size_t len)
{
	key_wipe_bytes(plain, len);
	free(plain);
}
