/* SPDX-License-Identifier: Apache-2.0 */
/* Devices from the replica. States of devices homed elsewhere come through the Control Panel. */
#include "server/node/nodedevice.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
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

/* With the lock held: 0 or the refusal. An auditor may too. */
static int find(struct call *call, const char *id_text, const struct member **ret)
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
	int r = find(call, id_text, &m);

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

	r = find(call, in->id, &m);
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

/* --- why --- */

struct reason {
	const char *reason, *evidence, *next_step;
};

static const struct reason reasons[] = {
	[PILL_WAITING] =
		{"NEVER_A_PACKET",
		 "The node has the device's key, and no handshake with it was ever seen.",
		 "Import the config into the WireGuard app and switch the tunnel on. If it "
		 "is on, check that UDP to the node's endpoint is let through."},
	[PILL_CONNECTED] = {"CONNECTED", "A handshake or traffic was seen just now.",
			    "Nothing to do."},
	[PILL_IDLE] = {"IDLE", "The last handshake is some minutes old.",
		       "Nothing to do: it comes back with the next packet of the device."},
	[PILL_OFFLINE] = {"OFFLINE", "The last handshake is longer ago.",
			  "Switch the tunnel on at the device, or check its network."},
	[PILL_NOT_APPLIED] = {"NODE_NOT_APPLIED", "The node's interface does not have this device.",
			      "Wait some seconds; if it stays so, look at the node's log."},
	[PILL_UNKNOWN] = {"HOME_NOT_CONNECTED",
			  "The node that this device connects to is not connected to the Control "
			  "Panel, so its state is not known here.",
			  "Check that node. The device may well be connected to it."},
	[PILL_SUSPENDED] = {"SUSPENDED", "The owner's account is disabled.",
			    "An admin can enable the account again."},
};

/* Nodes keep their tunnels alive: an old handshake means that there is no way through. */
static bool has_direct_path(struct node *n, const struct member *m)
{
	const struct pill_row *row = pill_get(&n->replica.pills, &m->device.home);

	return uuid_equal(&m->device.home, &n->replica.self) || !row ||
	       clock_wall_ms() - row->handshake_ms <= PILL_CONNECTED_MS;
}

static int explain(struct call *call, const struct member *m, Pb__ExplainDeviceResponse *out)
{
	struct node *n = call->owner;
	const struct replica_failed *failed = replica_failure(&n->replica, &m->id);
	const struct reason *why = &reasons[show_pill(n, m)];

	out->reason = (char *)why->reason;
	out->evidence = (char *)why->evidence;
	out->next_step = (char *)why->next_step;
	if (m->device.needs_new_config) {
		out->reason = (char *)"NEEDS_NEW_CONFIG";
		out->evidence = (char *)"The device's node, its key or its endpoint has changed.";
		out->next_step = (char *)"Rotate the device's key and import the new config.";
	} else if (!member_newest_key(m)) {
		out->reason = (char *)"NO_KEY";
		out->evidence = (char *)"The device has no key yet.";
		out->next_step = (char *)"Rotate its key to get a config.";
	} else if (failed) {
		out->evidence = arena_printf(&call->arena, "The node's interface refused it: %s.",
					     strerror(failed->error));
	} else if (!has_direct_path(n, m)) {
		out->reason = (char *)"NO_DIRECT_PATH";
		out->evidence = (char *)"This node and the device's node have not shaken hands for "
					"more than three minutes.";
		out->next_step = (char *)"Give at least one of the two nodes an endpoint that the "
					 "other can reach over UDP.";
	}
	return out->evidence ? 0 : err_origin(-ENOMEM);
}

int nodedevice_why(struct call *call, const Pb__ExplainDeviceRequest *in,
		   Pb__ExplainDeviceResponse *out)
{
	struct node *n = call->owner;
	const struct member *m;
	int r;
	READ_LOCKED(&n->replica);

	r = find(call, in->id, &m);
	return r ? r : explain(call, m, out);
}
