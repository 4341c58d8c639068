/* SPDX-License-Identifier: Apache-2.0 */
/* Devices from the replica. States of devices homed elsewhere come through the Control Panel. */
#include "server/node/nodedevice.h"

#include <errno.h>
#include <string.h>

#include "server/node/firstlook.h"
#include "server/node/node.h"
#include "server/node/rings.h"
#include "server/node/show.h"
#include "server/rpc/call.h"

#define PAGE_SIZE 500

static void unlock(pthread_rwlock_t **lock)
{
	pthread_rwlock_unlock(*lock);
}

#define READ_LOCKED(r)                                                                             \
	_cleanup_(unlock) pthread_rwlock_t *locked_ = &(r)->lock;                                  \
	pthread_rwlock_rdlock(locked_)

/* --- list and one --- */

static bool sees_all(const struct call *call)
{
	return call->caller.role == ROLE_ADMIN || call->caller.role == ROLE_AUDITOR;
}

static bool is_listed(const struct call *call, const Pb__ListDevicesRequest *in,
		      const struct member *m)
{
	return m->kind == MEMBER_DEVICE &&
	       (in->all || uuid_equal(&m->device.owner_id, &call->caller.user_id));
}

static int fill_list(struct call *call)
{
	const Pb__ListDevicesRequest *in = (const Pb__ListDevicesRequest *)call->in;
	Pb__ListDevicesResponse *out = (Pb__ListDevicesResponse *)call->out;
	size_t max = in->page_size ? in->page_size : PAGE_SIZE, i = 0;
	struct node *n = call->owner;
	struct uuid after;
	READ_LOCKED(&n->replica);

	if (in->page_token[0]) {
		if (uuid_parse(in->page_token, &after))
			return call_fail(call, ERR_PAGE_TOKEN_INVALID,
					 "The page token is not one of ours. Start anew.");
		i = members_after(n->replica.list, &after);
	}
	out->devices = call_alloc(call, (max + 1) * sizeof(Pb__Device *));
	if (!out->devices)
		return err_origin(-ENOMEM);
	for (out->n_devices = 0; i < members_count(n->replica.list); i++) {
		const struct member *m = members_at(n->replica.list, i);

		if (!is_listed(call, in, m))
			continue;
		if (out->n_devices == max) {
			out->next_page_token = out->devices[max - 1]->id;
			break;
		}
		out->devices[out->n_devices] = show_device(n, &call->arena, m);
		if (!out->devices[out->n_devices])
			return err_origin(-ENOMEM);
		out->n_devices++;
	}
	return 0;
}

int nodedevice_list(struct call *call, const Pb__ListDevicesRequest *in,
		    Pb__ListDevicesResponse *out)
{
	(void)out;
	if (in->all && !sees_all(call))
		return call_fail(call, ERR_ROLE_REQUIRED,
				 "Only admins and auditors see all devices.");
	return firstlook_answer(call, fill_list);
}

int nodedevice_find(struct call *call, const char *id_text, const struct member **ret)
{
	struct node *n = call->owner;
	const struct member *m = NULL;
	struct uuid id;

	if (uuid_parse(id_text, &id) == 0)
		m = members_get(n->replica.list, &id);
	if (!m || m->kind != MEMBER_DEVICE)
		return call_fail(call, ERR_NOT_FOUND, "There is no such device.");
	if (!sees_all(call) && !uuid_equal(&m->device.owner_id, &call->caller.user_id))
		return call_fail(call, ERR_NOT_OWNER, "This device belongs to somebody else.");
	*ret = m;
	return 0;
}

/* The same for what is its owner's and the admins' alone. */
static int find_own(struct call *call, const char *id_text, const struct member **ret)
{
	const struct member *m;
	int r = nodedevice_find(call, id_text, &m);

	if (r)
		return r;
	if (call->caller.role == ROLE_AUDITOR &&
	    !uuid_equal(&m->device.owner_id, &call->caller.user_id))
		return call_fail(call, ERR_NOT_OWNER, "This device belongs to somebody else.");
	*ret = m;
	return 0;
}

static int fill_one(struct call *call)
{
	const Pb__GetDeviceRequest *in = (const Pb__GetDeviceRequest *)call->in;
	Pb__GetDeviceResponse *out = (Pb__GetDeviceResponse *)call->out;
	struct node *n = call->owner;
	const struct member *m;
	int r;
	READ_LOCKED(&n->replica);

	r = nodedevice_find(call, in->id, &m);
	if (r)
		return r;
	out->device = show_device(n, &call->arena, m);
	return out->device ? 0 : err_origin(-ENOMEM);
}

int nodedevice_get(struct call *call, const Pb__GetDeviceRequest *in, Pb__GetDeviceResponse *out)
{
	(void)in;
	(void)out;
	return firstlook_answer(call, fill_one);
}

/* --- traffic --- */

static int add_samples(struct call *call, const struct uuid *id, const char *window,
		       Pb__GetDeviceStatsResponse *out)
{
	struct rings_sample samples[RINGS_MAX_SAMPLES];
	struct node *n = call->owner;
	int count = rings_read(n->rings, id, window, samples);

	if (count < 0)
		return call_field(call, "window", "must be 1m, 1h or 24h");
	out->samples = call_alloc(call, ((size_t)count + 1) * sizeof(Pb__StatSample *));
	if (!out->samples)
		return err_origin(-ENOMEM);
	for (int i = 0; i < count; i++) {
		Pb__StatSample *s = call_alloc(call, sizeof(*s));

		if (!s)
			return err_origin(-ENOMEM);
		pb__stat_sample__init(s);
		s->time = show_time(&call->arena, samples[i].time_ms);
		s->rx_bytes = samples[i].rx_bytes;
		s->tx_bytes = samples[i].tx_bytes;
		out->samples[out->n_samples++] = s;
	}
	return 0;
}

int nodedevice_stats(struct call *call, const Pb__GetDeviceStatsRequest *in,
		     Pb__GetDeviceStatsResponse *out)
{
	struct node *n = call->owner;
	const struct pill_row *row;
	const struct member *m = NULL;
	int r;
	READ_LOCKED(&n->replica);

	r = find_own(call, in->id, &m);
	if (r)
		return r;
	row = pill_get(&n->replica.pills, &m->id);
	if (row) {
		out->rx_bytes = row->rx_bytes;
		out->tx_bytes = row->tx_bytes;
		out->latest_handshake = show_time(&call->arena, row->handshake_ms);
	}
	return add_samples(call, &m->id, in->window[0] ? in->window : "1h", out);
}
