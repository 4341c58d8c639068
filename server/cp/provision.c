/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/provision.h"

#include <string.h>

#include "base/clock.h"
#include "server/cp/keyring.h"
#include "server/cp/plan.h"
#include "server/cp/profile.h"
#include "server/cp/progress.h"
#include "server/cp/qr.h"
#include "server/store/user_row.h"

int provision_begin(struct call *call, const char *action, const char *public_key,
		    struct provision *p)
{
	struct cp *cp = call->owner;

	p->caller = call->caller;
	p->window_ask = (struct window_ask){.tenant = call->caller.tenant_id,
					    .user = call->caller.user_id,
					    .rule = cp_conf_window(&cp->conf),
					    .now = window_now()};
	p->now_ms = p->window_ask.now.wall_ms;
	p->until_ms = p->now_ms + (int64_t)cp->conf.overlap_ms;
	p->keyring = cp->keyring;
	p->psk_version = keyring_psk_hold(cp->keyring);
	audit_begin(call, action, &p->audit);
	p->own_key = *public_key != '\0';
	if (!p->own_key) {
		key_make(&p->private_key, &p->public_key);
		return replay_enter(call, &p->replay);
	}
	if (key_parse(public_key, &p->public_key))
		return call_field(call, "public_key", "must be 32 bytes in base64, 44 characters");
	if (!key_usable(&p->public_key))
		return call_field(call, "public_key", "is no key that can shake hands");
	return replay_enter(call, &p->replay);
}

void provision_done(struct provision *p)
{
	key_wipe(&p->private_key);
	if (p->keyring)
		keyring_psk_release(p->keyring, p->psk_version);
	p->keyring = NULL;
}

int provision_admit(struct txn *txn, struct provision *p)
{
	struct user_row user;
	int r;

	/* Disabled since the call came in: a device made now would be the one not suspended. */
	r = user_row_get(txn, &p->caller.tenant_id, &p->caller.user_id, &user);
	if (r && r != ERR_NOT_FOUND)
		return err_trace(r);
	if (r || user.disabled)
		return ERR_TOKEN_INVALID;
	return window_admit(txn, &p->window_ask, &p->window, &p->retry_ms);
}

int provision_claim_key(struct txn *txn, struct provision *p)
{
	struct uuid member;
	int r;

	r = key_row_owner(txn, &p->caller.tenant_id, &p->public_key, &member);
	return r == ERR_NOT_FOUND ? 0 : r ? err_trace(r) : ERR_KEY_IN_USE;
}

/* The slot of the key that the answer before showed; NULL: it has been superseded. */
static struct key_row *slot_shown(struct provision *p)
{
	struct device_row *d = &p->device;
	uint32_t version = p->replay.row.key_version;

	if (d->pending.key_version == version)
		return &d->pending;
	return d->active.key_version == version && !d->pending.key_version ? &d->active : NULL;
}

static int replace_lost(struct txn *txn, struct provision *p, struct key_row *slot)
{
	struct device_row *d = &p->device;
	int r;

	r = change_begin(txn, &p->caller.tenant_id, p->now_ms, &p->change);
	if (!r)
		r = provision_admit(txn, p);
	if (!r)
		r = provision_claim_key(txn, p);
	if (r)
		return r;
	*slot = (struct key_row){.public_key = p->public_key,
				 .key_version = ++d->key_version,
				 .psk_version = p->psk_version,
				 .until_ms = slot == &d->pending ? p->until_ms : 0};
	d->needs_new_config = false;
	strcpy(p->audit.action, "device.rotate");
	r = change_save_device(txn, &p->change, d);
	if (!r)
		r = change_end(txn, &p->change);
	if (!r)
		r = replay_keep(txn, &p->replay, &d->id, d->key_version, p->now_ms);
	return err_trace(r);
}

int provision_again(struct txn *txn, struct provision *p)
{
	struct key_row *slot;
	int r;

	r = tenant_row_get(txn, &p->caller.tenant_id, &p->change.tenant);
	if (!r)
		r = device_row_get(txn, &p->caller.tenant_id, &p->replay.row.device, &p->device);
	if (r)
		return r;
	audit_object(&p->audit, &p->device.id, p->device.label);
	if (p->caller.role != ROLE_ADMIN && !uuid_equal(&p->device.owner, &p->caller.user_id))
		return ERR_NOT_OWNER;
	r = node_row_get(txn, &p->caller.tenant_id, &p->device.home, &p->home);
	if (r)
		return err_trace(r);
	slot = slot_shown(p);
	p->no_config = !slot || (p->replay.taken && !p->own_key);
	if (!p->no_config && !p->own_key)
		r = replace_lost(txn, p, slot);
	return r ? r : audit_end(txn, &p->audit, 0);
}

int provision_deny(struct txn *txn, void *ctx, int refusal)
{
	struct provision *p = ctx;
	int r;

	if (refusal == ERR_RATE_LIMITED) {
		r = window_settle(txn, &p->window_ask, &p->window);
		if (r)
			return err_trace(r);
	}
	return audit_end(txn, &p->audit, refusal);
}

static int explain_rate(struct call *call, const struct provision *p)
{
	uint64_t seconds = (p->retry_ms + 999) / 1000;

	call_fail(call, ERR_RATE_LIMITED,
		  "%u devices or keys in %llu s are the most. Try again in %llu s.",
		  p->window_ask.rule.limit, (unsigned long long)p->window_ask.rule.period_ms / 1000,
		  (unsigned long long)seconds);
	status_retry(&call->status, p->retry_ms);
	return ERR_RATE_LIMITED;
}

static int explain_cap(struct call *call, const struct provision *p)
{
	const struct tenant_row *t = &p->change.tenant;
	const char *over = t->devices > t->cap ? " (over cap: the running ones go on)" : "";

	call_fail(call, ERR_DEVICE_CAP_REACHED,
		  "The %s plan allows %u devices and %u are in use%s. Delete one or change the "
		  "plan.",
		  plans_name(t->plan), t->cap, t->devices, over);
	status_meta(&call->status, "limit", "%u", t->cap);
	status_meta(&call->status, "used", "%u", t->devices);
	status_meta(&call->status, "plan", "%s", plans_name(t->plan));
	status_quota(&call->status, "devices", "%u of %u devices", t->devices, t->cap);
	return ERR_DEVICE_CAP_REACHED;
}

static int explain_pool(struct call *call, const struct provision *p)
{
	call_fail(call, ERR_POOL_EXHAUSTED,
		  "All %u addresses are taken or rest for 24 h after their device (%u do).",
		  p->full.total, p->full.resting);
	status_meta(&call->status, "total", "%u", p->full.total);
	status_meta(&call->status, "resting", "%u", p->full.resting);
	status_quota(&call->status, "addresses", "%u addresses", p->full.total);
	return ERR_POOL_EXHAUSTED;
}

/* The cause, and nothing of whose the address is or was. */
static int explain_address(struct call *call, const struct provision *p)
{
	const uint32_t range = p->change.tenant.range4;
	const struct cidr devices[2] = {cidr_v4(range + IPAM_DEVICE_FIRST, 32),
					cidr_v4(range + IPAM_DEVICE_LAST, 32)};
	char first[CIDR_TEXT_LEN + 1], last[CIDR_TEXT_LEN + 1];

	switch (p->full.cause) {
	case IPAM_RESTING:
		call_fail(call, ERR_ADDRESS_IN_USE,
			  "This address rests: it is free again 24 h after its last device was "
			  "removed. Take another one, or none: one is picked then.");
		status_meta(&call->status, "cause", "resting");
		break;
	case IPAM_RESERVED:
		call_fail(call, ERR_ADDRESS_IN_USE,
			  "This address is reserved: devices have those from %s to %s.",
			  cidr_addr_text(&devices[0], first), cidr_addr_text(&devices[1], last));
		status_meta(&call->status, "cause", "reserved");
		break;
	default:
		call_fail(call, ERR_ADDRESS_IN_USE,
			  "This address is in use. Take another one, or none: one is picked then.");
		status_meta(&call->status, "cause", "in_use");
	}
	return ERR_ADDRESS_IN_USE;
}

int provision_explain(struct call *call, const struct provision *p, int refusal)
{
	switch (refusal) {
	case ERR_RATE_LIMITED:
		return explain_rate(call, p);
	case ERR_DEVICE_CAP_REACHED:
		return explain_cap(call, p);
	case ERR_POOL_EXHAUSTED:
		return explain_pool(call, p);
	case ERR_FIELD_INVALID:
		return call_field(call, p->field, "%s", p->rule_words);
	case ERR_LABEL_TAKEN:
		call_fail(call, refusal, "The name %s is taken; %s is free.", p->device.slug,
			  p->suggestion);
		status_meta(&call->status, "suggestion", "%s", p->suggestion);
		return refusal;
	case ERR_KEY_IN_USE:
		return call_fail(call, refusal, "Another device or node has this key.");
	case ERR_ADDRESS_IN_USE:
		return explain_address(call, p);
	case ERR_IDEMPOTENCY_KEY_REUSED:
		return call_fail(call, refusal,
				 "This Idempotency-Key was used for another call. Take a new one "
				 "for each.");
	case ERR_TOKEN_INVALID:
		return call_fail(call, refusal,
				 "The credentials are not valid any more. Sign in again.");
	case ERR_NOT_FOUND:
		return call_fail(call, refusal, "There is no such device.");
	case ERR_NOT_OWNER:
		return call_fail(call, refusal, "This device belongs to somebody else.");
	default:
		return err_trace(refusal);
	}
}

static int preshared_key(struct cp *cp, const struct provision *p, struct key *ret)
{
	const struct key_row *key =
		p->device.pending.key_version ? &p->device.pending : &p->device.active;
	struct key k_n;
	int r;

	r = keyring_k_n(cp->keyring, p->device.home.b, key->psk_version, &k_n);
	if (r)
		return err_origin(-ENOKEY);
	key_psk_device(&k_n, p->device.id.b, key->key_version, ret);
	key_wipe(&k_n);
	return 0;
}

/* A name server that does not serve would cut a phone off from every name. */
static bool home_has_dns(struct cp *cp, const struct provision *p)
{
	struct muster_node home;

	progress_get(cp->progress, &p->caller.tenant_id, &p->device.home, &home);
	return strcmp(home.dns_status, "serving") == 0 || strcmp(home.dns_status, "coredns") == 0;
}

static char *into_arena(struct call *call, struct text *text)
{
	return text->failed ? NULL : arena_strndup(&call->arena, text->s, text->len);
}

int provision_config(struct call *call, const struct provision *p, char **ret_config,
		     char **ret_svg)
{
	_cleanup_(text_done) struct text config = TEXT_INIT(PROFILE_MAX);
	_cleanup_(text_done) struct text svg = TEXT_INIT(QR_SVG_MAX);
	const struct tenant_row *tenant = &p->change.tenant;
	struct profile profile = {
		.private_key = p->own_key ? NULL : &p->private_key,
		.address4 = cidr_v4(p->device.ip4, 32),
		.mtu = p->device.type <= PB__DEVICE_TYPE__DEVICE_TYPE_ANDROID ? PROFILE_MTU_PHONE
									      : PROFILE_MTU_OTHER,
		.node_key = p->home.public_key,
		.range4 = cidr_v4(tenant->range4, 16),
		.range6 = cidr_v6(tenant->range6, 48),
		.endpoint = p->home.endpoint,
		.keepalive = p->keepalive,
	};
	uint8_t address6[16];
	int r;

	if (p->no_config)
		return 0;
	ipam_address6(tenant, p->device.ip4, address6);
	profile.address6 = cidr_v6(address6, 128);
	if (p->dns && home_has_dns(call->owner, p))
		profile.dns = cidr_v4(p->home.ip4, 32);
	r = preshared_key(call->owner, p, &profile.psk);
	if (r)
		return r;
	r = profile_write(&profile, &config);
	key_wipe(&profile.psk);
	if (!r && !p->own_key)
		r = qr_svg(config.s, &svg);
	if (r)
		return err_trace(r);
	*ret_config = into_arena(call, &config);
	if (!p->own_key)
		*ret_svg = into_arena(call, &svg);
	return *ret_config && *ret_svg ? 0 : -ENOMEM;
}
