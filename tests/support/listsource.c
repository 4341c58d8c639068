/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/support/listsource.h"

#include <stdio.h>
#include <string.h>

#include "base/unpack.h"
#include "quazzar/mesh/v1/member.pb-c.h"

#define CONTEXT "qmesh-head/1"
enum { HEAD_MAX = 512 };

static void must(int r, const char *what)
{
	if (!r)
		return;
	fprintf(stderr, "listsource: %s: %s\n", what, strerror(-r));
	abort();
}

void listsource_init(struct listsource *s, const struct uuid *tenant, struct cidr range4)
{
	struct tenantrec record = {.id = *tenant, .name = "acme", .range4 = range4};
	uint8_t *bytes;
	size_t len;

	*s = (struct listsource){.tenant = *tenant, .epoch = 1};
	s->all = members_new();
	s->news = members_new();
	must(s->all && s->news ? 0 : -1, "memory");
	sign_make(s->sign_public, s->sign_secret);
	must(tenantrec_encode(&record, &bytes, &len), "tenant");
	must(members_set_tenant(s->all, bytes, len), "tenant");
	free(bytes);
}

void listsource_done(struct listsource *s)
{
	members_free(s->all);
	members_free(s->news);
}

void listsource_trust(const struct listsource *s, struct replica *r)
{
	struct trust *t = &r->trust;

	t->n_list_keys = 1;
	strcpy(t->list_keys[0].kid, "k1");
	memcpy(t->list_keys[0].public_key, s->sign_public, SIGN_PUBLIC_LEN);
	t->n_k_n = 1;
	t->k_n[0].psk_version = 1;
	t->k_n[0].key.b[5] = 7;
}

void listsource_put(struct listsource *s, const struct member *m)
{
	uint8_t *bytes;
	size_t len;

	/* An event removes last: what comes again is not gone. */
	for (size_t i = 0; i < s->n_gone; i++)
		if (uuid_equal(&s->gone[i], &m->id))
			s->gone[i--] = s->gone[--s->n_gone];
	must(member_encode(m, &bytes, &len), "member");
	must(members_put(s->all, bytes, len), "member");
	must(members_put(s->news, bytes, len), "member");
	free(bytes);
}

void listsource_remove(struct listsource *s, const struct uuid *id)
{
	if (!members_remove(s->all, id))
		return;
	members_remove(s->news, id);
	must(s->n_gone == 64 ? -1 : 0, "too many removals for one event");
	s->gone[s->n_gone++] = *id;
}

/* What changed as an encoded PeerList. */
static uint8_t *news(struct listsource *s, size_t *ret_len)
{
	ProtobufCBinaryData ids[64];
	uint8_t *bytes, *list;
	Pb__PeerList *pb;
	size_t len;

	must(members_encode(s->news, 0, SIZE_MAX, &bytes, &len), "news");
	pb = pb__peer_list__unpack(NULL, len, bytes);
	free(bytes);
	must(pb ? 0 : -1, "news");
	for (size_t i = 0; i < s->n_gone; i++)
		ids[i] = (ProtobufCBinaryData){.len = 16, .data = s->gone[i].b};
	pb->removed_ids = ids;
	pb->n_removed_ids = s->n_gone;
	list = malloc(pb__peer_list__get_packed_size(pb) + 1);
	must(list ? 0 : -1, "memory");
	*ret_len = pb__peer_list__pack(pb, list);
	pb->removed_ids = NULL;
	pb->n_removed_ids = 0;
	pb__peer_list__free_unpacked(pb, NULL);
	return list;
}

static uint8_t *wrap(struct listsource *s, Pb__PeersHead *head, const uint8_t *list,
		     size_t *ret_len)
{
	Pb__SubscribeResponse out = PB__SUBSCRIBE_RESPONSE__INIT;
	Pb__PeersUpdated updated = PB__PEERS_UPDATED__INIT;
	uint8_t text[sizeof(CONTEXT) - 1 + HEAD_MAX] = CONTEXT, signature[SIGN_LEN], *bytes;
	Pb__AgentEvent event = PB__AGENT_EVENT__INIT;
	size_t context_len = sizeof(CONTEXT) - 1;

	updated.head.len = pb__peers_head__pack(head, text + context_len);
	updated.head.data = text + context_len;
	updated.list = (ProtobufCBinaryData){.len = *ret_len, .data = (uint8_t *)list};
	sign_message(s->sign_secret, text, context_len + updated.head.len, signature);
	updated.signature = (ProtobufCBinaryData){.len = SIGN_LEN, .data = signature};
	updated.kid = (char *)"k1";
	event.type = (char *)"mesh.peers.updated";
	event.body_case = PB__AGENT_EVENT__BODY_PEERS_UPDATED;
	event.peers_updated = &updated;
	out.event = &event;
	bytes = malloc(pb__subscribe_response__get_packed_size(&out) + 1);
	must(bytes ? 0 : -1, "memory");
	*ret_len = pb__subscribe_response__pack(&out, bytes);
	return bytes;
}

uint8_t *listsource_event(struct listsource *s, bool snapshot, size_t *ret_len)
{
	Pb__PeersHead head = PB__PEERS_HEAD__INIT;
	struct digest digest = *members_digest(s->all);
	uint8_t hash[HASH_LEN], *list, *bytes;

	if (snapshot)
		must(members_encode(s->all, 0, SIZE_MAX, &list, ret_len), "snapshot");
	else
		list = news(s, ret_len);
	head.tenant_id = (ProtobufCBinaryData){.len = 16, .data = s->tenant.b};
	head.epoch = s->epoch;
	head.from_generation = s->generation;
	head.to_generation = ++s->generation;
	head.snapshot = head.last = snapshot;
	head.list_digest = (ProtobufCBinaryData){.len = DIGEST_LEN, .data = digest.b};
	hash_bytes(NULL, 0, list, *ret_len, hash);
	head.list_hash = (ProtobufCBinaryData){.len = HASH_LEN, .data = hash};
	bytes = wrap(s, &head, list, ret_len);
	free(list);
	members_free(s->news);
	s->news = members_new();
	must(s->news ? 0 : -1, "memory");
	s->n_gone = 0;
	return bytes;
}

int listsource_give(const uint8_t *bytes, size_t len, struct replica *r)
{
	Pb__SubscribeResponse *pb = (Pb__SubscribeResponse *)unpack_message(
		&pb__subscribe_response__descriptor, NULL, bytes, len);
	int result;

	must(pb && pb->event ? 0 : -1, "event");
	result = replica_take_peers(r, pb->event->peers_updated);
	pb__subscribe_response__free_unpacked(pb, NULL);
	return result;
}
