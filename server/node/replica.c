/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The replica of the tenant's log. Members are kept as the bytes received; the
 * head that came with them is kept too, for the next hello.
 */
#include "server/node/replica.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "quazzar/mesh/v1/member.pb-c.h"
#include "server/dns/zone.h"

#define HEAD_CONTEXT "qmesh-head/1"
#define REVOKED_MAX 65536

int replica_init(struct replica *r, const struct uuid *self, const struct uuid *tenant_id)
{
	*r = (struct replica){.self = *self, .tenant_id = *tenant_id};
	r->list = members_new();
	if (!r->list)
		return err_origin(-ENOMEM);
	r->interface.backend = r->interface.backend_why = "";
	r->cp_lost_at_ms = clock_wall_ms();
	return -pthread_rwlock_init(&r->lock, NULL);
}

void replica_done(struct replica *r)
{
	free(r->https.ca);
	members_free(r->list);
	members_free(r->next);
	pill_table_done(&r->pills);
	trust_wipe(&r->trust);
	free(r->promoted);
	free(r->interface.failed);
	free(r->nodes_down);
	free(r->revoked);
	zone_free(r->zone);
	pthread_rwlock_destroy(&r->lock);
}

static void unlock(pthread_rwlock_t **lock)
{
	pthread_rwlock_unlock(*lock);
}

#define WRITE_LOCKED(r)                                                                            \
	_cleanup_(unlock) pthread_rwlock_t *locked_ = &(r)->lock;                                  \
	pthread_rwlock_wrlock(locked_)

/* Enroll gives the first list keys: nothing unsigned is ever taken. */
static int check_signature(const struct replica *r, const Pb__PeersUpdated *event)
{
	const struct trust_key *key = trust_list_key(&r->trust, event->kid);
	uint8_t signed_bytes[sizeof(HEAD_CONTEXT) - 1 + REPLICA_HEAD_MAX];
	size_t context_len = sizeof(HEAD_CONTEXT) - 1;

	if (!key || event->signature.len != SIGN_LEN)
		return -EBADMSG;
	memcpy(signed_bytes, HEAD_CONTEXT, context_len);
	memcpy(signed_bytes + context_len, event->head.data, event->head.len);
	return sign_verify(key->public_key, signed_bytes, context_len + event->head.len,
			   event->signature.data)
		       ? 0
		       : -EBADMSG;
}

static int check_event(const struct replica *r, const Pb__PeersUpdated *event,
		       const Pb__PeersHead *head)
{
	uint8_t hash[HASH_LEN];

	if (head->tenant_id.len != 16 || memcmp(head->tenant_id.data, r->tenant_id.b, 16) != 0)
		return -EBADMSG;
	hash_bytes(NULL, 0, event->list.data, event->list.len, hash);
	if (head->list_hash.len &&
	    (head->list_hash.len != HASH_LEN || memcmp(head->list_hash.data, hash, HASH_LEN) != 0))
		return -EBADMSG;
	return check_signature(r, event);
}

static void keep_head(struct replica *r, const Pb__PeersUpdated *event, const Pb__PeersHead *head)
{
	struct replica_head *h = &r->head;

	h->epoch = head->epoch;
	h->generation = head->to_generation;
	h->bytes_len = event->head.len;
	memcpy(h->bytes, event->head.data, event->head.len);
	h->signature_len = event->signature.len <= SIGN_LEN ? event->signature.len : 0;
	memcpy(h->signature, event->signature.data, h->signature_len);
	snprintf(h->kid, sizeof(h->kid), "%s", event->kid);
}

/* NULL: the head has none that could be compared. */
static const struct digest *digest_of(const Pb__PeersHead *head, struct digest *space)
{
	if (head->list_digest.len != DIGEST_LEN)
		return NULL;
	memcpy(space->b, head->list_digest.data, DIGEST_LEN);
	return space;
}

static void drop_next(struct replica *r)
{
	members_free(r->next);
	r->next = NULL;
	r->next_chunk = 0;
}

/* Older than what is here already: a list is never taken back. */
static bool is_old(const struct replica *r, const Pb__PeersHead *head)
{
	return head->epoch < r->head.epoch ||
	       (head->epoch == r->head.epoch && head->to_generation < r->head.generation);
}

static int differs(const Pb__PeersHead *head)
{
	log_error("node", "the list of generation %llu does not fit its digest",
		  (unsigned long long)head->to_generation);
	return REPLICA_DIFFERS;
}

/* Chunks of one snapshot, in order, from one place in the log. */
static int begin_or_go_on(struct replica *r, const Pb__PeersHead *head)
{
	if (head->chunk == 0) {
		drop_next(r);
		r->next = members_new();
		r->next_epoch = head->epoch;
		r->next_generation = head->to_generation;
		return r->next ? 0 : err_origin(-ENOMEM);
	}
	if (r->next && head->chunk == r->next_chunk && head->epoch == r->next_epoch &&
	    head->to_generation == r->next_generation)
		return 0;
	drop_next(r);
	return REPLICA_GAP;
}

static void prune_pills(struct replica *r)
{
	for (size_t i = r->pills.n; i-- > 0;)
		if (!members_get(r->list, &r->pills.rows[i].device_id)) {
			struct uuid id = r->pills.rows[i].device_id;

			pill_remove(&r->pills, &id);
		}
}

static int take_snapshot(struct replica *r, const Pb__PeersUpdated *event,
			 const Pb__PeersHead *head)
{
	const struct digest *expected;
	struct digest space;
	int e;

	if (is_old(r, head)) {
		drop_next(r);
		return REPLICA_OLD;
	}
	e = begin_or_go_on(r, head);
	if (e)
		return e;
	expected = head->last ? digest_of(head, &space) : NULL;
	e = members_apply(r->next, event->list.data, event->list.len, expected);
	if (!e && head->last && !expected)
		e = -EBADMSG;
	if (e) {
		drop_next(r);
		return e == -EILSEQ ? differs(head) : e;
	}
	r->next_chunk++;
	if (!head->last)
		return REPLICA_PARTIAL;
	members_free(r->list);
	r->list = TAKE(r->next);
	r->touched.all = true;
	prune_pills(r);
	drop_next(r);
	keep_head(r, event, head);
	return REPLICA_CHANGED;
}

/* In proportion to the change: nothing here looks at each member. */
static void hear(void *arg, const struct member *before, const struct member *now)
{
	struct replica *r = arg;

	touched_note(&r->touched, &r->self, before, now);
	if (before && !now)
		pill_remove(&r->pills, &before->id);
}

static int take_change(struct replica *r, const Pb__PeersUpdated *event, const Pb__PeersHead *head)
{
	const struct members_ear ear = {.fn = hear, .arg = r};
	const struct digest *expected;
	struct digest space;
	int e;

	if (head->epoch < r->head.epoch)
		return REPLICA_OLD;
	if (head->epoch != r->head.epoch || head->from_generation > r->head.generation)
		return REPLICA_GAP;
	if (head->to_generation <= r->head.generation)
		return REPLICA_IGNORED;
	expected = digest_of(head, &space);
	e = expected
		    ? members_apply_told(r->list, event->list.data, event->list.len, expected, &ear)
		    : -EBADMSG;
	if (e)
		return e == -EILSEQ ? differs(head) : e;
	keep_head(r, event, head);
	return REPLICA_CHANGED;
}

/* Promotions that the log agrees with, or whose rotation is over, are done. */
static void prune_promoted(struct replica *r)
{
	size_t kept = 0;

	for (size_t i = 0; i < r->n_promoted; i++)
		if (view_promoted_counts(r->list, &r->promoted[i]))
			r->promoted[kept++] = r->promoted[i];
	r->n_promoted = kept;
}

static void count(struct replica *r, int result)
{
	r->n_gaps += result == REPLICA_GAP;
	r->n_differing += result == REPLICA_DIFFERS;
	r->n_old += result == REPLICA_OLD;
	r->n_refused += result < 0;
}

int replica_take_peers(struct replica *r, const Pb__PeersUpdated *event)
{
	Pb__PeersHead *head;
	int result;

	if (event->head.len > REPLICA_HEAD_MAX)
		return -EBADMSG;
	head = pb__peers_head__unpack(NULL, event->head.len, event->head.data);
	if (!head)
		return -EBADMSG;
	{
		WRITE_LOCKED(r);

		result = check_event(r, event, head);
		if (!result)
			result = head->snapshot ? take_snapshot(r, event, head)
						: take_change(r, event, head);
		count(r, result);
		if (result == REPLICA_CHANGED) {
			prune_promoted(r);
			lease_set_length(&r->lease, members_tenant(r->list)->lease_s * 1000);
		}
	}
	pb__peers_head__free_unpacked(head, NULL);
	return result;
}

int replica_take_keys(struct replica *r, const Pb__Keys *keys)
{
	_cleanup_(trust_wipe) struct trust trust = {0};
	int e = trust_read(keys, &trust);
	WRITE_LOCKED(r);

	if (!e)
		r->trust = trust;
	return e;
}

static int compare_ids(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct uuid));
}

int replica_take_revocations(struct replica *r, const Pb__Revocations *event)
{
	WRITE_LOCKED(r);
	size_t kept = event->full ? 0 : r->n_revoked;
	struct uuid *revoked;

	if (event->n_session_ids + kept > REVOKED_MAX)
		return -EBADMSG;
	revoked = reallocarray(r->revoked, kept + event->n_session_ids + 1, sizeof(*revoked));
	if (!revoked)
		return err_origin(-ENOMEM);
	r->revoked = revoked;
	for (size_t i = 0; i < event->n_session_ids; i++)
		if (event->session_ids[i].len == sizeof(struct uuid))
			memcpy(revoked[kept++].b, event->session_ids[i].data, sizeof(struct uuid));
	r->n_revoked = kept;
	qsort(revoked, kept, sizeof(*revoked), compare_ids);
	return 0;
}

int replica_revoke(struct replica *r, const struct uuid *session_id)
{
	WRITE_LOCKED(r);
	struct uuid *revoked;

	if (uuid_is_nil(session_id) || replica_is_revoked(r, session_id))
		return 0;
	if (r->n_revoked == REVOKED_MAX)
		return err_origin(-ENOBUFS);
	revoked = reallocarray(r->revoked, r->n_revoked + 1, sizeof(*revoked));
	if (!revoked)
		return err_origin(-ENOMEM);
	r->revoked = revoked;
	revoked[r->n_revoked++] = *session_id;
	qsort(revoked, r->n_revoked, sizeof(*revoked), compare_ids);
	return 0;
}

static int64_t wall_ms(const Google__Protobuf__Timestamp *t)
{
	if (!t || t->seconds < 0 || t->seconds > INT64_MAX / 1000 - 1)
		return 0;
	return t->seconds * 1000 + t->nanos / 1000000;
}

/* Other homes speak for their devices; for ours the interface does. */
static void take_pill(struct replica *r, const Pb__PeerStatus *s)
{
	const struct member *m;
	struct pill_row *row;
	struct uuid id;

	if (s->device_id.len != sizeof(id.b))
		return;
	memcpy(id.b, s->device_id.data, sizeof(id.b));
	m = members_get(r->list, &id);
	if (!m || m->kind != MEMBER_DEVICE)
		return;
	row = pill_put(&r->pills, &id);
	if (!row || (uuid_equal(&m->device.home, &r->self) && row->handshake_ms))
		return;
	row->handshake_ms = wall_ms(s->latest_handshake);
	row->last_rx_ms = wall_ms(s->last_rx);
	row->key_version = s->key_version;
	row->rx_bytes = s->rx_bytes;
	row->tx_bytes = s->tx_bytes;
}

static int take_nodes_down(struct replica *r, const Pb__DeviceStatusUpdate *event)
{
	struct uuid *down = calloc(event->n_nodes_down + 1, sizeof(*down));
	size_t n = 0;

	if (!down)
		return -ENOMEM;
	for (size_t i = 0; i < event->n_nodes_down; i++)
		if (event->nodes_down[i].len == sizeof(struct uuid))
			memcpy(down[n++].b, event->nodes_down[i].data, sizeof(struct uuid));
	free(r->nodes_down);
	r->nodes_down = down;
	r->n_nodes_down = n;
	return 0;
}

int replica_take_status(struct replica *r, const Pb__DeviceStatusUpdate *event)
{
	WRITE_LOCKED(r);

	/* An update about some devices says nothing of nodes: what was told of them stands. */
	if (event->convergence) {
		if (take_nodes_down(r, event))
			return err_origin(-ENOMEM);
		standing_take(&r->standing, event->convergence);
	}
	if (event->converged_generation)
		r->converged_generation = event->converged_generation;
	for (size_t i = 0; i < event->n_statuses; i++)
		take_pill(r, event->statuses[i]);
	return 0;
}

int replica_promote(struct replica *r, const struct uuid *device_id, uint32_t key_version)
{
	WRITE_LOCKED(r);
	struct view_promoted *promoted;

	for (size_t i = 0; i < r->n_promoted; i++)
		if (uuid_equal(&r->promoted[i].device_id, device_id)) {
			r->promoted[i].key_version = key_version;
			return 0;
		}
	promoted = reallocarray(r->promoted, r->n_promoted + 1, sizeof(*promoted));
	if (!promoted)
		return err_origin(-ENOMEM);
	r->promoted = promoted;
	promoted[r->n_promoted++] =
		(struct view_promoted){.device_id = *device_id, .key_version = key_version};
	return 0;
}

void replica_renew_lease(struct replica *r, uint64_t asked_ms)
{
	WRITE_LOCKED(r);

	lease_renew(&r->lease, asked_ms);
}

bool replica_lease_turned(struct replica *r)
{
	WRITE_LOCKED(r);

	return r->interface.active && lease_is_over(&r->lease) != r->interface.lease_over;
}

void replica_take_time(struct replica *r, const Google__Protobuf__Timestamp *time)
{
	int64_t there_ms = wall_ms(time);
	WRITE_LOCKED(r);

	if (there_ms)
		r->clock_off_ms = clock_wall_ms() - there_ms;
}

void replica_set_link(struct replica *r, bool connected)
{
	WRITE_LOCKED(r);

	if (r->cp_connected && !connected)
		r->cp_lost_at_ms = clock_wall_ms();
	r->cp_connected = connected;
}

bool replica_is_revoked(const struct replica *r, const struct uuid *session_id)
{
	return r->n_revoked &&
	       bsearch(session_id, r->revoked, r->n_revoked, sizeof(struct uuid), compare_ids);
}

bool replica_is_down(const struct replica *r, const struct uuid *node_id)
{
	if (uuid_equal(node_id, &r->self))
		return false;
	if (!r->cp_connected)
		return true;
	for (size_t i = 0; i < r->n_nodes_down; i++)
		if (uuid_equal(&r->nodes_down[i], node_id))
			return true;
	return false;
}

const struct replica_failed *replica_failure(const struct replica *r, const struct uuid *id)
{
	for (size_t i = 0; i < r->interface.n_failed; i++)
		if (uuid_equal(&r->interface.failed[i].id, id))
			return &r->interface.failed[i];
	return NULL;
}

bool replica_is_promoted(const struct replica *r, const struct member *device)
{
	for (size_t i = 0; i < r->n_promoted; i++)
		if (uuid_equal(&r->promoted[i].device_id, &device->id))
			return r->promoted[i].key_version == device->device.pending.key_version;
	return false;
}
