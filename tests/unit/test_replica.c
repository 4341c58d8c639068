/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replica.c and nodecache.c: which events are taken, refused or answered with
 * a gap; and that what was saved is what a new start finds.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "quazzar/mesh/v1/member.pb-c.h"
#include "server/node/nodecache.h"
#include "server/node/replica.h"

static const struct uuid self = {{1}}, tenant = {{2}};

/* A Control Panel in small: what it knows, and how it signs. */
struct source {
	struct members *all;
	uint64_t epoch;
	uint8_t sign_public[SIGN_PUBLIC_LEN], sign_secret[SIGN_SECRET_LEN];
};

static struct member device(uint8_t n)
{
	struct member m = {.kind = MEMBER_DEVICE, .label = "d", .slug = "d", .ip4 = n};

	m.id.b[0] = 9;
	m.id.b[15] = n;
	m.device.home = self;
	m.device.active = (struct member_key){.key_version = 1, .psk_version = 1};
	m.device.active.public_key.b[0] = n;
	return m;
}

struct event {
	Pb__PeersUpdated pb;
	uint8_t head[512], signature[SIGN_LEN], digest[DIGEST_LEN], hash[HASH_LEN];
	uint8_t *list;
};

struct position {
	uint64_t from, to;
	bool snapshot;
	uint32_t chunk;
	bool last;
	bool partial; /* the digest is of what comes later: left out */
};

static void make_event(struct source *s, const uint8_t *list, size_t list_len,
		       const struct position *at, struct event *e)
{
	Pb__PeersHead head = PB__PEERS_HEAD__INIT;
	uint8_t signed_bytes[600] = "qmesh-head/1";

	*e = (struct event){.pb = PB__PEERS_UPDATED__INIT};
	e->list = malloc(list_len + 1);
	memcpy(e->list, list, list_len);
	head.tenant_id = (ProtobufCBinaryData){.len = 16, .data = (uint8_t *)tenant.b};
	head.epoch = s->epoch;
	head.from_generation = at->from;
	head.to_generation = at->to;
	head.snapshot = at->snapshot;
	head.chunk = at->chunk;
	head.last = at->last;
	if (!at->partial) {
		memcpy(e->digest, members_digest(s->all)->b, DIGEST_LEN);
		head.list_digest = (ProtobufCBinaryData){.len = DIGEST_LEN, .data = e->digest};
	}
	hash_bytes(NULL, 0, list, list_len, e->hash);
	head.list_hash = (ProtobufCBinaryData){.len = HASH_LEN, .data = e->hash};
	e->pb.head.len = pb__peers_head__pack(&head, e->head);
	e->pb.head.data = e->head;
	e->pb.list = (ProtobufCBinaryData){.len = list_len, .data = e->list};
	memcpy(signed_bytes + 12, e->head, e->pb.head.len);
	sign_message(s->sign_secret, signed_bytes, 12 + e->pb.head.len, e->signature);
	e->pb.signature = (ProtobufCBinaryData){.len = SIGN_LEN, .data = e->signature};
	e->pb.kid = (char *)"k1";
}

static int give(struct source *s, struct replica *r, const uint8_t *list, size_t len,
		const struct position *at)
{
	struct event e;
	int result;

	make_event(s, list, len, at, &e);
	result = replica_take_peers(r, &e.pb);
	free(e.list);
	return result;
}

static void add(struct source *s, const struct member *m)
{
	uint8_t *bytes;
	size_t len;

	assert_int_equal(member_encode(m, &bytes, &len), 0);
	assert_int_equal(members_put(s->all, bytes, len), 0);
	free(bytes);
}

static int give_snapshot(struct source *s, struct replica *r, uint64_t to)
{
	const struct position at = {.to = to, .snapshot = true, .last = true};
	uint8_t *list;
	size_t len;
	int result;

	assert_int_equal(members_encode(s->all, 0, SIZE_MAX, &list, &len), 0);
	result = give(s, r, list, len, &at);
	free(list);
	return result;
}

static void set_up(struct source *s, struct replica *r)
{
	assert_int_equal(sign_init(), 0);
	s->all = members_new();
	s->epoch = 5;
	sign_make(s->sign_public, s->sign_secret);
	assert_int_equal(replica_init(r, &self, &tenant), 0);
	r->trust.n_list_keys = 1;
	strcpy(r->trust.list_keys[0].kid, "k1");
	memcpy(r->trust.list_keys[0].public_key, s->sign_public, SIGN_PUBLIC_LEN);
	r->trust.n_k_n = 1;
	r->trust.k_n[0].psk_version = 1;
	r->trust.k_n[0].key.b[5] = 7;
}

static void tear_down(struct source *s, struct replica *r)
{
	members_free(s->all);
	replica_done(r);
}

static int change(struct source *s, struct replica *r, uint8_t n, uint64_t from, uint64_t to)
{
	const struct position at = {.from = from, .to = to};
	struct member m = device(n);
	struct members *one = members_new();
	uint8_t *bytes, *list;
	size_t len;
	int result;

	add(s, &m);
	assert_int_equal(member_encode(&m, &bytes, &len), 0);
	assert_int_equal(members_put(one, bytes, len), 0);
	free(bytes);
	assert_int_equal(members_encode(one, 0, 1, &list, &len), 0);
	result = give(s, r, list, len, &at);
	free(list);
	members_free(one);
	return result;
}

static void test_order(void **state)
{
	struct source s;
	struct replica r;
	struct member m = device(1);

	(void)state;
	set_up(&s, &r);
	assert_int_equal(change(&s, &r, 1, 1, 2), REPLICA_GAP);
	assert_int_equal(give_snapshot(&s, &r, 4), REPLICA_CHANGED);
	assert_int_equal(r.head.generation, 4);
	assert_non_null(members_get(r.list, &m.id));
	assert_int_equal(change(&s, &r, 2, 4, 5), REPLICA_CHANGED);
	assert_int_equal(change(&s, &r, 2, 3, 5), REPLICA_IGNORED);
	assert_int_equal(change(&s, &r, 3, 6, 7), REPLICA_GAP);
	assert_int_equal(members_count(r.list), 2);
	assert_int_equal(r.head.generation, 5);
	tear_down(&s, &r);
}

static void test_refused(void **state)
{
	const struct position at = {.to = 9, .snapshot = true, .last = true};
	struct source s;
	struct replica r;
	struct event e;

	(void)state;
	set_up(&s, &r);
	for (int i = 0; i < 4; i++) {
		make_event(&s, (const uint8_t *)"", 0, &at, &e);
		if (i == 0)
			e.signature[3] ^= 1;
		else if (i == 1)
			e.head[e.pb.head.len - 1] ^= 1;
		else if (i == 2)
			e.pb.kid = (char *)"k2";
		else
			e.pb.signature.len = 0;
		assert_true(replica_take_peers(&r, &e.pb) < 0);
		free(e.list);
	}
	assert_int_equal(r.head.generation, 0);
	/* A list that does not sum up to its digest is asked for anew. */
	make_event(&s, (const uint8_t *)"", 0, &at, &e);
	free(e.list);
	for (uint8_t n = 1; n < 4; n++) {
		struct member m = device(n);

		add(&s, &m);
	}
	assert_int_equal(give(&s, &r, (const uint8_t *)"", 0, &at), REPLICA_DIFFERS);
	tear_down(&s, &r);
}

/* What was taken is never taken back, in whatever form it comes. */
static void test_high_water(void **state)
{
	const struct position wrong = {.from = 4, .to = 5};
	struct position chunk = {.to = 6, .snapshot = true, .partial = true};
	struct source s;
	struct replica r;
	struct member m = device(1);

	(void)state;
	set_up(&s, &r);
	add(&s, &m);
	assert_int_equal(give_snapshot(&s, &r, 4), REPLICA_CHANGED);
	assert_int_equal(give_snapshot(&s, &r, 3), REPLICA_OLD);
	assert_int_equal(give_snapshot(&s, &r, 4), REPLICA_CHANGED);
	s.epoch = 4;
	assert_int_equal(give_snapshot(&s, &r, 9), REPLICA_OLD);
	assert_int_equal(change(&s, &r, 2, 4, 5), REPLICA_OLD);
	s.epoch = 6;
	assert_int_equal(change(&s, &r, 2, 4, 5), REPLICA_GAP);
	assert_int_equal(r.head.generation, 4);
	assert_int_equal(members_count(r.list), 1);
	/* A later epoch may begin at a lower generation. */
	assert_int_equal(give_snapshot(&s, &r, 2), REPLICA_CHANGED);
	assert_int_equal(r.head.epoch, 6);
	assert_int_equal(r.head.generation, 2);
	/* A change that does not lead where it says leaves list and head as they were. */
	assert_int_equal(
		give(&s, &r, (const uint8_t *)"", 0, &(struct position){.from = 2, .to = 3}),
		REPLICA_CHANGED);
	m = device(9);
	add(&s, &m);
	assert_int_equal(give(&s, &r, (const uint8_t *)"", 0, &wrong), REPLICA_GAP);
	assert_int_equal(
		give(&s, &r, (const uint8_t *)"", 0, &(struct position){.from = 3, .to = 4}),
		REPLICA_DIFFERS);
	assert_int_equal(r.head.generation, 3);
	assert_true(!digest_equal(members_digest(r.list), members_digest(s.all)));
	/* Chunks of two snapshots are no snapshot. */
	assert_int_equal(give(&s, &r, (const uint8_t *)"", 0, &chunk), REPLICA_PARTIAL);
	chunk = (struct position){.to = 7, .snapshot = true, .chunk = 1, .last = true};
	assert_int_equal(give(&s, &r, (const uint8_t *)"", 0, &chunk), REPLICA_GAP);
	assert_int_equal(r.head.generation, 3);
	tear_down(&s, &r);
}

/* Nothing is believed before there is a key to check it with. */
static void test_unsigned(void **state)
{
	struct source s;
	struct replica r;

	(void)state;
	set_up(&s, &r);
	r.trust.n_list_keys = 0;
	assert_int_equal(give_snapshot(&s, &r, 4), -EBADMSG);
	assert_int_equal(r.head.generation, 0);
	tear_down(&s, &r);
}

static void test_chunks(void **state)
{
	struct position at = {.to = 9, .snapshot = true, .partial = true};
	struct source s;
	struct replica r;
	uint8_t *list;
	size_t len;

	(void)state;
	set_up(&s, &r);
	for (uint8_t n = 1; n <= 10; n++) {
		struct member m = device(n);

		add(&s, &m);
	}
	for (at.chunk = 0; at.chunk < 5; at.chunk++) {
		at.last = at.chunk == 4;
		at.partial = !at.last;
		assert_int_equal(members_encode(s.all, 2 * at.chunk, 2, &list, &len), 0);
		assert_int_equal(give(&s, &r, list, len, &at),
				 at.last ? REPLICA_CHANGED : REPLICA_PARTIAL);
		free(list);
	}
	assert_int_equal(members_count(r.list), 10);
	/* A chunk that is missing. */
	at.chunk = 1;
	at.last = true;
	assert_int_equal(give(&s, &r, (const uint8_t *)"", 0, &at), REPLICA_GAP);
	assert_int_equal(members_count(r.list), 10);
	tear_down(&s, &r);
}

static void test_cache(void **state)
{
	char dir[] = "/tmp/qmesh-cache.XXXXXX", path[64];
	struct source s;
	struct replica r, again;
	struct member m = device(1);
	uint8_t byte;
	int fd;

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/cache", dir);
	set_up(&s, &r);
	m.device.pending = (struct member_key){.key_version = 2, .psk_version = 1};
	m.device.pending.public_key.b[1] = 1;
	add(&s, &m);
	assert_int_equal(give_snapshot(&s, &r, 4), REPLICA_CHANGED);
	assert_int_equal(replica_promote(&r, &m.id, 2), 0);
	assert_int_equal(nodecache_save(dir, &r), 0);

	assert_int_equal(replica_init(&again, &self, &tenant), 0);
	assert_int_equal(nodecache_load(dir, &again), 0);
	assert_int_equal(again.head.generation, 4);
	assert_int_equal(again.head.epoch, 5);
	assert_int_equal(again.n_promoted, 1);
	assert_int_equal(again.promoted[0].key_version, 2);
	assert_true(replica_is_promoted(&again, members_get(again.list, &m.id)));
	assert_int_equal(again.trust.k_n[0].key.b[5], 7);
	assert_string_equal(again.head.kid, "k1");
	assert_true(digest_equal(members_digest(again.list), members_digest(r.list)));
	replica_done(&again);

	/* One flipped byte, another tenant, no file. */
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &byte, 1, 60), 1);
	byte ^= 4;
	assert_int_equal(pwrite(fd, &byte, 1, 60), 1);
	close(fd);
	assert_int_equal(replica_init(&again, &self, &tenant), 0);
	assert_int_equal(nodecache_load(dir, &again), -EBADMSG);
	replica_done(&again);
	assert_int_equal(nodecache_save(dir, &r), 0);
	assert_int_equal(replica_init(&again, &self, &self), 0);
	assert_int_equal(nodecache_load(dir, &again), -EBADMSG);
	replica_done(&again);
	unlink(path);
	assert_int_equal(replica_init(&again, &self, &tenant), 0);
	assert_int_equal(nodecache_load(dir, &again), -ENOENT);
	replica_done(&again);
	rmdir(dir);
	tear_down(&s, &r);
}

/* The log catches up with a promotion: it is forgotten. */
static void test_promotion_ends(void **state)
{
	struct source s;
	struct replica r;
	struct member m = device(1);

	(void)state;
	set_up(&s, &r);
	m.device.pending = (struct member_key){.key_version = 2, .psk_version = 1};
	add(&s, &m);
	assert_int_equal(give_snapshot(&s, &r, 4), REPLICA_CHANGED);
	assert_int_equal(replica_promote(&r, &m.id, 2), 0);
	assert_int_equal(give_snapshot(&s, &r, 5), REPLICA_CHANGED);
	assert_int_equal(r.n_promoted, 1);
	m.device.active = m.device.pending;
	m.device.pending = (struct member_key){0};
	add(&s, &m);
	assert_int_equal(give_snapshot(&s, &r, 6), REPLICA_CHANGED);
	assert_int_equal(r.n_promoted, 0);
	tear_down(&s, &r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),          cmocka_unit_test(test_refused),
		cmocka_unit_test(test_chunks),         cmocka_unit_test(test_cache),
		cmocka_unit_test(test_high_water),     cmocka_unit_test(test_unsigned),
		cmocka_unit_test(test_promotion_ends),
	};

	return cmocka_run_group_tests_name("replica", tests, NULL, NULL);
}
