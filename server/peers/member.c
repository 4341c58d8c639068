/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Member records to and from their wire form. A decoded member is one block of
 * memory: the struct, the bytes as received, then the strings. Pure; any thread.
 */
#include "server/peers/member.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/unpack.h"
#include "quazzar/mesh/v1/member.pb-c.h"

static ProtobufCBinaryData as_data(const void *p, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)p};
}

static char *as_string(const char *s)
{
	return s ? (char *)s : (char *)"";
}

static void put_time(int64_t ms, Google__Protobuf__Timestamp *t)
{
	google__protobuf__timestamp__init(t);
	t->seconds = ms / 1000;
	t->nanos = (int32_t)(ms % 1000) * 1000000;
}

static int64_t get_time(const Google__Protobuf__Timestamp *t)
{
	if (!t || t->seconds < 0 || t->seconds > INT64_MAX / 1000 - 1)
		return 0;
	return t->seconds * 1000 + t->nanos / 1000000;
}

static void put_key(const struct member_key *k, Pb__KeySlot *slot, Google__Protobuf__Timestamp *t)
{
	pb__key_slot__init(slot);
	slot->public_key = as_data(k->public_key.b, KEY_LEN);
	slot->key_version = k->key_version;
	slot->psk_version = k->psk_version;
	if (k->until_ms > 0) {
		put_time(k->until_ms, t);
		slot->until = t;
	}
}

struct device_parts {
	Pb__DeviceRecord record;
	Pb__KeySlot active, pending;
	Google__Protobuf__Timestamp active_until, pending_until;
};

static void put_device(const struct member *m, struct device_parts *d)
{
	pb__device_record__init(&d->record);
	d->record.type = (Pb__DeviceType)m->device.type;
	d->record.owner_id = as_data(m->device.owner_id.b, 16);
	d->record.owner_name = as_string(m->device.owner_name);
	d->record.home = as_data(m->device.home.b, 16);
	d->record.needs_new_config = m->device.needs_new_config;
	if (m->device.active.key_version) {
		put_key(&m->device.active, &d->active, &d->active_until);
		d->record.active = &d->active;
	}
	if (m->device.pending.key_version) {
		put_key(&m->device.pending, &d->pending, &d->pending_until);
		d->record.pending = &d->pending;
	}
}

int member_encode(const struct member *m, uint8_t **ret_bytes, size_t *ret_len)
{
	Pb__Member pb = PB__MEMBER__INIT;
	Pb__NodeRecord node = PB__NODE_RECORD__INIT;
	struct device_parts device;
	Google__Protobuf__Timestamp created;
	uint8_t *bytes;
	size_t len;

	pb.id = as_data(m->id.b, 16);
	pb.state = m->suspended ? PB__MEMBER_STATE__MEMBER_STATE_SUSPENDED
				: PB__MEMBER_STATE__MEMBER_STATE_ACTIVE;
	pb.label = as_string(m->label);
	pb.slug = as_string(m->slug);
	pb.ip4 = m->ip4;
	if (m->has_ip6)
		pb.ip6 = as_data(m->ip6, 16);
	put_time(m->created_at_ms, &created);
	pb.created_at = &created;
	if (m->kind == MEMBER_NODE) {
		node.public_key = as_data(m->node.public_key.b, KEY_LEN);
		node.endpoint = as_string(m->node.endpoint);
		pb.kind_case = PB__MEMBER__KIND_NODE;
		pb.node = &node;
	} else {
		put_device(m, &device);
		pb.kind_case = PB__MEMBER__KIND_DEVICE;
		pb.device = &device.record;
	}
	len = pb__member__get_packed_size(&pb);
	if (len > MEMBER_MAX_LEN)
		return err_origin(-EMSGSIZE);
	bytes = malloc(len);
	if (!bytes)
		return err_origin(-ENOMEM);
	pb__member__pack(&pb, bytes);
	*ret_bytes = bytes;
	*ret_len = len;
	return 0;
}

static bool get_id(const ProtobufCBinaryData *data, struct uuid *ret_id)
{
	if (data->len != sizeof(ret_id->b))
		return false;
	memcpy(ret_id->b, data->data, sizeof(ret_id->b));
	return true;
}

/* False: a slot that cannot be a key. */
static bool get_key(const Pb__KeySlot *slot, struct member_key *ret_key)
{
	if (!slot)
		return true;
	if (slot->public_key.len != KEY_LEN || slot->key_version == 0)
		return false;
	memcpy(ret_key->public_key.b, slot->public_key.data, KEY_LEN);
	ret_key->key_version = slot->key_version;
	ret_key->psk_version = slot->psk_version;
	ret_key->until_ms = get_time(slot->until);
	return true;
}

static bool is_well_formed(const Pb__Member *pb)
{
	bool has_kind =
		pb->kind_case == PB__MEMBER__KIND_NODE || pb->kind_case == PB__MEMBER__KIND_DEVICE;

	return has_kind && pb->id.len == 16 && (pb->ip6.len == 0 || pb->ip6.len == 16) &&
	       (pb->kind_case != PB__MEMBER__KIND_NODE || pb->node->public_key.len == KEY_LEN);
}

static const char *keep_string(char **at, const char *s)
{
	char *start = *at;

	*at = stpcpy(start, s) + 1;
	return start;
}

static size_t strings_len(const Pb__Member *pb)
{
	const char *last = pb->kind_case == PB__MEMBER__KIND_NODE ? pb->node->endpoint
								  : pb->device->owner_name;

	return strlen(pb->label) + strlen(pb->slug) + strlen(last) + 3;
}

static bool fill_device(const Pb__DeviceRecord *d, struct member *m)
{
	m->device.type = (enum member_device_type)d->type;
	m->device.needs_new_config = d->needs_new_config;
	if (d->owner_id.len && !get_id(&d->owner_id, &m->device.owner_id))
		return false;
	return get_id(&d->home, &m->device.home) && get_key(d->active, &m->device.active) &&
	       get_key(d->pending, &m->device.pending);
}

static void pb_member_freep(Pb__Member **pb)
{
	if (*pb)
		pb__member__free_unpacked(*pb, NULL);
}

int member_decode(const void *p, size_t len, struct member **ret_member)
{
	_cleanup_(pb_member_freep) Pb__Member *pb = NULL;
	_cleanup_(member_freep) struct member *m = NULL;
	uint8_t *bytes;
	char *at;

	if (len > MEMBER_MAX_LEN)
		return -EBADMSG;
	pb = (Pb__Member *)unpack_message(&pb__member__descriptor, NULL, p, len);
	if (!pb || !is_well_formed(pb))
		return -EBADMSG;
	m = calloc(1, sizeof(*m) + len + strings_len(pb));
	if (!m)
		return err_origin(-ENOMEM);
	bytes = (uint8_t *)(m + 1);
	memcpy(bytes, p, len);
	m->bytes = bytes;
	m->bytes_len = len;
	at = (char *)bytes + len;
	memcpy(m->id.b, pb->id.data, 16);
	m->suspended = pb->state == PB__MEMBER_STATE__MEMBER_STATE_SUSPENDED;
	m->label = keep_string(&at, pb->label);
	m->slug = keep_string(&at, pb->slug);
	m->ip4 = pb->ip4;
	m->has_ip6 = pb->ip6.len == 16;
	if (m->has_ip6)
		memcpy(m->ip6, pb->ip6.data, 16);
	m->created_at_ms = get_time(pb->created_at);
	m->node.endpoint = m->device.owner_name = "";
	if (pb->kind_case == PB__MEMBER__KIND_NODE) {
		m->kind = MEMBER_NODE;
		memcpy(m->node.public_key.b, pb->node->public_key.data, KEY_LEN);
		m->node.endpoint = keep_string(&at, pb->node->endpoint);
	} else {
		m->kind = MEMBER_DEVICE;
		m->device.owner_name = keep_string(&at, pb->device->owner_name);
		if (!fill_device(pb->device, m))
			return -EBADMSG;
	}
	*ret_member = TAKE(m);
	return 0;
}

void member_free(struct member *m)
{
	free(m);
}

const struct member_key *member_newest_key(const struct member *m)
{
	if (m->kind != MEMBER_DEVICE)
		return NULL;
	if (m->device.pending.key_version)
		return &m->device.pending;
	return m->device.active.key_version ? &m->device.active : NULL;
}
