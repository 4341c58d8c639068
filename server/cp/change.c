/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/change.h"

#include <string.h>

#include "base/err.h"
#include "server/cp/ipam.h"
#include "server/peers/digest.h"
#include "server/peers/member.h"

int change_begin(struct txn *txn, const struct uuid *tenant, int64_t now_ms,
		 struct change *ret_change)
{
	ret_change->now_ms = now_ms;
	return tenant_row_bump(txn, tenant, &ret_change->tenant);
}

static void digest_swap(struct change *change, const void *old, size_t old_len, const void *new,
			size_t new_len)
{
	struct digest *digest = (struct digest *)change->tenant.digest;

	if (old)
		digest_sub(digest, old, old_len);
	if (new)
		digest_add(digest, new, new_len);
}

static struct member_key slot_of(const struct key_row *row)
{
	return (struct member_key){.public_key = row->public_key,
				   .key_version = row->key_version,
				   .psk_version = row->psk_version,
				   .until_ms = row->until_ms};
}

static int encode_device(const struct change *change, const struct device_row *row,
			 uint8_t **ret_bytes, size_t *ret_len)
{
	struct member m = {
		.id = row->id,
		.kind = MEMBER_DEVICE,
		.suspended = row->state == MEMBER_ROW_SUSPENDED,
		.label = row->label,
		.slug = row->slug,
		.ip4 = row->ip4,
		.has_ip6 = true,
		.created_at_ms = row->created_ms,
	};

	ipam_address6(&change->tenant, row->ip4, m.ip6);
	m.device.type = (enum member_device_type)row->type;
	m.device.owner_id = row->owner;
	m.device.owner_name = row->owner_name;
	m.device.home = row->home;
	m.device.needs_new_config = row->needs_new_config;
	m.device.active = slot_of(&row->active);
	m.device.pending = slot_of(&row->pending);
	return member_encode(&m, ret_bytes, ret_len);
}

static int encode_node(const struct change *change, const struct node_row *row, uint8_t **ret_bytes,
		       size_t *ret_len)
{
	struct member m = {
		.id = row->id,
		.kind = MEMBER_NODE,
		.label = row->label,
		.slug = row->slug,
		.ip4 = row->ip4,
		.has_ip6 = true,
		.created_at_ms = row->created_ms,
	};

	ipam_address6(&change->tenant, row->ip4, m.ip6);
	m.node.public_key = row->public_key;
	m.node.endpoint = row->endpoint;
	return member_encode(&m, ret_bytes, ret_len);
}

static struct member_row member_of(const struct change *change, const struct device_row *row)
{
	struct member_row m = {.tenant = change->tenant.id,
			       .id = row->id,
			       .kind = MEMBER_ROW_DEVICE,
			       .state = row->state,
			       .ip4 = row->ip4,
			       .created_ms = row->created_ms,
			       .generation = change->tenant.generation};

	memcpy(m.label, row->label, sizeof(m.label));
	memcpy(m.slug, row->slug, sizeof(m.slug));
	return m;
}

/* Both slots as the row has them. */
static int put_keys(struct txn *txn, const struct device_row *row)
{
	int r = 0;

	if (row->active.key_version)
		r = key_row_insert(txn, &row->tenant, &row->id, KEY_ACTIVE, &row->active);
	if (!r && row->pending.key_version)
		r = key_row_insert(txn, &row->tenant, &row->id, KEY_PENDING, &row->pending);
	return err_trace(r);
}

int change_add_device(struct txn *txn, struct change *change, struct device_row *row)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	struct member_row member;
	size_t len;
	int r;

	row->tenant = change->tenant.id;
	row->generation = change->tenant.generation;
	r = encode_device(change, row, &bytes, &len);
	if (r)
		return err_trace(r);
	member = member_of(change, row);
	member.record = bytes;
	member.record_len = len;
	r = member_row_insert(txn, &member);
	if (!r)
		r = device_row_insert(txn, row);
	if (r == -EDQUOT)
		return ERR_DEVICE_CAP_REACHED;
	if (!r)
		r = put_keys(txn, row);
	if (r)
		return err_trace(r);
	digest_swap(change, NULL, 0, bytes, len);
	change->tenant.devices++;
	return 0;
}

int change_add_node(struct txn *txn, struct change *change, struct node_row *row)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	struct key_row key = {.public_key = row->public_key, .key_version = 1};
	struct member_row member = {.tenant = change->tenant.id,
				    .id = row->id,
				    .kind = MEMBER_ROW_NODE,
				    .state = MEMBER_ROW_ACTIVE,
				    .ip4 = row->ip4,
				    .created_ms = row->created_ms,
				    .generation = change->tenant.generation};
	int r;

	row->tenant = change->tenant.id;
	row->generation = change->tenant.generation;
	memcpy(member.label, row->label, sizeof(member.label));
	memcpy(member.slug, row->slug, sizeof(member.slug));
	r = encode_node(change, row, &bytes, &member.record_len);
	if (r)
		return err_trace(r);
	member.record = bytes;
	r = member_row_insert(txn, &member);
	if (!r)
		r = node_row_insert(txn, row);
	if (!r)
		r = key_row_insert(txn, &row->tenant, &row->id, KEY_ACTIVE, &key);
	if (r)
		return err_trace(r);
	digest_swap(change, NULL, 0, bytes, member.record_len);
	change->tenant.nodes++;
	return 0;
}

int change_save_device(struct txn *txn, struct change *change, struct device_row *row)
{
	_cleanup_(freep) uint8_t *bytes = NULL;
	uint8_t old[MEMBER_ROW_RECORD_MAX];
	struct member_row member;
	size_t len, old_len;
	int r;

	row->generation = change->tenant.generation;
	r = member_row_record(txn, &row->tenant, &row->id, old, &old_len);
	if (!r)
		r = encode_device(change, row, &bytes, &len);
	if (r)
		return err_trace(r);
	member = member_of(change, row);
	member.record = bytes;
	member.record_len = len;
	r = member_row_save(txn, &member);
	if (!r)
		r = device_row_save(txn, row);
	if (!r)
		r = key_row_delete(txn, &row->tenant, &row->id, KEY_ACTIVE);
	if (!r)
		r = key_row_delete(txn, &row->tenant, &row->id, KEY_PENDING);
	if (!r)
		r = put_keys(txn, row);
	if (r)
		return err_trace(r);
	digest_swap(change, old, old_len, bytes, len);
	return 0;
}

int change_remove(struct txn *txn, struct change *change, const struct uuid *id, uint32_t ip4)
{
	uint8_t old[MEMBER_ROW_RECORD_MAX];
	size_t old_len;
	int r;

	r = member_row_record(txn, &change->tenant.id, id, old, &old_len);
	if (!r)
		r = member_row_delete(txn, &change->tenant.id, id, change->tenant.generation);
	if (!r)
		r = ipam_free(txn, &change->tenant, ip4, change->now_ms);
	if (r)
		return err_trace(r);
	digest_swap(change, old, old_len, NULL, 0);
	return 0;
}

int change_end(struct txn *txn, struct change *change)
{
	return tenant_row_save(txn, &change->tenant, change->now_ms);
}
