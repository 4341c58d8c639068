/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/rotation.h"

#include <string.h>

#include "base/clock.h"
#include "server/cp/devices.h"
#include "server/cp/provision.h"

struct rotate {
	struct provision p;
	struct uuid id;
	bool immediate;
};

static int find_own(struct txn *txn, struct rotate *o)
{
	struct provision *p = &o->p;
	int r;

	r = device_row_get(txn, &p->caller.tenant_id, &o->id, &p->device);
	if (r)
		return r;
	audit_object(&p->audit, &p->device.id, p->device.label);
	if (p->caller.role != ROLE_ADMIN && !uuid_equal(&p->device.owner, &p->caller.user_id))
		return ERR_NOT_OWNER;
	return node_row_get(txn, &p->caller.tenant_id, &p->device.home, &p->home);
}

static void place_key(struct rotate *o)
{
	struct device_row *d = &o->p.device;
	struct key_row key = {.public_key = o->p.public_key,
			      .key_version = ++d->key_version,
			      .psk_version = o->p.psk_version};

	/* A device that must have a new config anyway has nothing to keep running. */
	if (o->immediate || d->needs_new_config || !d->active.key_version) {
		d->active = key;
		d->pending = (struct key_row){0};
	} else {
		key.until_ms = o->p.until_ms;
		d->pending = key;
	}
	d->needs_new_config = false;
}

static int rotate_in_txn(struct txn *txn, void *ctx)
{
	struct rotate *o = ctx;
	struct provision *p = &o->p;
	int r;

	r = replay_find(txn, &p->replay, p->now_ms);
	if (!r && p->replay.found)
		return provision_again(txn, p);
	if (!r)
		r = change_begin(txn, &p->caller.tenant_id, p->now_ms, &p->change);
	if (!r)
		r = find_own(txn, o);
	if (!r)
		r = provision_admit(txn, p);
	if (!r)
		r = provision_claim_key(txn, p);
	if (r)
		return r;
	place_key(o);
	r = change_save_device(txn, &p->change, &p->device);
	if (!r)
		r = change_end(txn, &p->change);
	if (!r)
		r = replay_keep(txn, &p->replay, &p->device.id, p->device.key_version, p->now_ms);
	if (!r)
		r = audit_end(txn, &p->audit, 0);
	return err_trace(r);
}

int rotation_start(struct call *call, const Pb__RotateDeviceKeyRequest *in,
		   Pb__RotateDeviceKeyResponse *out)
{
	struct rotate o = {.immediate = in->immediate};
	int r;

	if (uuid_parse(in->id, &o.id))
		return call_field(call, "id", "must be a UUID");
	r = provision_begin(call, "device.rotate", in->public_key, &o.p);
	if (r) {
		provision_done(&o.p);
		return r;
	}
	o.p.dns = in->dns;
	o.p.keepalive = in->keepalive_choice_case !=
				PB__ROTATE_DEVICE_KEY_REQUEST__KEEPALIVE_CHOICE_KEEPALIVE ||
			in->keepalive;
	r = audit_write(call, rotate_in_txn, provision_deny, &o.p);
	if (r) {
		provision_done(&o.p);
		return provision_explain(call, &o.p, r);
	}
	r = provision_config(call, &o.p, &out->config, &out->qr_svg);
	provision_done(&o.p);
	if (r)
		return err_trace(r);
	out->device = devices_fill(call, &o.p.change.tenant, &o.p.device);
	if (!out->device)
		return -ENOMEM;
	return devices_answer(call, &o.p.device, o.p.device.generation, in->wait_ms, out->device);
}

/* --- the end of an overlap --- */

struct ending {
	struct uuid tenant_id, device_id, home; /* home nil: any */
	uint32_t key_version;
	int64_t now_ms;
	struct audit_row audit;
};

/* Compare and set on the key version: what came too late changes nothing. */
static int end_in_txn(struct txn *txn, void *ctx)
{
	struct ending *e = ctx;
	struct device_row d;
	struct change change;
	int r;

	r = change_begin(txn, &e->tenant_id, e->now_ms, &change);
	if (!r)
		r = device_row_get(txn, &e->tenant_id, &e->device_id, &d);
	if (r)
		return r;
	if (d.pending.key_version != e->key_version ||
	    (!uuid_is_nil(&e->home) && !uuid_equal(&e->home, &d.home)))
		return ERR_NOT_FOUND;
	d.active = d.pending;
	d.active.until_ms = 0;
	d.pending = (struct key_row){0};
	r = change_save_device(txn, &change, &d);
	if (!r)
		r = change_end(txn, &change);
	if (r)
		return err_trace(r);
	audit_object(&e->audit, &d.id, d.label);
	return audit_end(txn, &e->audit, 0);
}

int rotation_promoted(struct call *call, const Pb__Promoted *promoted)
{
	struct ending e = {.tenant_id = call->caller.tenant_id,
			   .home = call->caller.node_id,
			   .key_version = promoted->key_version,
			   .now_ms = clock_wall_ms()};
	struct cp *cp = call->owner;
	int r;

	if (promoted->device_id.len != sizeof(e.device_id.b) || !e.key_version)
		return 0;
	memcpy(e.device_id.b, promoted->device_id.data, sizeof(e.device_id.b));
	audit_begin(call, "device.promote", &e.audit);
	r = store_write(cp->store, end_in_txn, NULL, &e);
	return r == ERR_NOT_FOUND ? 0 : r;
}

static int find_lapsed(struct txn *txn, void *ctx)
{
	struct ending *e = ctx;

	return key_row_lapsed(txn, e->now_ms, &e->tenant_id, &e->device_id, &e->key_version);
}

int rotation_lapse(struct cp *cp)
{
	struct ending e = {.now_ms = clock_wall_ms()};
	int r;

	for (;;) {
		r = store_read(cp->store, find_lapsed, &e);
		if (r)
			return r == ERR_NOT_FOUND ? 0 : r;
		e.audit = (struct audit_row){.tenant = e.tenant_id, .time_ms = e.now_ms};
		strcpy(e.audit.actor, "control panel");
		strcpy(e.audit.action, "device.promote");
		r = store_write(cp->store, end_in_txn, NULL, &e);
		if (r)
			return r;
	}
}
