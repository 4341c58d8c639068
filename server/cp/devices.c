/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading order of a creation: label and key outside the write; inside, in one
 * transaction, home, rate, cap, label, key, address, record, audit; then, with
 * the commit done, config and QR, and the answer waits for the home.
 */
#include "server/cp/devices.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/label.h"
#include "server/cp/fields.h"
#include "server/cp/hub.h"
#include "server/cp/plan.h"
#include "server/cp/presence.h"
#include "server/cp/progress.h"
#include "server/cp/provision.h"

enum { PAGE_DEFAULT = 500, PAGE_MAX = 1000, SUGGESTIONS = 1000 };

/* --- reading --- */

/* Of one that its home has. */
static Pb__DeviceStatus status_applied(const struct device_row *row,
				       const struct presence_status *seen)
{
	if (row->state == MEMBER_ROW_SUSPENDED)
		return PB__DEVICE_STATUS__DEVICE_STATUS_SUSPENDED;
	/* Waiting is about the present key: an older one's handshakes do not count. */
	if (seen->key_version && seen->key_version < row->active.key_version)
		return PB__DEVICE_STATUS__DEVICE_STATUS_WAITING;
	return presence_pill(seen, clock_wall_ms());
}

static Pb__DeviceStatus status_of(struct cp *cp, const struct device_row *row, bool applied,
				  const struct presence_status *seen)
{
	struct muster_node home;

	if (row->state == MEMBER_ROW_SUSPENDED)
		return PB__DEVICE_STATUS__DEVICE_STATUS_SUSPENDED;
	progress_get(cp->progress, &row->tenant, &row->home, &home);
	if (!home.online)
		return PB__DEVICE_STATUS__DEVICE_STATUS_UNKNOWN;
	if (!applied)
		return PB__DEVICE_STATUS__DEVICE_STATUS_NOT_APPLIED;
	return status_applied(row, seen);
}

Pb__Device *devices_fill(struct call *call, const struct tenant_row *tenant,
			 const struct device_row *row)
{
	const struct key_row *key = row->pending.key_version ? &row->pending : &row->active;
	Pb__Device *d = FIELDS_NEW(call, Pb__Device, pb__device__init);
	Pb__Owner *owner = FIELDS_NEW(call, Pb__Owner, pb__owner__init);
	struct cp *cp = call->owner;
	struct presence_status seen;
	struct muster_node home;
	uint8_t ip6[16];

	if (!d || !owner)
		return NULL;
	ipam_address6(tenant, row->ip4, ip6);
	presence_get(cp->presence, &row->tenant, &row->id, &seen);
	progress_get(cp->progress, &row->tenant, &row->home, &home);
	owner->id = fields_uuid(call, &row->owner);
	owner->name = arena_strdup(&call->arena, row->owner_name);
	d->id = fields_uuid(call, &row->id);
	d->label = arena_strdup(&call->arena, row->label);
	d->slug = arena_strdup(&call->arena, row->slug);
	d->type = (Pb__DeviceType)row->type;
	d->dns_name = arena_printf(&call->arena, "%s.quazzar.mesh", row->slug);
	d->mesh_ip = fields_ip4(call, row->ip4);
	d->mesh_ip6 = fields_ip6(call, ip6);
	d->public_key = fields_key(call, key->public_key.b);
	d->owner = owner;
	d->node_id = fields_uuid(call, &row->home);
	d->applied = home.applied >= row->generation;
	d->status = status_of(cp, row, d->applied, &seen);
	d->last_seen = fields_time(call, seen.rx_at_ms > seen.handshake_ms ? seen.rx_at_ms
									   : seen.handshake_ms);
	d->created_at = fields_time(call, row->created_ms);
	d->needs_new_config = row->needs_new_config;
	d->key_version = row->key_version;
	d->pending_until = fields_time(call, row->pending.until_ms);
	if (plan_has(tenant, "peer_stats")) {
		d->rx_bytes = seen.rx;
		d->tx_bytes = seen.tx;
	}
	return owner->id && owner->name && d->id && d->label && d->slug && d->dns_name &&
			       d->mesh_ip && d->mesh_ip6 && d->public_key && d->node_id
		       ? d
		       : NULL;
}

int devices_answer(struct call *call, const struct device_row *row, uint64_t generation,
		   uint32_t wait_ms, Pb__Device *device)
{
	struct cp *cp = call->owner;
	struct presence_status seen;

	presence_get(cp->presence, &row->tenant, &row->id, &seen);
	return progress_answer(call, &(struct progress_wait){.generation = generation,
							     .home = row->home,
							     .wait_ms = wait_ms,
							     .ret_device = device,
							     .status = status_applied(row, &seen)});
}

struct listing {
	struct call *call;
	struct device_filter filter;
	struct tenant_row tenant;
	struct uuid last;
	Pb__ListDevicesResponse *out;
};

static int add(void *arg, const struct device_row *row)
{
	struct listing *l = arg;
	Pb__Device *d = devices_fill(l->call, &l->tenant, row);

	if (!d)
		return -ENOMEM;
	l->last = row->id;
	l->out->devices[l->out->n_devices++] = d;
	return 0;
}

static int read_page(struct txn *txn, void *ctx)
{
	struct listing *l = ctx;
	int r;

	r = tenant_row_get(txn, &l->call->caller.tenant_id, &l->tenant);
	return r ? r : device_row_list(txn, &l->tenant.id, &l->filter, add, l);
}

int devices_list(struct call *call, const Pb__ListDevicesRequest *in, Pb__ListDevicesResponse *out)
{
	static const struct uuid here;
	struct listing l = {.call = call, .out = out};
	struct cp *cp = call->owner;
	int r;

	if (in->all && call->caller.role == ROLE_MEMBER)
		return call_fail(call, ERR_ROLE_REQUIRED,
				 "Only admins and auditors see all devices.");
	if (!in->all)
		l.filter.owner = call->caller.user_id;
	l.filter.limit = in->page_size ? in->page_size : PAGE_DEFAULT;
	if (l.filter.limit > PAGE_MAX)
		l.filter.limit = PAGE_MAX;
	r = fields_page(call, in->page_token, &l.filter.after);
	if (r)
		return r;
	out->devices = call_alloc(call, l.filter.limit * sizeof(*out->devices));
	if (!out->devices)
		return -ENOMEM;
	hub_interest(cp->hub, &call->caller.tenant_id, &here);
	r = store_read(cp->store, read_page, &l);
	if (!r && out->n_devices == l.filter.limit)
		out->next_page_token = fields_page_token(call, &l.last);
	return err_trace(r);
}

int devices_seen(struct call *call, int r, const struct device_row *row)
{
	if (r == ERR_NOT_FOUND)
		return call_fail(call, r, "There is no such device.");
	if (r)
		return err_trace(r);
	if (call->caller.role == ROLE_MEMBER && !uuid_equal(&row->owner, &call->caller.user_id))
		return call_fail(call, ERR_NOT_OWNER, "This device belongs to somebody else.");
	return 0;
}

struct lookup {
	struct uuid tenant_id, id;
	struct tenant_row tenant;
	struct device_row device;
};

static int find(struct txn *txn, void *ctx)
{
	struct lookup *l = ctx;
	int r;

	r = tenant_row_get(txn, &l->tenant_id, &l->tenant);
	return r ? r : device_row_get(txn, &l->tenant_id, &l->id, &l->device);
}

int devices_get(struct call *call, const Pb__GetDeviceRequest *in, Pb__GetDeviceResponse *out)
{
	struct lookup l = {.tenant_id = call->caller.tenant_id};
	struct cp *cp = call->owner;
	int r;

	if (uuid_parse(in->id, &l.id))
		return call_field(call, "id", "must be a UUID");
	r = devices_seen(call, store_read(cp->store, find, &l), &l.device);
	if (r)
		return r;
	out->device = devices_fill(call, &l.tenant, &l.device);
	return out->device ? 0 : -ENOMEM;
}

/* --- creating --- */

struct only {
	struct node_row node;
	unsigned n;
};

static int count_node(void *arg, const struct node_row *row)
{
	struct only *only = arg;

	only->node = *row;
	only->n++;
	return 0;
}

static int refuse_home(struct provision *p, const char *words)
{
	p->field = "node_id";
	p->rule_words = words;
	return ERR_FIELD_INVALID;
}

/* The node named, the one that was called, or the tenant's only one. */
static int pick_home(struct txn *txn, struct provision *p)
{
	static const struct uuid first;
	struct uuid wished = p->device.home;
	struct only only = {0};
	int r;

	if (uuid_is_nil(&wished))
		wished = p->caller.node_id;
	if (uuid_is_nil(&wished)) {
		r = node_row_list(txn, &p->caller.tenant_id, &first, 2, count_node, &only);
		if (r)
			return err_trace(r);
		if (only.n == 0)
			return refuse_home(p, "the tenant has no node yet: join one first");
		if (only.n > 1)
			return refuse_home(p, "the tenant has several nodes: say which");
		p->home = only.node;
	} else {
		r = node_row_get(txn, &p->caller.tenant_id, &wished, &p->home);
		if (r == ERR_NOT_FOUND)
			return refuse_home(p, "there is no such node");
		if (r)
			return err_trace(r);
	}
	if (!*p->home.endpoint)
		return refuse_home(p, "this node has no endpoint that devices could reach");
	p->device.home = p->home.id;
	return 0;
}

static int suggest(struct txn *txn, struct provision *p)
{
	struct uuid holder;
	int r;

	for (unsigned n = 2; n < SUGGESTIONS; n++) {
		label_numbered(p->device.slug, n, p->suggestion);
		r = member_row_by_slug(txn, &p->caller.tenant_id, p->suggestion, &holder);
		if (r == ERR_NOT_FOUND)
			return ERR_LABEL_TAKEN;
		if (r)
			return err_trace(r);
	}
	return ERR_LABEL_TAKEN;
}

/* Nobody but the device itself has the name. */
static int claim_label(struct txn *txn, struct provision *p)
{
	struct uuid holder;
	int r;

	r = member_row_by_slug(txn, &p->caller.tenant_id, p->device.slug, &holder);
	if (r == ERR_NOT_FOUND || (!r && uuid_equal(&holder, &p->device.id)))
		return 0;
	return r ? err_trace(r) : suggest(txn, p);
}

static int again_in_txn(struct txn *txn, struct provision *p)
{
	struct device_row device = p->device;
	int r;

	r = provision_again(txn, p);
	if (r)
		p->device = device;
	return r;
}

static int create_in_txn(struct txn *txn, void *ctx)
{
	struct provision *p = ctx;
	struct ipam_ask ask = {.kind = IPAM_DEVICE, .wished = p->wished_host, .now_ms = p->now_ms};
	struct device_row device = p->device;
	uint32_t host;
	int r;

	r = replay_find(txn, &p->replay, p->now_ms);
	if (!r && p->replay.found)
		return again_in_txn(txn, p);
	if (!r)
		r = change_begin(txn, &p->caller.tenant_id, p->now_ms, &p->change);
	if (!r)
		r = pick_home(txn, p);
	if (!r)
		r = provision_admit(txn, p);
	if (!r)
		r = plan_admit(&p->change.tenant);
	if (!r)
		r = claim_label(txn, p);
	if (!r)
		r = provision_claim_key(txn, p);
	if (!r)
		r = ipam_take(txn, &p->change.tenant, &ask, &host, &p->full);
	if (r) {
		/* As it was: this function may run again. */
		p->device = device;
		return r;
	}
	p->device.ip4 = p->change.tenant.range4 | host;
	r = change_add_device(txn, &p->change, &p->device);
	if (!r)
		r = change_end(txn, &p->change);
	if (!r)
		r = replay_keep(txn, &p->replay, &p->device.id, 1, p->now_ms);
	if (!r)
		r = audit_end(txn, &p->audit, 0);
	return err_trace(r);
}

/* ERR_LABEL_INVALID, ERR_LABEL_RESERVED in words. */
static int take_label(struct call *call, const char *typed, struct device_row *row)
{
	const char *rule = "";
	struct label label;
	int r;

	r = label_parse(typed, &label, &rule);
	if (r > 0) {
		call_fail(call, r, "The label is refused: %s.", rule);
		status_field(&call->status, "label", "%s", rule);
		return r;
	}
	if (r)
		return err_trace(r);
	memcpy(row->label, label.text, sizeof(row->label));
	memcpy(row->slug, label.slug, sizeof(row->slug));
	return 0;
}

static int take_wish(struct call *call, const char *wished_ip, struct provision *p)
{
	struct cidr address;

	if (!*wished_ip)
		return 0;
	if (cidr_parse(wished_ip, &address) || address.family != CIDR_V4 || address.bits != 32)
		return call_field(call, "wished_ip", "must be an IPv4 address");
	p->wished_host = cidr_host4(&address);
	return 0;
}

/* The wished address is of the tenant's range; known only with the tenant's row. */
static int check_wish(struct cp *cp, struct call *call, struct provision *p)
{
	struct lookup l = {.tenant_id = call->caller.tenant_id};
	int r;

	if (!p->wished_host)
		return 0;
	r = store_read(cp->store, find, &l);
	if (r && r != ERR_NOT_FOUND)
		return err_trace(r);
	if ((p->wished_host & 0xffff0000) != l.tenant.range4)
		return call_field(call, "wished_ip", "must lie in the tenant's range");
	p->wished_host &= 0xffff;
	/* The network's own address is nobody's; 0 would mean any. */
	return p->wished_host ? 0
			      : call_field(call, "wished_ip", "must not be the network's address");
}

int devices_create(struct call *call, const Pb__CreateDeviceRequest *in,
		   Pb__CreateDeviceResponse *out)
{
	_cleanup_(provision_done) struct provision p = {.device.id = uuid_make()};
	struct cp *cp = call->owner;
	int r;

	r = take_label(call, in->label, &p.device);
	if (r)
		return r;
	if ((unsigned)in->type > PB__DEVICE_TYPE__DEVICE_TYPE_OTHER)
		return call_field(call, "type", "must be one of the device types");
	if (*in->node_id && uuid_parse(in->node_id, &p.device.home))
		return call_field(call, "node_id", "must be a UUID");
	r = take_wish(call, in->wished_ip, &p);
	if (!r)
		r = check_wish(cp, call, &p);
	if (!r)
		r = provision_begin(call, "device.create", in->public_key, &p);
	if (r)
		return r;
	p.dns = in->dns;
	p.keepalive = in->keepalive_choice_case !=
			      PB__CREATE_DEVICE_REQUEST__KEEPALIVE_CHOICE_KEEPALIVE ||
		      in->keepalive;
	p.device.state = MEMBER_ROW_ACTIVE;
	p.device.type = in->type ? (int)in->type : PB__DEVICE_TYPE__DEVICE_TYPE_OTHER;
	p.device.created_ms = p.now_ms;
	p.device.owner = call->caller.user_id;
	memcpy(p.device.owner_name, call->caller.name, sizeof(p.device.owner_name));
	p.device.key_version = 1;
	p.device.active = (struct key_row){
		.public_key = p.public_key, .key_version = 1, .psk_version = p.psk_version};
	audit_object(&p.audit, &p.device.id, p.device.label);
	r = audit_write(call, create_in_txn, provision_deny, &p);
	if (r)
		return provision_explain(call, &p, r);
	r = provision_config(call, &p, &out->config, &out->qr_svg);
	if (r)
		return err_trace(r);
	out->device = devices_fill(call, &p.change.tenant, &p.device);
	if (!out->device)
		return -ENOMEM;
	return devices_answer(call, &p.device, p.device.generation, in->wait_ms, out->device);
}

/* --- changing --- */

struct edit {
	struct provision p;
	bool set_label;
	int type; /* 0: unchanged */
	struct device_row wish;
};

/* The device, if the caller may change it. */
static int find_own(struct txn *txn, struct provision *p, const struct uuid *id)
{
	int r;

	r = device_row_get(txn, &p->caller.tenant_id, id, &p->device);
	if (r)
		return r;
	audit_object(&p->audit, &p->device.id, p->device.label);
	if (p->caller.role != ROLE_ADMIN && !uuid_equal(&p->device.owner, &p->caller.user_id))
		return ERR_NOT_OWNER;
	return 0;
}

/* Nodes need not hear of it. */
static bool changes_nothing(const struct edit *e)
{
	return (!e->set_label || !strcmp(e->wish.label, e->p.device.label)) &&
	       (!e->type || e->type == e->p.device.type);
}

static int update_in_txn(struct txn *txn, void *ctx)
{
	struct edit *e = ctx;
	struct provision *p = &e->p;
	int r;

	r = find_own(txn, p, &e->wish.id);
	if (r)
		return r;
	if (changes_nothing(e)) {
		r = tenant_row_get(txn, &p->caller.tenant_id, &p->change.tenant);
		return r ? err_trace(r) : audit_end(txn, &p->audit, 0);
	}
	r = change_begin(txn, &p->caller.tenant_id, p->now_ms, &p->change);
	if (r)
		return err_trace(r);
	if (e->set_label) {
		memcpy(p->device.label, e->wish.label, sizeof(p->device.label));
		memcpy(p->device.slug, e->wish.slug, sizeof(p->device.slug));
		r = claim_label(txn, p);
		if (r)
			return r;
		/* The one before is in the row that gave it. */
		audit_object(&p->audit, &p->device.id, p->device.label);
	}
	if (e->type)
		p->device.type = e->type;
	r = change_save_device(txn, &p->change, &p->device);
	if (!r)
		r = change_end(txn, &p->change);
	if (!r)
		r = audit_end(txn, &p->audit, 0);
	return err_trace(r);
}

int devices_update(struct call *call, const Pb__UpdateDeviceRequest *in,
		   Pb__UpdateDeviceResponse *out)
{
	struct edit e = {.type = (int)in->type};
	int r;

	e.set_label = in->label_choice_case == PB__UPDATE_DEVICE_REQUEST__LABEL_CHOICE_LABEL;
	if (uuid_parse(in->id, &e.wish.id))
		return call_field(call, "id", "must be a UUID");
	if ((unsigned)in->type > PB__DEVICE_TYPE__DEVICE_TYPE_OTHER)
		return call_field(call, "type", "must be one of the device types");
	r = e.set_label ? take_label(call, in->label, &e.wish) : 0;
	if (r)
		return r;
	e.p.caller = call->caller;
	e.p.now_ms = clock_wall_ms();
	audit_begin(call, "device.update", &e.p.audit);
	r = audit_write(call, update_in_txn, provision_deny, &e.p);
	if (r)
		return provision_explain(call, &e.p, r);
	out->device = devices_fill(call, &e.p.change.tenant, &e.p.device);
	if (!out->device)
		return -ENOMEM;
	return devices_answer(call, &e.p.device, e.p.device.generation, in->wait_ms, out->device);
}

static int delete_in_txn(struct txn *txn, void *ctx)
{
	struct edit *e = ctx;
	struct provision *p = &e->p;
	int r;

	r = change_begin(txn, &p->caller.tenant_id, p->now_ms, &p->change);
	if (!r)
		r = find_own(txn, p, &e->wish.id);
	if (!r)
		r = change_remove(txn, &p->change, &p->device.id, p->device.ip4);
	if (!r)
		r = change_end(txn, &p->change);
	if (!r)
		r = audit_end(txn, &p->audit, 0);
	return r;
}

int devices_delete(struct call *call, const Pb__DeleteDeviceRequest *in,
		   Pb__DeleteDeviceResponse *out)
{
	struct cp *cp = call->owner;
	struct edit e = {0};
	int r;

	(void)out;
	if (uuid_parse(in->id, &e.wish.id))
		return call_field(call, "id", "must be a UUID");
	e.p.caller = call->caller;
	e.p.now_ms = clock_wall_ms();
	audit_begin(call, "device.delete", &e.p.audit);
	r = audit_write(call, delete_in_txn, provision_deny, &e.p);
	if (r)
		return provision_explain(call, &e.p, r);
	presence_forget(cp->presence, &e.p.caller.tenant_id, &e.p.device.id);
	return progress_answer(call,
			       &(struct progress_wait){.generation = e.p.change.tenant.generation,
						       .home = e.p.device.home,
						       .wait_ms = in->wait_ms});
}
