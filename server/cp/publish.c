/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/publish.h"

#include <string.h>

#include "base/clock.h"
#include "quazzar/mesh/v1/member.pb-c.h"
#include "server/cp/events.h"
#include "server/cp/keyring.h"
#include "server/cp/pins.h"
#include "server/cp/plan.h"
#include "server/peers/tenantrec.h"
#include "server/store/member_row.h"
#include "server/store/session_row.h"
#include "server/store/tenant_row.h"

void publish_frames_done(struct publish_frames *f)
{
	for (size_t i = 0; i < f->n; i++)
		frame_unref(f->frames[i]);
	free(f->frames);
	*f = (struct publish_frames){0};
}

/* Byte strings that grow; each one a copy. */
struct blobs {
	ProtobufCBinaryData *p;
	size_t n, cap;
};

static void blobs_done(struct blobs *b)
{
	for (size_t i = 0; i < b->n; i++)
		free(b->p[i].data);
	free(b->p);
	*b = (struct blobs){0};
}

static int blobs_add(struct blobs *b, const void *p, size_t len)
{
	uint8_t *copy;

	if (b->n == b->cap) {
		size_t cap = b->cap ? b->cap * 2 : 64;
		void *more = realloc(b->p, cap * sizeof(*b->p));

		if (!more)
			return -ENOMEM;
		b->p = more;
		b->cap = cap;
	}
	copy = malloc(len ? len : 1);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, p, len);
	b->p[b->n++] = (ProtobufCBinaryData){.data = copy, .len = len};
	return 0;
}

static int add_record(void *arg, const struct uuid *id, const uint8_t *record, size_t len)
{
	(void)id;
	return blobs_add(arg, record, len);
}

static int add_gone(void *arg, const struct uuid *id)
{
	return blobs_add(arg, id->b, sizeof(id->b));
}

/* What one transaction saw. */
struct seen {
	struct uuid tenant_id;
	uint64_t from; /* UINT64_MAX: everything */
	struct tenant_row tenant;
	struct blobs upserts, removed;
};

static void seen_done(struct seen *s)
{
	blobs_done(&s->upserts);
	blobs_done(&s->removed);
}

static int look(struct txn *txn, void *ctx)
{
	struct seen *s = ctx;
	bool all = s->from == UINT64_MAX;
	int r;

	r = tenant_row_get(txn, &s->tenant_id, &s->tenant);
	if (r || (!all && s->tenant.generation <= s->from))
		return r;
	r = member_row_since(txn, &s->tenant_id, all ? 0 : s->from, add_record, &s->upserts);
	if (!r && !all)
		r = member_row_gone(txn, &s->tenant_id, s->from, add_gone, &s->removed);
	return r;
}

static int encode_tenant(const struct tenant_row *row, uint8_t **ret, size_t *ret_len)
{
	struct tenantrec t;

	plan_record(row, &t);
	return tenantrec_encode(&t, ret, ret_len);
}

/* One PeersUpdated: list packed, hashed, described by the head, signed. */
static int make_event(struct cp *cp, const Pb__PeerList *list, Pb__PeersHead *head,
		      char ret_kid[KEYRING_KID_ROOM], struct frame **ret)
{
	Pb__PeersUpdated update = PB__PEERS_UPDATED__INIT;
	Pb__AgentEvent event = PB__AGENT_EVENT__INIT;
	_cleanup_(freep) uint8_t *list_bytes = NULL;
	uint8_t hash[HASH_LEN], signature[SIGN_LEN], signed_bytes[512 + sizeof(PUBLISH_HEAD_MAGIC)];
	size_t list_len = protobuf_c_message_get_packed_size(&list->base);
	size_t magic_len = strlen(PUBLISH_HEAD_MAGIC), head_len;

	list_bytes = malloc(list_len ? list_len : 1);
	if (!list_bytes)
		return -ENOMEM;
	protobuf_c_message_pack(&list->base, list_bytes);
	hash_bytes(NULL, 0, list_bytes, list_len, hash);
	head->list_hash = (ProtobufCBinaryData){.data = hash, .len = sizeof(hash)};
	head_len = protobuf_c_message_get_packed_size(&head->base);
	if (head_len > sizeof(signed_bytes) - magic_len)
		return err_origin(-EMSGSIZE);
	memcpy(signed_bytes, PUBLISH_HEAD_MAGIC, magic_len);
	protobuf_c_message_pack(&head->base, signed_bytes + magic_len);
	keyring_sign(cp->keyring, KEYRING_LISTS, signed_bytes, magic_len + head_len, signature,
		     ret_kid);
	update.head = (ProtobufCBinaryData){.data = signed_bytes + magic_len, .len = head_len};
	update.list = (ProtobufCBinaryData){.data = list_bytes, .len = list_len};
	update.signature = (ProtobufCBinaryData){.data = signature, .len = sizeof(signature)};
	update.kid = ret_kid;
	event.type = (char *)"mesh.peers.updated";
	event.body_case = PB__AGENT_EVENT__BODY_PEERS_UPDATED;
	event.peers_updated = &update;
	*ret = events_frame(&event, false);
	return *ret ? 0 : -ENOMEM;
}

static Pb__PeersHead head_of(struct seen *s)
{
	Pb__PeersHead head = PB__PEERS_HEAD__INIT;

	head.tenant_id = (ProtobufCBinaryData){.data = s->tenant.id.b, .len = 16};
	head.epoch = s->tenant.epoch;
	head.to_generation = s->tenant.generation;
	head.list_digest = (ProtobufCBinaryData){.data = s->tenant.digest, .len = 32};
	return head;
}

static int frames_room(struct publish_frames *f, size_t n)
{
	f->frames = calloc(n, sizeof(*f->frames));
	return f->frames ? 0 : -ENOMEM;
}

int publish_delta(struct cp *cp, const struct uuid *tenant, uint64_t from,
		  struct publish_frames *ret, bool *ret_too_big)
{
	_cleanup_(seen_done) struct seen s = {.tenant_id = *tenant, .from = from};
	_cleanup_(publish_frames_done) struct publish_frames out = {0};
	_cleanup_(freep) uint8_t *record = NULL;
	Pb__PeerList list = PB__PEER_LIST__INIT;
	Pb__PeersHead head;
	int r;

	r = store_read(cp->store, look, &s);
	if (r)
		return r;
	out.epoch = s.tenant.epoch;
	out.generation = s.tenant.generation;
	*ret_too_big = s.upserts.n > PUBLISH_MAX_ITEMS || s.removed.n > PUBLISH_MAX_ITEMS;
	if (s.tenant.generation > from && !*ret_too_big) {
		head = head_of(&s);
		head.from_generation = from;
		head.last = true;
		list.upserts = s.upserts.p;
		list.n_upserts = s.upserts.n;
		list.removed_ids = s.removed.p;
		list.n_removed_ids = s.removed.n;
		if (s.tenant.record_generation > from)
			r = encode_tenant(&s.tenant, &record, &list.tenant.len);
		list.tenant.data = record;
		if (!r)
			r = frames_room(&out, 1);
		if (!r)
			r = make_event(cp, &list, &head, out.kid, &out.frames[0]);
		if (r)
			return err_trace(r);
		out.n = 1;
	}
	*ret = out;
	out = (struct publish_frames){0};
	return 0;
}

int publish_snapshot(struct cp *cp, const struct uuid *tenant, struct publish_frames *ret)
{
	_cleanup_(seen_done) struct seen s = {.tenant_id = *tenant, .from = UINT64_MAX};
	_cleanup_(publish_frames_done) struct publish_frames out = {0};
	_cleanup_(freep) uint8_t *record = NULL;
	size_t n_chunks, record_len;
	int r;

	r = store_read(cp->store, look, &s);
	if (!r)
		r = encode_tenant(&s.tenant, &record, &record_len);
	if (r)
		return r;
	n_chunks = s.upserts.n ? (s.upserts.n + PUBLISH_CHUNK - 1) / PUBLISH_CHUNK : 1;
	r = frames_room(&out, n_chunks);
	for (size_t i = 0; !r && i < n_chunks; i++) {
		Pb__PeerList list = PB__PEER_LIST__INIT;
		Pb__PeersHead head = head_of(&s);
		size_t rest = s.upserts.n - i * PUBLISH_CHUNK;

		head.snapshot = true;
		head.chunk = (uint32_t)i;
		head.last = i + 1 == n_chunks;
		list.upserts = s.upserts.p + i * PUBLISH_CHUNK;
		list.n_upserts = rest < PUBLISH_CHUNK ? rest : PUBLISH_CHUNK;
		if (i == 0)
			list.tenant = (ProtobufCBinaryData){.data = record, .len = record_len};
		r = make_event(cp, &list, &head, out.kid, &out.frames[i]);
		if (!r)
			out.n++;
	}
	if (r)
		return err_trace(r);
	out.epoch = s.tenant.epoch;
	out.generation = s.tenant.generation;
	*ret = out;
	out = (struct publish_frames){0};
	return 0;
}

static int look_generation(struct txn *txn, void *ctx)
{
	struct seen *s = ctx;

	return tenant_row_get(txn, &s->tenant_id, &s->tenant);
}

int publish_generation(struct cp *cp, const struct uuid *tenant, uint64_t *ret_epoch,
		       uint64_t *ret_generation)
{
	struct seen s = {.tenant_id = *tenant};
	int r = store_read(cp->store, look_generation, &s);

	if (r)
		return r;
	*ret_epoch = s.tenant.epoch;
	*ret_generation = s.tenant.generation;
	return 0;
}

struct ended {
	struct uuid tenant;
	int64_t now_ms;
	struct blobs ids;
};

static int look_ended(struct txn *txn, void *ctx)
{
	struct ended *e = ctx;

	return session_row_revoked(txn, &e->tenant, e->now_ms, add_gone, &e->ids);
}

int publish_revocations(struct cp *cp, const struct uuid *tenant, struct frame **ret)
{
	struct ended e = {.tenant = *tenant, .now_ms = clock_wall_ms()};
	Pb__Revocations revocations = PB__REVOCATIONS__INIT;
	Pb__AgentEvent event = PB__AGENT_EVENT__INIT;
	int r;

	r = store_read(cp->store, look_ended, &e);
	if (!r) {
		revocations.full = true;
		revocations.session_ids = e.ids.p;
		revocations.n_session_ids = e.ids.n;
		event.type = (char *)"mesh.revocations";
		event.body_case = PB__AGENT_EVENT__BODY_REVOCATIONS;
		event.revocations = &revocations;
		*ret = events_frame(&event, false);
		r = *ret ? 0 : -ENOMEM;
	}
	blobs_done(&e.ids);
	return err_trace(r);
}

/* --- keys --- */

/* Told before it signs, and for as long as what it signed is good. */
static int add_verify_key(struct arena *arena, const struct keyring_info *info,
			  Pb__VerifyKey **list, size_t *n)
{
	Pb__VerifyKey *key = arena_new(arena, Pb__VerifyKey);

	if (!key)
		return -ENOMEM;
	/* One more than nodes take lives for the moment in which the others are cut. */
	if (*n == KEYRING_MAX_LIVE)
		return 0;
	pb__verify_key__init(key);
	key->kid = arena_strdup(arena, info->kid);
	key->public_key.data = arena_memdup(arena, info->public, SIGN_PUBLIC_LEN);
	key->public_key.len = SIGN_PUBLIC_LEN;
	list[(*n)++] = key;
	return key->kid && key->public_key.data ? 0 : -ENOMEM;
}

/* ERR_NOT_FOUND: it retired meanwhile. */
static int add_share(struct cp *cp, struct arena *arena, const struct uuid *node, uint32_t version,
		     Pb__Keys *keys)
{
	Pb__NodePskKey *share = arena_new(arena, Pb__NodePskKey);
	struct key *k_n = arena_new(arena, struct key);
	int r;

	if (!share || !k_n)
		return -ENOMEM;
	if (keys->n_k_n == KEYRING_MAX_LIVE_PSK)
		return err_origin(-EMFILE);
	r = keyring_k_n(cp->keyring, node->b, version, k_n);
	if (r)
		return r;
	pb__node_psk_key__init(share);
	share->psk_version = version;
	share->key = (ProtobufCBinaryData){.data = k_n->b, .len = KEY_LEN};
	keys->k_n[keys->n_k_n++] = share;
	return 0;
}

static int add_key(struct cp *cp, struct arena *arena, const struct uuid *node,
		   const struct keyring_info *info, Pb__Keys *keys)
{
	int r;

	if (info->state == KEYRING_RETIRED)
		return 0;
	switch (info->use) {
	case KEYRING_SESSIONS:
		return add_verify_key(arena, info, keys->session_keys, &keys->n_session_keys);
	case KEYRING_LISTS:
		return add_verify_key(arena, info, keys->list_keys, &keys->n_list_keys);
	case KEYRING_PSK:
		r = add_share(cp, arena, node, info->version, keys);
		return r == ERR_NOT_FOUND ? 0 : r;
	default:
		return 0;
	}
}

static int add_pins(struct cp *cp, struct arena *arena, Pb__Keys *keys)
{
	uint8_t(*pins)[32] = arena_alloc(arena, PINS_MAX * sizeof(*pins));

	if (!pins)
		return -ENOMEM;
	keys->n_cp_pins = pins_get(cp, pins);
	for (size_t i = 0; i < keys->n_cp_pins; i++)
		keys->cp_pins[i] = (ProtobufCBinaryData){.data = pins[i], .len = 32};
	return 0;
}

Pb__Keys *publish_keys(struct cp *cp, struct arena *arena, const struct uuid *node)
{
	_cleanup_(freep) struct keyring_info *infos = NULL;
	Pb__Keys *keys = arena_new(arena, Pb__Keys);
	size_t n;
	int r;

	if (!keys || keyring_list(cp->keyring, &infos, &n))
		return NULL;
	pb__keys__init(keys);
	keys->session_keys = arena_alloc(arena, KEYRING_MAX_LIVE * sizeof(*keys->session_keys));
	keys->list_keys = arena_alloc(arena, KEYRING_MAX_LIVE * sizeof(*keys->list_keys));
	keys->k_n = arena_alloc(arena, KEYRING_MAX_LIVE_PSK * sizeof(*keys->k_n));
	keys->cp_pins = arena_alloc(arena, PINS_MAX * sizeof(*keys->cp_pins));
	if (!keys->session_keys || !keys->list_keys || !keys->k_n || !keys->cp_pins)
		return NULL;
	r = add_pins(cp, arena, keys);
	for (size_t i = 0; !r && i < n; i++)
		r = add_key(cp, arena, node, &infos[i], keys);
	return r ? NULL : keys;
}

struct frame *publish_keys_frame(struct cp *cp, const struct uuid *node)
{
	_cleanup_(arena_done) struct arena arena;
	Pb__AgentEvent event = PB__AGENT_EVENT__INIT;

	arena_init(&arena, 65536);
	event.type = (char *)"mesh.keys";
	event.body_case = PB__AGENT_EVENT__BODY_KEYS;
	event.keys = publish_keys(cp, &arena, node);
	return event.keys ? events_frame(&event, true) : NULL;
}
