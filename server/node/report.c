/* SPDX-License-Identifier: Apache-2.0 */
/* Replica -> ReportRequest. The memory of one report is an arena's. */
#include "server/node/report.h"

#include <errno.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "server/node/replica.h"

#define REPORT_BUDGET (4u << 20)
#define REPORT_MAX_UNREACHED 16

static ProtobufCBinaryData as_data(const void *p, size_t len)
{
	return (ProtobufCBinaryData){.len = len, .data = (uint8_t *)p};
}

static Google__Protobuf__Timestamp *as_time(struct arena *a, int64_t ms)
{
	Google__Protobuf__Timestamp *t = ms ? arena_new(a, Google__Protobuf__Timestamp) : NULL;

	if (t) {
		google__protobuf__timestamp__init(t);
		t->seconds = ms / 1000;
		t->nanos = (int32_t)(ms % 1000) * 1000000;
	}
	return t;
}

static bool is_ours(const struct replica *r, const struct pill_row *row)
{
	const struct member *m = members_get(r->list, &row->device_id);

	return m && m->kind == MEMBER_DEVICE && uuid_equal(&m->device.home, &r->self) &&
	       row->handshake_ms;
}

static Pb__PeerStatus *make_status(struct arena *a, const struct pill_row *row)
{
	Pb__PeerStatus *s = arena_new(a, Pb__PeerStatus);

	if (!s)
		return NULL;
	pb__peer_status__init(s);
	s->device_id = as_data(row->device_id.b, 16);
	s->latest_handshake = as_time(a, row->handshake_ms);
	s->last_rx = as_time(a, row->last_rx_ms);
	s->rx_bytes = row->rx_bytes;
	s->tx_bytes = row->tx_bytes;
	s->key_version = row->key_version;
	return s;
}

static int add_statuses(struct replica *r, struct arena *a, bool all, Pb__ReportRequest *req,
			bool *ret_more)
{
	size_t max = r->pills.n < REPORT_MAX_STATUSES ? r->pills.n : REPORT_MAX_STATUSES;

	req->statuses = arena_alloc(a, (max + 1) * sizeof(Pb__PeerStatus *));
	if (!req->statuses)
		return -ENOMEM;
	for (size_t i = 0; i < r->pills.n; i++) {
		struct pill_row *row = &r->pills.rows[i];

		/* Those for which there is no room go with the next one. */
		row->is_unsent = all || row->is_unsent;
		if (!row->is_unsent || !is_ours(r, row))
			continue;
		if (req->n_statuses == max) {
			*ret_more = true;
			continue;
		}
		req->statuses[req->n_statuses] = make_status(a, row);
		if (!req->statuses[req->n_statuses])
			return -ENOMEM;
		req->n_statuses++;
		row->is_unsent = false;
	}
	return 0;
}

static int add_failed(struct replica *r, struct arena *a, Pb__ReportRequest *req)
{
	size_t n = r->interface.n_failed;
	Pb__FailedPeer *items = arena_alloc(a, (n + 1) * sizeof(*items));

	req->failed = arena_alloc(a, (n + 1) * sizeof(Pb__FailedPeer *));
	if (!items || !req->failed)
		return -ENOMEM;
	for (size_t i = 0; i < n && i < 4096; i++) {
		pb__failed_peer__init(&items[i]);
		items[i].id = as_data(r->interface.failed[i].id.b, 16);
		items[i].errno_code = (uint32_t)r->interface.failed[i].error;
		req->failed[req->n_failed++] = &items[i];
	}
	return 0;
}

static int add_promoted(struct replica *r, struct arena *a, Pb__ReportRequest *req)
{
	Pb__Promoted *items = arena_alloc(a, (r->n_promoted + 1) * sizeof(*items));

	req->promoted = arena_alloc(a, (r->n_promoted + 1) * sizeof(Pb__Promoted *));
	if (!items || !req->promoted)
		return -ENOMEM;
	for (size_t i = 0; i < r->n_promoted && i < 4096; i++) {
		pb__promoted__init(&items[i]);
		items[i].device_id = as_data(r->promoted[i].device_id.b, 16);
		items[i].key_version = r->promoted[i].key_version;
		req->promoted[req->n_promoted++] = &items[i];
	}
	return 0;
}

static int add_unreached(struct replica *r, struct arena *a, Pb__ReportRequest *req)
{
	int64_t now_ms = clock_wall_ms();

	req->unreached = arena_alloc(a, REPORT_MAX_UNREACHED * sizeof(*req->unreached));
	if (!req->unreached)
		return -ENOMEM;
	for (size_t i = 0; i < r->pills.n && req->n_unreached < REPORT_MAX_UNREACHED; i++)
		if (pill_is_unreached(&r->pills.rows[i], now_ms))
			req->unreached[req->n_unreached++] =
				as_data(r->pills.rows[i].device_id.b, 16);
	return 0;
}

static int fill(struct replica *r, struct arena *a, bool all, Pb__ReportRequest *req,
		bool *ret_more)
{
	int e;

	req->epoch = r->interface.epoch;
	req->applied_generation = r->interface.generation;
	req->list_digest = as_data(r->interface.list_digest.b, DIGEST_LEN);
	req->device_digest = as_data(r->interface.device_digest.b, DIGEST_LEN);
	req->backend = (char *)r->interface.backend;
	req->forwarding = r->interface.forwarding;
	req->listen_port = r->interface.listen_port;
	req->version = (char *)QMESH_VERSION;
	req->dns_status = r->interface.dns_status;
	req->https_status = r->https.status;
	req->overlap = r->interface.overlap;
	req->lease_over = r->interface.lease_over;
	req->time = as_time(a, clock_wall_ms());
	e = add_statuses(r, a, all, req, ret_more);
	if (!e)
		e = add_failed(r, a, req);
	if (!e)
		e = add_promoted(r, a, req);
	if (!e)
		e = add_unreached(r, a, req);
	return e;
}

int report_make(struct replica *r, bool interest, bool all, uint8_t **ret_bytes, size_t *ret_len,
		bool *ret_more)
{
	Pb__ReportRequest req = PB__REPORT_REQUEST__INIT;
	struct arena arena;
	uint8_t *bytes = NULL;
	int e;

	arena_init(&arena, REPORT_BUDGET);
	*ret_more = false;
	req.interest = interest;
	pthread_rwlock_wrlock(&r->lock);
	e = fill(r, &arena, all, &req, ret_more);
	if (!e) {
		bytes = malloc(pb__report_request__get_packed_size(&req) + 1);
		if (bytes)
			*ret_len = pb__report_request__pack(&req, bytes);
		else
			e = -ENOMEM;
	}
	pthread_rwlock_unlock(&r->lock);
	arena_done(&arena);
	if (e)
		return err_origin(e);
	*ret_bytes = bytes;
	return 0;
}

void report_unsend(struct replica *r)
{
	pthread_rwlock_wrlock(&r->lock);
	for (size_t i = 0; i < r->pills.n; i++)
		r->pills.rows[i].is_unsent = true;
	pthread_rwlock_unlock(&r->lock);
}
