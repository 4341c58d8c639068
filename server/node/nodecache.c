/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Format: a line "qmesh-node-cache/1", records of type (1), length (4, big
 * endian) and bytes, BLAKE2b-256 over all before it. Unknown types are skipped.
 */
#include "server/node/nodecache.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "quazzar/mesh/v1/member.pb-c.h"
#include "server/node/statefile.h"

#define FILE_NAME "cache"
#define MAGIC "qmesh-node-cache/1\n"
#define FILE_MAX (256u << 20)
#define RECORD_HEAD_LEN 5

enum record {
	RECORD_TENANT = 1,
	RECORD_POSITION,
	RECORD_HEAD,
	RECORD_SIGNATURE,
	RECORD_KID,
	RECORD_LIST,
	RECORD_PROMOTED,
	RECORD_TRUST
};

static void put_u32(uint8_t *p, uint32_t n)
{
	for (int i = 3; i >= 0; i--, n >>= 8)
		p[i] = (uint8_t)n;
}

static void put_u64(uint8_t *p, uint64_t n)
{
	put_u32(p, (uint32_t)(n >> 32));
	put_u32(p + 4, (uint32_t)n);
}

static uint32_t get_u32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint64_t get_u64(const uint8_t *p)
{
	return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}

static void add_record(struct text *t, enum record type, const void *p, size_t len)
{
	uint8_t head[RECORD_HEAD_LEN] = {(uint8_t)type};

	put_u32(head + 1, (uint32_t)len);
	text_add(t, head, sizeof(head));
	text_add(t, p, len);
}

static int add_list(struct text *t, const struct replica *r)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	size_t len;
	int e = members_encode(r->list, 0, SIZE_MAX, &bytes, &len);

	if (!e)
		add_record(t, RECORD_LIST, bytes, len);
	return e;
}

static int add_trust(struct text *t, const struct replica *r)
{
	uint8_t *bytes;
	size_t len;
	int e = trust_encode(&r->trust, &bytes, &len);

	if (e)
		return e;
	add_record(t, RECORD_TRUST, bytes, len);
	key_wipe_bytes(bytes, len);
	free(bytes);
	return 0;
}

static int collect(struct text *t, const struct replica *r)
{
	uint8_t position[16], promoted[20];
	int e;

	text_adds(t, MAGIC);
	add_record(t, RECORD_TENANT, r->tenant_id.b, sizeof(r->tenant_id.b));
	put_u64(position, r->head.epoch);
	put_u64(position + 8, r->head.generation);
	add_record(t, RECORD_POSITION, position, sizeof(position));
	add_record(t, RECORD_HEAD, r->head.bytes, r->head.bytes_len);
	add_record(t, RECORD_SIGNATURE, r->head.signature, r->head.signature_len);
	add_record(t, RECORD_KID, r->head.kid, strlen(r->head.kid));
	for (size_t i = 0; i < r->n_promoted; i++) {
		memcpy(promoted, r->promoted[i].device_id.b, 16);
		put_u32(promoted + 16, r->promoted[i].key_version);
		add_record(t, RECORD_PROMOTED, promoted, sizeof(promoted));
	}
	e = add_trust(t, r);
	return e ? e : add_list(t, r);
}

int nodecache_save(const char *state_dir, struct replica *r)
{
	_cleanup_(text_done) struct text t = TEXT_INIT(FILE_MAX);
	uint8_t hash[HASH_LEN];
	int e;

	pthread_rwlock_rdlock(&r->lock);
	e = collect(&t, r);
	pthread_rwlock_unlock(&r->lock);
	if (!e && !t.failed) {
		hash_bytes(NULL, 0, t.s, t.len, hash);
		text_add(&t, hash, sizeof(hash));
	}
	if (!e && t.failed)
		e = -ENOMEM;
	return e ? err_origin(e) : statefile_write(state_dir, FILE_NAME, t.s, t.len);
}

static int take_bytes(const uint8_t *p, size_t len, void *to, size_t max, size_t *ret_len)
{
	if (len > max)
		return -EBADMSG;
	memcpy(to, p, len);
	if (ret_len)
		*ret_len = len;
	return 0;
}

static int take_record(struct replica *r, enum record type, const uint8_t *p, size_t len)
{
	struct uuid id;

	switch (type) {
	case RECORD_TENANT:
		return len == 16 && memcmp(p, r->tenant_id.b, 16) == 0 ? 0 : -EBADMSG;
	case RECORD_POSITION:
		if (len != 16)
			return -EBADMSG;
		r->head.epoch = get_u64(p);
		r->head.generation = get_u64(p + 8);
		return 0;
	case RECORD_HEAD:
		return take_bytes(p, len, r->head.bytes, sizeof(r->head.bytes), &r->head.bytes_len);
	case RECORD_SIGNATURE:
		return take_bytes(p, len, r->head.signature, sizeof(r->head.signature),
				  &r->head.signature_len);
	case RECORD_KID:
		return take_bytes(p, len, r->head.kid, sizeof(r->head.kid) - 1, NULL);
	case RECORD_PROMOTED:
		if (len != 20)
			return -EBADMSG;
		memcpy(id.b, p, 16);
		return replica_promote(r, &id, get_u32(p + 16));
	case RECORD_TRUST:
		return trust_decode(p, len, &r->trust);
	case RECORD_LIST:
		return members_apply(r->list, p, len, NULL);
	}
	return 0;
}

/* The list is the one that the head is about: the head is what we show as proof of it. */
static int check_head(const struct replica *r)
{
	Pb__PeersHead *head;
	bool fits;

	if (!r->head.generation)
		return 0;
	head = pb__peers_head__unpack(NULL, r->head.bytes_len, r->head.bytes);
	if (!head)
		return -EBADMSG;
	fits = head->epoch == r->head.epoch && head->to_generation == r->head.generation &&
	       head->list_digest.len == DIGEST_LEN &&
	       memcmp(head->list_digest.data, members_digest(r->list)->b, DIGEST_LEN) == 0;
	pb__peers_head__free_unpacked(head, NULL);
	return fits ? 0 : -EBADMSG;
}

static int parse(struct replica *r, const uint8_t *p, size_t len)
{
	size_t magic_len = sizeof(MAGIC) - 1, at = magic_len;
	uint8_t hash[HASH_LEN];

	if (len < magic_len + HASH_LEN || memcmp(p, MAGIC, magic_len) != 0)
		return -EBADMSG;
	len -= HASH_LEN;
	hash_bytes(NULL, 0, p, len, hash);
	if (memcmp(hash, p + len, HASH_LEN) != 0)
		return -EBADMSG;
	while (at < len) {
		size_t record_len;
		int e;

		if (len - at < RECORD_HEAD_LEN)
			return -EBADMSG;
		record_len = get_u32(p + at + 1);
		if (record_len > len - at - RECORD_HEAD_LEN)
			return -EBADMSG;
		e = take_record(r, (enum record)p[at], p + at + RECORD_HEAD_LEN, record_len);
		if (e)
			return e;
		at += RECORD_HEAD_LEN + record_len;
	}
	return check_head(r);
}

int nodecache_load(const char *state_dir, struct replica *r)
{
	uint8_t *bytes;
	size_t len;
	int e;

	e = statefile_read(state_dir, FILE_NAME, FILE_MAX, &bytes, &len);
	if (e)
		return e;
	e = parse(r, bytes, len);
	key_wipe_bytes(bytes, len);
	free(bytes);
	return e;
}
