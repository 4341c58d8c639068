/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A rotation is: make the key, tell all nodes that are connected, let it sign,
 * write it into each tenant's audit. Nodes that are away are told first thing
 * when they come. What the key before signed ends by itself; with "immediate"
 * it ends at once, and nodes are told a second time.
 */
#include "server/cp/keydesk.h"

#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/killpoint.h"
#include "server/cp/audit.h"
#include "server/cp/fields.h"
#include "server/cp/hub.h"
#include "server/cp/keyring.h"
#include "server/cp/keysweep.h"
#include "server/cp/meshca.h"
#include "server/rpc/server.h"
#include "server/store/key_row.h"

enum { ANSWER_MAX = 16 };

/* Two rotations do not run side by side; the end of one is not in the midst of another. */
static atomic_flag running = ATOMIC_FLAG_INIT;
static pthread_mutex_t changing = PTHREAD_MUTEX_INITIALIZER;

/* Until when what the present key signs now can be good. */
static int64_t overlap_ms(const struct cp *cp, enum keyring_use use)
{
	switch (use) {
	case KEYRING_SESSIONS:
		return (int64_t)cp->conf.session_ms;
	case KEYRING_AGENTS:
		return (int64_t)cp->conf.agent_token_ms;
	case KEYRING_LISTS:
		return (int64_t)cp->conf.overlap_ms;
	case KEYRING_CA:
		return MESHCA_NODE_DAYS * 86400000LL;
	default:
		return 0;
	}
}

/* --- answers --- */

struct counting {
	uint32_t version, n;
};

static int count_psk(struct txn *txn, void *ctx)
{
	struct counting *c = ctx;

	return key_row_count_psk(txn, c->version, &c->n);
}

static Pb__RootKey *fill(struct call *call, const struct keyring_info *i)
{
	Pb__RootKey *key = FIELDS_NEW(call, Pb__RootKey, pb__root_key__init);
	struct counting c = {.version = i->version};
	struct cp *cp = call->owner;

	if (!key)
		return NULL;
	key->purpose = (Pb__KeyPurpose)(i->use + 1);
	key->state = (Pb__KeyState)(i->state + 1);
	key->version = i->version;
	key->kid = arena_strdup(&call->arena, i->kid);
	if (*i->kid) {
		key->public_key.data = arena_memdup(&call->arena, i->public, sizeof(i->public));
		key->public_key.len = sizeof(i->public);
	}
	key->made_at = fields_time(call, i->made_ms);
	key->active_at = fields_time(call, i->active_ms);
	if (i->state == KEYRING_RETIRING && i->use != KEYRING_PSK)
		key->until = fields_time(call, i->until_ms);
	key->retired_at = fields_time(call, i->retired_ms);
	key->cut = i->cut;
	if (i->use == KEYRING_PSK && !store_read(cp->store, count_psk, &c))
		key->devices = c.n;
	return key->kid && (!*i->kid || key->public_key.data) ? key : NULL;
}

int keydesk_list(struct call *call, const Pb__ListKeysRequest *in, Pb__ListKeysResponse *out)
{
	_cleanup_(freep) struct keyring_info *infos = NULL;
	struct cp *cp = call->owner;
	size_t n;
	int r;

	(void)in;
	r = keyring_list(cp->keyring, &infos, &n);
	if (r)
		return r;
	out->keys = call_alloc(call, (n + 1) * sizeof(*out->keys));
	if (!out->keys)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		out->keys[i] = fill(call, &infos[i]);
		if (!out->keys[i])
			return -ENOMEM;
		out->n_keys++;
	}
	return 0;
}

static int answer(struct call *call, enum keyring_use use, int64_t since_ms,
		  Pb__RotateKeyResponse *out)
{
	_cleanup_(freep) struct keyring_info *infos = NULL;
	struct cp *cp = call->owner;
	size_t n;
	int r;

	r = keyring_list(cp->keyring, &infos, &n);
	if (r)
		return r;
	out->keys = call_alloc(call, ANSWER_MAX * sizeof(*out->keys));
	if (!out->keys)
		return -ENOMEM;
	for (size_t i = 0; i < n && out->n_keys < ANSWER_MAX; i++) {
		if (infos[i].use != use ||
		    (infos[i].state == KEYRING_RETIRED && infos[i].retired_ms < since_ms))
			continue;
		out->keys[out->n_keys] = fill(call, &infos[i]);
		if (!out->keys[out->n_keys])
			return -ENOMEM;
		out->n_keys++;
	}
	return 0;
}

/* --- rotating --- */

struct rotation {
	enum keyring_use use;
	bool immediate, switch_over;
	int64_t now_ms;
	uint32_t sessions_ended;
};

static int refuse_full(struct call *call, const struct rotation *o)
{
	if (o->use == KEYRING_PSK)
		return call_fail(call, ERR_CALL_IN_PROGRESS,
				 "%d versions live already, as many as nodes can know. Rotate the "
				 "keys of devices that need the oldest one: qmesh admin key list.",
				 KEYRING_MAX_LIVE_PSK);
	return call_fail(call, ERR_CALL_IN_PROGRESS,
			 "%d keys of %s live already, as many as nodes can know. Wait until the "
			 "oldest has retired (qmesh admin key list), or end all of them with "
			 "--immediate.",
			 KEYRING_MAX_LIVE, keyring_use_name(o->use));
}

static int check(struct call *call, const Pb__RotateKeyRequest *in)
{
	const struct cp *cp = call->owner;

	if (in->purpose < PB__KEY_PURPOSE__KEY_PURPOSE_SESSIONS ||
	    in->purpose > PB__KEY_PURPOSE__KEY_PURPOSE_CA)
		return call_field(call, "purpose",
				  "must be sessions, agents, lists, audit, psk, tls or ca");
	if (in->immediate && in->purpose == PB__KEY_PURPOSE__KEY_PURPOSE_PSK)
		return call_field(call, "immediate",
				  "is not for psk: every device would need a new config at once. "
				  "Rotate it, then the key of each device");
	if (in->switch_over && in->purpose < PB__KEY_PURPOSE__KEY_PURPOSE_TLS)
		return call_field(call, "switch_over", "is for tls and ca alone");
	if (in->purpose == PB__KEY_PURPOSE__KEY_PURPOSE_TLS && *cp->conf.cert_file)
		return call_field(call, "purpose",
				  "tls: the listener shows your own cert_file; announce its "
				  "successor with next_cert_file");
	return 0;
}

static int show_cert(struct cp *cp)
{
	char cert[PATH_MAX], key[PATH_MAX];
	int r;

	keyring_cert_file(cp->keyring, cert);
	keyring_key_file(cp->keyring, key);
	r = cp->server ? server_change_cert(cp->server, "tls", cert, key) : 0;
	if (r)
		log_error("keys", "the listener shows the old tls key until the next start");
	return r;
}

/* Others must be told of the next key before it can take over. */
static bool has_two_steps(enum keyring_use use)
{
	return use == KEYRING_TLS || use == KEYRING_CA;
}

/* Its end: in the audit of each tenant, and whose sessions were ended loses them. */
static int put_down(struct cp *cp, struct rotation *o, const struct audit_row *audit)
{
	struct keysweep sweep = {.audit = *audit,
				 .use = o->use,
				 .now_ms = o->now_ms,
				 .end_sessions = o->immediate && o->use == KEYRING_SESSIONS};
	int r;

	r = keysweep_run(cp, &sweep);
	o->sessions_ended = sweep.n_ended;
	return r ? err_trace(r) : keyring_said(cp->keyring, o->use);
}

/* The last step, and what goes with it: nobody is left with what has been ended. */
static int take_effect(struct cp *cp, struct rotation *o, const struct audit_row *audit)
{
	int64_t until_ms = o->now_ms + overlap_ms(cp, o->use);
	int r;

	r = keyring_switch(cp->keyring, o->use, o->now_ms, until_ms, o->immediate);
	if (r)
		return r;
	KILL_POINT("key.switched");
	/* Nodes are not told to trust the new one alone before it is the one that is shown. */
	if (o->use == KEYRING_TLS)
		r = show_cert(cp);
	if (r)
		return err_trace(r);
	if (o->immediate || has_two_steps(o->use))
		r = hub_tell_keys(cp->hub);
	if (o->immediate && o->use == KEYRING_AGENTS)
		hub_cut_all(cp->hub);
	return r ? err_trace(r) : put_down(cp, o, audit);
}

static bool find_next(struct cp *cp, enum keyring_use use, struct keyring_info *ret)
{
	_cleanup_(freep) struct keyring_info *infos = NULL;
	bool found = false;
	size_t n;

	if (keyring_list(cp->keyring, &infos, &n))
		return false;
	for (size_t i = 0; i < n; i++) {
		if (infos[i].use != use || infos[i].state != KEYRING_NEXT)
			continue;
		*ret = infos[i];
		found = true;
	}
	return found;
}

/* Nodes trust by pins: who has not heard of the next one could not come back. */
static int switch_tls(struct call *call, struct rotation *o, const struct audit_row *audit,
		      Pb__RotateKeyResponse *out)
{
	struct cp *cp = call->owner;
	struct keyring_info next;
	int r;

	if (!find_next(cp, KEYRING_TLS, &next))
		return call_fail(call, ERR_CALL_IN_PROGRESS,
				 "There is no tls key to switch to: make it, and let nodes hear of "
				 "it, with qmesh admin key rotate tls.");
	r = keysweep_untold(cp, next.made_ms, &out->nodes_untold);
	if (r)
		return err_trace(r);
	if (out->nodes_untold && !o->immediate)
		return call_fail(
			call, ERR_CALL_IN_PROGRESS,
			"Not told of the next tls key so far: %u of the nodes, which could "
			"not come back. Wait until they have been connected, remove them, "
			"or leave them behind with --immediate.",
			out->nodes_untold);
	o->immediate = false;
	return take_effect(cp, o, audit);
}

/* People trust by certificate: who has not taken the next one is warned by his browser. */
static int switch_ca(struct call *call, struct rotation *o, const struct audit_row *audit)
{
	struct cp *cp = call->owner;
	struct keyring_info next;

	if (!find_next(cp, KEYRING_CA, &next))
		return call_fail(call, ERR_CALL_IN_PROGRESS,
				 "There is no ca to switch to: make it, and let people trust it, "
				 "with qmesh admin key rotate ca.");
	return take_effect(cp, o, audit);
}

static int rotate(struct call *call, struct rotation *o, const struct audit_row *audit,
		  Pb__RotateKeyResponse *out)
{
	struct cp *cp = call->owner;
	struct keyring_info next;
	int r;

	if (o->switch_over)
		return o->use == KEYRING_CA ? switch_ca(call, o, audit)
					    : switch_tls(call, o, audit, out);
	r = keyring_prepare(cp->keyring, o->use, o->now_ms, o->immediate);
	if (r)
		return r == -EMFILE ? refuse_full(call, o) : err_trace(r);
	KILL_POINT("key.prepared");
	r = hub_tell_keys(cp->hub);
	if (r)
		return err_trace(r);
	KILL_POINT("key.told");
	/* A CA that has leaked is not to be trusted while people change over. */
	if (!has_two_steps(o->use) || (o->use == KEYRING_CA && o->immediate))
		return take_effect(cp, o, audit);
	r = keysweep_run(cp, &(struct keysweep){.audit = *audit, .use = o->use});
	if (r || o->use == KEYRING_CA || !find_next(cp, KEYRING_TLS, &next))
		return err_trace(r);
	/* It may have been made by an earlier call. */
	return keysweep_untold(cp, next.made_ms, &out->nodes_untold);
}

int keydesk_rotate(struct call *call, const Pb__RotateKeyRequest *in, Pb__RotateKeyResponse *out)
{
	struct rotation o = {.immediate = in->immediate,
			     .switch_over = in->switch_over,
			     .now_ms = clock_wall_ms()};
	struct audit_row audit;
	int r;

	r = check(call, in);
	if (r)
		return r;
	o.use = (enum keyring_use)(in->purpose - 1);
	audit_begin(call, "key.rotate", &audit);
	if (atomic_flag_test_and_set(&running))
		return call_fail(call, ERR_CALL_IN_PROGRESS, "A key is being rotated already.");
	pthread_mutex_lock(&changing);
	r = rotate(call, &o, &audit, out);
	pthread_mutex_unlock(&changing);
	atomic_flag_clear(&running);
	if (r)
		return r;
	log_line(LOG_LEVEL_INFO, "keys", &call->log, "%s: rotated%s", keyring_use_name(o.use),
		 o.immediate ? ", what was signed before is ended" : "");
	out->sessions_ended = o.sessions_ended;
	return answer(call, o.use, o.now_ms, out);
}

/* --- time --- */

static void begin_audit(const char *action, int64_t now_ms, struct audit_row *ret)
{
	*ret = (struct audit_row){.time_ms = now_ms};
	strcpy(ret->actor, "control panel");
	strcpy(ret->action, action);
}

/* It had its effect, and then there was no time for more. */
static int finish(struct cp *cp, const struct keyring_info *active,
		  const struct keyring_info *infos, size_t n)
{
	struct rotation o = {.use = active->use, .now_ms = active->active_ms};
	struct audit_row audit;

	for (size_t i = 0; i < n; i++)
		o.immediate = o.immediate || (infos[i].use == o.use && infos[i].cut &&
					      infos[i].retired_ms == active->active_ms);
	begin_audit("key.rotate", clock_wall_ms(), &audit);
	return put_down(cp, &o, &audit);
}

int keydesk_start(struct cp *cp)
{
	_cleanup_(freep) struct keyring_info *infos = NULL;
	int64_t now_ms = clock_wall_ms();
	struct audit_row audit;
	size_t n;
	int r;

	begin_audit("key.rotate", now_ms, &audit);
	r = keyring_list(cp->keyring, &infos, &n);
	for (size_t i = 0; !r && i < n; i++) {
		struct rotation o = {.use = infos[i].use, .now_ms = now_ms};

		if (infos[i].unsaid)
			r = finish(cp, &infos[i], infos, n);
		if (r || infos[i].state != KEYRING_NEXT || has_two_steps(infos[i].use))
			continue;
		log_info("keys", "%s: a rotation that was begun goes on",
			 keyring_use_name(infos[i].use));
		r = take_effect(cp, &o, &audit);
	}
	return err_trace(r);
}

static int is_named(void *arg, uint32_t psk_version, bool *ret_named)
{
	struct counting c = {.version = psk_version};
	struct cp *cp = arg;
	int r;

	r = store_read(cp->store, count_psk, &c);
	*ret_named = c.n > 0;
	return r;
}

void keydesk_tick(struct cp *cp)
{
	int64_t now_ms = clock_wall_ms();
	struct keyring_info retired;
	struct keysweep sweep = {.now_ms = now_ms};
	int r;

	if (pthread_mutex_trylock(&changing))
		return;
	while (!(r = keyring_retire_due(cp->keyring, now_ms, is_named, cp, &retired))) {
		log_info("keys", "%s %u has retired", keyring_use_name(retired.use),
			 retired.version);
		begin_audit("key.retire", now_ms, &sweep.audit);
		sweep.use = retired.use;
		sweep.version = retired.version;
		if (keysweep_run(cp, &sweep) || hub_tell_keys(cp->hub))
			log_warn("keys", "not everybody was told that it has");
	}
	pthread_mutex_unlock(&changing);
	if (r < 0)
		log_warn("keys", "keys whose time is over could not be retired: %d", r);
}
