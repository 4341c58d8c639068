/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The member table: an array of pointers sorted by id. Ids carry their time of
 * birth in front, so new members land at the end and inserting is cheap.
 */
#include "server/peers/members.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "quazzar/mesh/v1/member.pb-c.h"

struct members {
	struct member **rows;
	size_t n, cap, n_devices;
	struct tenantrec tenant;
	uint8_t *tenant_bytes;
	size_t tenant_len;
	struct digest digest;
};

struct members *members_new(void)
{
	return calloc(1, sizeof(struct members));
}

void members_free(struct members *ms)
{
	if (!ms)
		return;
	for (size_t i = 0; i < ms->n; i++)
		member_free(ms->rows[i]);
	free(ms->rows);
	free(ms->tenant_bytes);
	free(ms);
}

/* Index of the first row whose id is not less than id. */
static size_t lower_bound(const struct members *ms, const struct uuid *id)
{
	size_t low = 0, high = ms->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(ms->rows[middle]->id.b, id->b, sizeof(id->b)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct members *ms, size_t i, const struct uuid *id)
{
	return i < ms->n && uuid_equal(&ms->rows[i]->id, id);
}

static int reserve(struct members *ms, size_t n)
{
	size_t cap = ms->cap ? ms->cap : 16;
	struct member **rows;

	if (n <= ms->cap)
		return 0;
	while (cap < n)
		cap *= 2;
	rows = reallocarray(ms->rows, cap, sizeof(struct member *));
	if (!rows)
		return err_origin(-ENOMEM);
	ms->rows = rows;
	ms->cap = cap;
	return 0;
}

static void forget(struct members *ms, size_t i)
{
	struct member *m = ms->rows[i];

	digest_sub(&ms->digest, m->bytes, m->bytes_len);
	ms->n_devices -= m->kind == MEMBER_DEVICE;
	member_free(m);
}

static void tell(const struct members_ear *ear, const struct member *before,
		 const struct member *now)
{
	if (ear)
		ear->fn(ear->arg, before, now);
}

/* Room was reserved; takes m. */
static void insert(struct members *ms, struct member *m, const struct members_ear *ear)
{
	size_t i = lower_bound(ms, &m->id);
	bool replaces = is_at(ms, i, &m->id);

	tell(ear, replaces ? ms->rows[i] : NULL, m);
	if (replaces) {
		forget(ms, i);
	} else {
		memmove(ms->rows + i + 1, ms->rows + i, (ms->n - i) * sizeof(struct member *));
		ms->n++;
	}
	ms->rows[i] = m;
	ms->n_devices += m->kind == MEMBER_DEVICE;
	digest_add(&ms->digest, m->bytes, m->bytes_len);
}

int members_put(struct members *ms, const void *bytes, size_t len)
{
	struct member *m;
	int r;

	r = reserve(ms, ms->n + 1);
	if (r)
		return r;
	r = member_decode(bytes, len, &m);
	if (r)
		return r;
	insert(ms, m, NULL);
	return 0;
}

bool members_remove(struct members *ms, const struct uuid *id)
{
	size_t i = lower_bound(ms, id);

	if (!is_at(ms, i, id))
		return false;
	forget(ms, i);
	memmove(ms->rows + i, ms->rows + i + 1, (ms->n - i - 1) * sizeof(struct member *));
	ms->n--;
	return true;
}

int members_set_tenant(struct members *ms, const void *bytes, size_t len)
{
	struct tenantrec tenant;
	uint8_t *copy;
	int r;

	r = tenantrec_decode(bytes, len, &tenant);
	if (r)
		return r;
	copy = malloc(len ? len : 1);
	if (!copy)
		return err_origin(-ENOMEM);
	memcpy(copy, bytes, len);
	free(ms->tenant_bytes);
	ms->tenant_bytes = copy;
	ms->tenant_len = len;
	ms->tenant = tenant;
	return 0;
}

static void free_decoded(struct member **decoded, size_t n)
{
	for (size_t i = 0; i < n; i++)
		member_free(decoded[i]);
	free(decoded);
}

static int decode_all(const Pb__PeerList *list, struct member ***ret_decoded)
{
	struct member **decoded = calloc(list->n_upserts + 1, sizeof(struct member *));

	if (!decoded)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < list->n_upserts; i++) {
		int r = member_decode(list->upserts[i].data, list->upserts[i].len, &decoded[i]);

		if (r) {
			free_decoded(decoded, i);
			return r;
		}
	}
	*ret_decoded = decoded;
	return 0;
}

/* The digest there would be; each id is in the list once. */
static bool leads_to(const struct members *ms, const Pb__PeerList *list, struct member **decoded,
		     const struct digest *expected)
{
	struct digest digest = ms->digest;
	const struct member *old;
	struct uuid id;

	for (size_t i = 0; i < list->n_upserts; i++) {
		old = members_get(ms, &decoded[i]->id);
		if (old)
			digest_sub(&digest, old->bytes, old->bytes_len);
		digest_add(&digest, decoded[i]->bytes, decoded[i]->bytes_len);
	}
	for (size_t i = 0; i < list->n_removed_ids; i++) {
		memcpy(id.b, list->removed_ids[i].data, sizeof(id.b));
		old = members_get(ms, &id);
		if (old)
			digest_sub(&digest, old->bytes, old->bytes_len);
	}
	return memcmp(digest.b, expected->b, sizeof(digest.b)) == 0;
}

static void remove_told(struct members *ms, const uint8_t *id_bytes, const struct members_ear *ear)
{
	const struct member *before;
	struct uuid id;

	memcpy(id.b, id_bytes, sizeof(id.b));
	before = members_get(ms, &id);
	if (!before)
		return;
	tell(ear, before, NULL);
	members_remove(ms, &id);
}

static int apply_list(struct members *ms, const Pb__PeerList *list, const struct digest *expected,
		      const struct members_ear *ear)
{
	struct member **decoded = NULL;
	int r;

	for (size_t i = 0; i < list->n_removed_ids; i++)
		if (list->removed_ids[i].len != sizeof(struct uuid))
			return -EBADMSG;
	r = reserve(ms, ms->n + list->n_upserts);
	if (r)
		return r;
	r = decode_all(list, &decoded);
	if (r)
		return r;
	if (expected && !leads_to(ms, list, decoded, expected)) {
		free_decoded(decoded, list->n_upserts);
		return -EILSEQ;
	}
	if (list->tenant.len) {
		r = members_set_tenant(ms, list->tenant.data, list->tenant.len);
		if (r) {
			free_decoded(decoded, list->n_upserts);
			return r;
		}
		tell(ear, NULL, NULL);
	}
	for (size_t i = 0; i < list->n_upserts; i++)
		insert(ms, decoded[i], ear);
	free(decoded);
	for (size_t i = 0; i < list->n_removed_ids; i++)
		remove_told(ms, list->removed_ids[i].data, ear);
	return 0;
}

int members_apply(struct members *ms, const void *list, size_t len, const struct digest *expected)
{
	return members_apply_told(ms, list, len, expected, NULL);
}

int members_apply_told(struct members *ms, const void *list, size_t len,
		       const struct digest *expected, const struct members_ear *ear)
{
	Pb__PeerList *pb = pb__peer_list__unpack(NULL, len, list);
	int r;

	if (!pb)
		return -EBADMSG;
	r = apply_list(ms, pb, expected, ear);
	pb__peer_list__free_unpacked(pb, NULL);
	return r;
}

int members_encode(const struct members *ms, size_t from, size_t max, uint8_t **ret_bytes,
		   size_t *ret_len)
{
	_cleanup_(freep) ProtobufCBinaryData *rows = NULL;
	Pb__PeerList list = PB__PEER_LIST__INIT;
	uint8_t *bytes;

	if (from > ms->n)
		from = ms->n;
	list.n_upserts = ms->n - from < max ? ms->n - from : max;
	rows = calloc(list.n_upserts + 1, sizeof(*rows));
	if (!rows)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < list.n_upserts; i++) {
		const struct member *m = ms->rows[from + i];

		rows[i] = (ProtobufCBinaryData){.len = m->bytes_len, .data = (uint8_t *)m->bytes};
	}
	list.upserts = rows;
	if (from == 0 && ms->tenant_bytes)
		list.tenant =
			(ProtobufCBinaryData){.len = ms->tenant_len, .data = ms->tenant_bytes};
	bytes = malloc(pb__peer_list__get_packed_size(&list) + 1);
	if (!bytes)
		return err_origin(-ENOMEM);
	*ret_len = pb__peer_list__pack(&list, bytes);
	*ret_bytes = bytes;
	return 0;
}

const struct member *members_get(const struct members *ms, const struct uuid *id)
{
	size_t i = lower_bound(ms, id);

	return is_at(ms, i, id) ? ms->rows[i] : NULL;
}

const struct member *members_at(const struct members *ms, size_t i)
{
	return i < ms->n ? ms->rows[i] : NULL;
}

size_t members_after(const struct members *ms, const struct uuid *id)
{
	size_t i = lower_bound(ms, id);

	return is_at(ms, i, id) ? i + 1 : i;
}

static bool has_key(const struct member *m, const struct key *public_key)
{
	if (m->kind == MEMBER_NODE)
		return key_equal(&m->node.public_key, public_key);
	return (m->device.active.key_version &&
		key_equal(&m->device.active.public_key, public_key)) ||
	       (m->device.pending.key_version &&
		key_equal(&m->device.pending.public_key, public_key));
}

const struct member *members_by_key(const struct members *ms, const struct key *public_key)
{
	for (size_t i = 0; i < ms->n; i++)
		if (has_key(ms->rows[i], public_key))
			return ms->rows[i];
	return NULL;
}

size_t members_count(const struct members *ms)
{
	return ms->n;
}

size_t members_devices(const struct members *ms)
{
	return ms->n_devices;
}

const struct tenantrec *members_tenant(const struct members *ms)
{
	return &ms->tenant;
}

const struct digest *members_digest(const struct members *ms)
{
	return &ms->digest;
}
