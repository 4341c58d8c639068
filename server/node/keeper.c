/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper's loop: notes in, then at most one apply, one poll, one write of
 * the cache. Handlers never wait for it but by call_finish from its callbacks.
 */
#include "server/node/keeper.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "base/unpack.h"
#include "server/node/applier.h"
#include "server/node/inbox.h"
#include "server/node/link.h"
#include "server/node/node.h"
#include "server/node/nodecache.h"
#include "server/node/nodedns.h"
#include "server/node/nodehttps.h"
#include "server/node/poll.h"
#include "server/node/rings.h"
#include "server/node/trim.h"
#include "server/node/trouble.h"
#include "server/node/waiters.h"
#include "server/node/watchers.h"

#define SAVE_EVERY_MS 1000
#define SAVE_AGAIN_MS 5000
#define NAME_EVERY_MS 100
#define RETRY_MS 3000
#define TRIM_AFTER_MS 5000
#define LOOK_EVERY_MS 30000
#define FETCH_EVERY_MS 1000
#define FETCH_PATIENCE_MS 10000

enum note_kind {
	NOTE_EVENT,
	NOTE_LINK_UP,
	NOTE_LINK_DOWN,
	NOTE_WAKE,
	NOTE_STOP,
	NOTE_ON_SNAPSHOT,
	NOTE_ON_STATUS,
	NOTE_ON_DUMP,
	NOTE_FORGET,
	NOTE_SERVE,
	NOTE_CERTIFICATE
};

struct keeper {
	struct node *node;
	struct inbox inbox;
	struct applier applier;
	struct trouble trouble; /* of the interface */
	struct nodedns dns;
	struct nodehttps https;
	pthread_t thread;
	bool running;

	/* The thread's own. */
	unsigned stream;
	bool stop, must_save, must_name, has_snapshot;
	bool must_apply, must_follow; /* the whole list; only what is touched */
	bool must_prune;
	uint64_t poll_at_ms, save_at_ms, retry_at_ms, trim_at_ms, look_at_ms, name_at_ms;
	uint64_t dns_look_at_ms;
	uint64_t lease_save_at_ms;
	struct waiters on_snapshot, on_next, on_status;
	uint64_t fetch_at_ms; /* no earlier is the list fetched anew for on_next */

	atomic_bool is_fetching;                /* for on_snapshot */
	atomic_uint_fast64_t interest_until_ms; /* somebody looks here */
	atomic_uint_fast64_t asked_until_ms;    /* the Control Panel asks, for others */
};

static void wake(void *arg)
{
	struct keeper *k = arg;
	const struct inbox_note note = {.kind = NOTE_WAKE, .number = 1};

	inbox_post(&k->inbox, &note, NULL, 0);
}

static int ask_certificate(void *arg, const uint8_t *csr, size_t len)
{
	const struct keeper *k = arg;

	return link_certify(k->node->link, csr, len);
}

int keeper_new(struct node *n, struct keeper **ret_keeper)
{
	struct keeper *k = calloc(1, sizeof(*k));
	int r;

	if (!k)
		return err_origin(-ENOMEM);
	k->node = n;
	inbox_init(&k->inbox);
	nodedns_init(&k->dns, &n->conf, &n->replica, &n->dns_count);
	nodehttps_init(&k->https, &n->conf, &n->replica, ask_certificate, k);
	r = applier_init(&k->applier, &n->conf, &n->identity, &n->replica, wake, k);
	if (r) {
		keeper_free(k);
		return err_trace(r);
	}
	*ret_keeper = k;
	return 0;
}

void keeper_free(struct keeper *k)
{
	if (!k)
		return;
	nodehttps_done(&k->https);
	nodedns_done(&k->dns);
	applier_done(&k->applier);
	inbox_done(&k->inbox);
	free(k);
}

static void take_peers(struct keeper *k, const Pb__PeersUpdated *event)
{
	int r = replica_take_peers(&k->node->replica, event);

	switch (r) {
	case REPLICA_CHANGED:
		k->must_follow = k->must_save = true;
		k->has_snapshot = true;
		k->applier.from_cache = false;
		break;
	case REPLICA_GAP:
	case REPLICA_DIFFERS:
		log_info("node", "gap in the list, asking for all of it");
		link_resync(k->node->link);
		break;
	case REPLICA_OLD:
		log_error("node", "an older list from the Control Panel refused");
		link_resync(k->node->link);
		break;
	case REPLICA_IGNORED:
	case REPLICA_PARTIAL:
		break;
	default:
		log_error("node", "list from the Control Panel refused: %s", strerror(-r));
		link_resync(k->node->link);
	}
}

static void take_keys(struct keeper *k, const Pb__Keys *keys)
{
	int r = replica_take_keys(&k->node->replica, keys);

	if (r) {
		log_error("node", "keys from the Control Panel refused: %s", strerror(-r));
		return;
	}
	link_set_pins(k->node->link);
	k->must_apply = k->must_save = true;
}

static void take_status(struct keeper *k, const Pb__DeviceStatusUpdate *event)
{
	if (replica_take_status(&k->node->replica, event))
		return;
	watchers_publish(k->node->watchers, WATCH_DEVICES | WATCH_NODES);
	if (event->full)
		waiters_run(&k->on_status, 0);
}

/* States are looked at somewhere, and are read more often for it. */
static bool is_looked_at(struct keeper *k)
{
	return keeper_has_interest(k) || atomic_load(&k->asked_until_ms) > clock_boot_ms();
}

static void take_interest(struct keeper *k, uint64_t for_ms)
{
	bool is_new = !is_looked_at(k);

	if (for_ms > KEEPER_INTEREST_MS)
		for_ms = KEEPER_INTEREST_MS;
	atomic_store(&k->asked_until_ms, clock_boot_ms() + for_ms);
	if (!is_new)
		return;
	k->poll_at_ms = 0;
	link_report(k->node->link, 0);
}

static void dispatch_event(struct keeper *k, const Pb__AgentEvent *event)
{
	switch (event->body_case) {
	case PB__AGENT_EVENT__BODY_PEERS_UPDATED:
		take_peers(k, event->peers_updated);
		break;
	case PB__AGENT_EVENT__BODY_KEYS:
		take_keys(k, event->keys);
		break;
	case PB__AGENT_EVENT__BODY_REFRESH:
		link_resync(k->node->link);
		break;
	case PB__AGENT_EVENT__BODY_DRAIN:
		link_drain(k->node->link, event->drain->reconnect_after_ms,
			   event->drain->spread_ms);
		break;
	case PB__AGENT_EVENT__BODY_INTEREST:
		take_interest(k, event->interest->for_ms);
		break;
	case PB__AGENT_EVENT__BODY_DEVICE_STATUS:
		take_status(k, event->device_status);
		break;
	case PB__AGENT_EVENT__BODY_REVOCATIONS:
		if (replica_take_revocations(&k->node->replica, event->revocations))
			log_error("node", "revocations refused");
		watchers_end_revoked(k->node->watchers);
		break;
	case PB__AGENT_EVENT__BODY_CERTIFICATE:
		nodehttps_mark(&k->https, event->certificate->mark);
		k->must_name = true;
		break;
	default:
		log_debug("node", "event %s is unknown here", event->type);
	}
}

static void wipe_keys(Pb__SubscribeResponse *pb)
{
	Pb__Keys *keys = NULL;

	if (pb->event && pb->event->body_case == PB__AGENT_EVENT__BODY_KEYS)
		keys = pb->event->keys;
	for (size_t i = 0; keys && i < keys->n_k_n; i++)
		key_wipe_bytes(keys->k_n[i]->key.data, keys->k_n[i]->key.len);
}

static void take_event(struct keeper *k, const struct inbox_note *note)
{
	Pb__SubscribeResponse *pb;

	/* Of a stream that was given up since. */
	if (note->number != k->stream)
		return;
	pb = (Pb__SubscribeResponse *)unpack_message(&pb__subscribe_response__descriptor, NULL,
						     note->bytes, note->len);
	if (!pb || !pb->event)
		log_error("node", "an event of the stream does not decode");
	else
		dispatch_event(k, pb->event);
	if (pb) {
		wipe_keys(pb);
		pb__subscribe_response__free_unpacked(pb, NULL);
	}
}

static void take_note(struct keeper *k, const struct inbox_note *note)
{
	switch ((enum note_kind)note->kind) {
	case NOTE_EVENT:
		take_event(k, note);
		break;
	case NOTE_LINK_UP:
		k->stream = note->number;
		k->has_snapshot = false;
		replica_set_link(&k->node->replica, true);
		watchers_publish(k->node->watchers, WATCH_STATE);
		break;
	case NOTE_LINK_DOWN:
		replica_set_link(&k->node->replica, false);
		waiters_run(&k->on_status, ERR_CP_UNREACHABLE);
		watchers_publish(k->node->watchers, WATCH_STATE | WATCH_DEVICES | WATCH_NODES);
		break;
	case NOTE_WAKE:
		k->must_apply |= note->number != 0;
		k->poll_at_ms = 0;
		break;
	case NOTE_STOP:
		k->stop = true;
		break;
	case NOTE_ON_SNAPSHOT:
		waiters_add(&k->on_next, note->fn, note->arg);
		/* Whoever asks for all of it means what this host has to say, too. */
		k->look_at_ms = 0;
		endpoints_refresh(k->applier.endpoints);
		break;
	case NOTE_ON_STATUS:
		waiters_add(&k->on_status, note->fn, note->arg);
		break;
	case NOTE_ON_DUMP:
		note->fn(note->arg, applier_poll(&k->applier));
		break;
	case NOTE_FORGET:
		waiters_forget(&k->on_next, note->fn, note->arg);
		waiters_forget(&k->on_snapshot, note->fn, note->arg);
		break;
	case NOTE_CERTIFICATE:
		nodehttps_answer(&k->https, note->number, note->bytes, note->len);
		k->must_name = true;
		break;
	case NOTE_SERVE:
		k->must_name = true;
		break;
	}
}

/*
 * All of the list anew, for everybody who asked so far. Who asks while it comes shares the next
 * one: fetches that each of many began anew would never end.
 */
static void fetch(struct keeper *k, uint64_t now)
{
	waiters_move(&k->on_snapshot, &k->on_next);
	k->is_fetching = true;
	k->fetch_at_ms = now + FETCH_PATIENCE_MS;
	/* Only the next stream counts. */
	k->has_snapshot = false;
	k->stream = 0;
	link_refresh(k->node->link);
}

static void end_fetch(struct keeper *k)
{
	waiters_run(&k->on_snapshot, 0);
	if (k->is_fetching)
		k->fetch_at_ms -= FETCH_PATIENCE_MS - FETCH_EVERY_MS;
	k->is_fetching = false;
}

/* What was sent alone is looked at with all the rest before long: once for all that comes now. */
static void poll_soon(struct keeper *k)
{
	uint64_t at = k->applier.is_behind ? clock_boot_ms() + KEEPER_POLL_FAST_MS : 0;

	if (at < k->poll_at_ms)
		k->poll_at_ms = at;
}

static void apply(struct keeper *k)
{
	bool is_whole = k->must_apply || !k->must_follow;
	int r;

	trouble_begin(&k->trouble);
	r = is_whole ? applier_apply(&k->applier) : applier_follow(&k->applier);
	k->must_apply = k->must_follow = false;
	if (r && r != -ENODATA)
		log_error("node", "list not applied: %s", strerror(-r));
	trouble_end(&k->trouble, r == -ENODATA ? 0 : r, "the interface");
	if (r) {
		k->must_name |= r == -ENODATA;
		k->retry_at_ms = clock_boot_ms() + RETRY_MS;
		return;
	}
	k->retry_at_ms = 0;
	k->must_name = k->must_prune = true;
	/* A new device waits: look soon. */
	poll_soon(k);
	link_report(k->node->link, LINK_REPORT_APPLIED_MS);
	watchers_publish(k->node->watchers, WATCH_STATE | WATCH_DEVICES | WATCH_NODES);
	if (k->has_snapshot)
		end_fetch(k);
}

static void save(struct keeper *k)
{
	struct replica *replica = &k->node->replica;
	int r = nodecache_save(k->node->conf.state_dir, replica);

	if (r && !replica->cache_error)
		log_error("node",
			  "the list could not be saved in %s: %s; make room or put it right: a "
			  "start would begin with an older list",
			  k->node->conf.state_dir, strerror(-r));
	else if (!r && replica->cache_error)
		log_info("node", "the list is saved again");
	pthread_rwlock_wrlock(&replica->lock);
	replica->cache_error = -r;
	pthread_rwlock_unlock(&replica->lock);
	/* At the end there is no later. */
	k->must_save = r && !k->stop;
	k->save_at_ms = clock_boot_ms() + (r ? SAVE_AGAIN_MS : SAVE_EVERY_MS);
}

/*
 * The cache says so before the interface does: killed in between, the next run
 * finds the promotion and carries it out.
 */
static void promote(struct keeper *k)
{
	save(k);
	KILL_POINT("node_promoted_saved");
	apply(k);
	KILL_POINT("node_promoted_moved");
}

static void poll_interface(struct keeper *k)
{
	bool was_behind = k->applier.is_behind;
	struct poll_result result;
	int r;

	trouble_begin(&k->trouble);
	r = applier_poll(&k->applier);
	if (r && r != -ENODATA)
		log_warn("node", "interface not read: %s", strerror(-r));
	trouble_end(&k->trouble, r == -ENODATA ? 0 : r, "the interface");
	if (r) {
		k->poll_at_ms = clock_boot_ms() + RETRY_MS;
		return;
	}
	if (was_behind && k->node->replica.interface.n_failed)
		link_report(k->node->link, LINK_REPORT_APPLIED_MS);
	if (k->must_prune)
		rings_prune(k->node->rings, k->node->replica.list);
	k->must_prune = false;
	poll_read(k->node, &k->applier.view, &k->applier.running, &result);
	if (result.promoted)
		promote(k);
	if (result.changed) {
		link_report(k->node->link, LINK_REPORT_STATUS_MS);
		watchers_publish(k->node->watchers, WATCH_DEVICES);
	}
	k->poll_at_ms = clock_boot_ms() + (result.waiting || is_looked_at(k) ? KEEPER_POLL_FAST_MS
									     : KEEPER_POLL_SLOW_MS);
}

static uint64_t next_deadline(const struct keeper *k)
{
	uint64_t at = k->poll_at_ms;

	if (k->must_save && k->save_at_ms < at)
		at = k->save_at_ms;
	if (k->must_name && k->name_at_ms < at)
		at = k->name_at_ms;
	if (k->retry_at_ms && k->retry_at_ms < at)
		at = k->retry_at_ms;
	if (k->lease_save_at_ms < at)
		at = k->lease_save_at_ms;
	if ((k->on_next.n || k->is_fetching) && k->fetch_at_ms < at)
		at = k->fetch_at_ms;
	if (k->node->conf.dns == NODE_DNS_COREDNS && k->dns_look_at_ms < at)
		at = k->dns_look_at_ms;
	if (!k->must_name && nodehttps_look_at_ms(&k->https) < at)
		at = nodehttps_look_at_ms(&k->https);
	return at;
}

/* HTTPS or the name server stands otherwise: people here and the Control Panel hear of it. */
static void tell_service(struct keeper *k)
{
	link_report(k->node->link, LINK_REPORT_STATUS_MS);
	watchers_publish(k->node->watchers, WATCH_STATE | WATCH_NODES);
}

/* All names anew: after the report that the change is applied, and not for each of many. */
static void name(struct keeper *k, uint64_t now)
{
	k->must_name = false;
	k->name_at_ms = now + NAME_EVERY_MS;
	if (nodehttps_look(&k->https) | nodedns_apply(&k->dns))
		tell_service(k);
}

/* Firewall and name server: what others on this host do to them. */
static void look_around(struct keeper *k, uint64_t now)
{
	if (now >= k->look_at_ms) {
		k->look_at_ms = now + LOOK_EVERY_MS;
		if (applier_look(&k->applier))
			watchers_publish(k->node->watchers, WATCH_STATE | WATCH_NODES);
		if (nodehttps_look(&k->https))
			tell_service(k);
	}
	if (now >= k->dns_look_at_ms) {
		bool changed = nodedns_look(&k->dns);

		k->dns_look_at_ms = now + nodedns_look_in_ms(&k->dns);
		if (changed)
			tell_service(k);
	}
}

/* The remainder, so that the next start goes on with it. */
static void save_lease(struct keeper *k, uint64_t now)
{
	struct lease lease;

	pthread_rwlock_rdlock(&k->node->replica.lock);
	lease = k->node->replica.lease;
	pthread_rwlock_unlock(&k->node->replica.lock);
	k->lease_save_at_ms = now + LEASE_SAVE_EVERY_MS;
	if (lease_save(&lease, k->node->conf.state_dir))
		log_error("node", "the lease could not be saved");
}

static void save_due(struct keeper *k, uint64_t now)
{
	if (k->must_save && (now >= k->save_at_ms || k->stop))
		save(k);
	if (now >= k->lease_save_at_ms || k->stop)
		save_lease(k, now);
}

uint64_t keeper_turn(struct keeper *k, uint64_t wait_ms)
{
	uint64_t now = clock_boot_ms(), at = next_deadline(k);
	struct inbox_note *note, *next;
	bool overflowed;

	if (at < now + wait_ms || wait_ms == UINT64_MAX)
		wait_ms = at > now ? at - now : 0;
	note = inbox_take(&k->inbox, wait_ms, &overflowed);
	if (overflowed)
		link_resync(k->node->link);
	for (; note; note = next) {
		next = note->next;
		take_note(k, note);
		inbox_note_free(note);
	}
	now = clock_boot_ms();
	if (replica_lease_turned(&k->node->replica))
		k->must_apply = true;
	if (k->must_apply || k->must_follow || (k->retry_at_ms && now >= k->retry_at_ms))
		apply(k);
	if (now >= k->fetch_at_ms) {
		k->is_fetching = false;
		if (k->on_next.n)
			fetch(k, now);
	}
	if (now >= k->poll_at_ms)
		poll_interface(k);
	k->must_name |= now >= nodehttps_look_at_ms(&k->https);
	if (k->must_name && now >= k->name_at_ms)
		name(k, now);
	look_around(k, now);
	if (k->trim_at_ms && now >= k->trim_at_ms && k->applier.is_up) {
		k->trim_at_ms = 0;
		trim_startup();
	}
	save_due(k, now);
	return next_deadline(k);
}

void keeper_begin(struct keeper *k)
{
	if (members_count(k->node->replica.list)) {
		k->applier.from_cache = true;
		k->must_apply = true;
	}
	k->poll_at_ms = clock_boot_ms() + (k->must_apply ? 0 : KEEPER_POLL_FAST_MS);
	k->trim_at_ms = clock_boot_ms() + TRIM_AFTER_MS;
	k->look_at_ms = clock_boot_ms() + LOOK_EVERY_MS;
	k->dns_look_at_ms = clock_boot_ms() + nodedns_look_in_ms(&k->dns);
	k->lease_save_at_ms = clock_boot_ms();
}

static void *run(void *arg)
{
	struct keeper *k = arg;

	keeper_begin(k);
	while (!k->stop)
		keeper_turn(k, UINT64_MAX);
	waiters_run(&k->on_next, ERR_DRAINING);
	waiters_run(&k->on_snapshot, ERR_DRAINING);
	waiters_run(&k->on_status, ERR_DRAINING);
	return NULL;
}

int keeper_start(struct keeper *k)
{
	int r = -pthread_create(&k->thread, NULL, run, k);

	k->running = r == 0;
	return r ? err_origin(r) : 0;
}

void keeper_stop(struct keeper *k)
{
	const struct inbox_note note = {.kind = NOTE_STOP};

	if (!k || !k->running)
		return;
	inbox_post(&k->inbox, &note, NULL, 0);
	pthread_join(k->thread, NULL);
	k->running = false;
}

void keeper_event(struct keeper *k, unsigned stream, const void *p, size_t len)
{
	const struct inbox_note note = {.kind = NOTE_EVENT, .number = stream};

	if (inbox_post(&k->inbox, &note, p, len))
		log_warn("node", "an event was dropped");
}

void keeper_link(struct keeper *k, unsigned stream, bool up)
{
	const struct inbox_note note = {.kind = up ? NOTE_LINK_UP : NOTE_LINK_DOWN,
					.number = stream};

	inbox_post(&k->inbox, &note, NULL, 0);
}

void keeper_lease(struct keeper *k)
{
	const struct inbox_note note = {.kind = NOTE_WAKE};

	if (replica_lease_turned(&k->node->replica))
		inbox_post(&k->inbox, &note, NULL, 0);
}

void keeper_serve(struct keeper *k, struct server *server)
{
	const struct inbox_note note = {.kind = NOTE_SERVE};

	nodehttps_attach(&k->https, server);
	inbox_post(&k->inbox, &note, NULL, 0);
}

void keeper_certificate(struct keeper *k, bool failed, const void *p, size_t len)
{
	const struct inbox_note note = {.kind = NOTE_CERTIFICATE, .number = failed};

	inbox_post(&k->inbox, &note, p, len);
}

bool keeper_has_interest(struct keeper *k)
{
	return atomic_load(&k->interest_until_ms) > clock_boot_ms() ||
	       watchers_count(k->node->watchers) > 0;
}

bool keeper_interest(struct keeper *k)
{
	const struct inbox_note note = {.kind = NOTE_WAKE};
	bool is_new = !keeper_has_interest(k);

	atomic_store(&k->interest_until_ms, clock_boot_ms() + KEEPER_INTEREST_MS);
	if (is_new) {
		inbox_post(&k->inbox, &note, NULL, 0);
		link_report(k->node->link, 0);
	}
	return is_new;
}

static int post_waiter(struct keeper *k, enum note_kind kind, void (*fn)(void *arg, int result),
		       void *arg)
{
	const struct inbox_note note = {.kind = kind, .fn = fn, .arg = arg};

	return inbox_post(&k->inbox, &note, NULL, 0);
}

int keeper_on_snapshot(struct keeper *k, void (*fn)(void *arg, int result), void *arg)
{
	return post_waiter(k, NOTE_ON_SNAPSHOT, fn, arg);
}

bool keeper_is_fetching(struct keeper *k)
{
	return atomic_load(&k->is_fetching);
}

void keeper_forget(struct keeper *k, void (*fn)(void *arg, int result), void *arg)
{
	(void)!post_waiter(k, NOTE_FORGET, fn, arg); /* without memory it waits on, that is all */
}

int keeper_on_dump(struct keeper *k, void (*fn)(void *arg, int result), void *arg)
{
	return post_waiter(k, NOTE_ON_DUMP, fn, arg);
}

void keeper_dump(struct keeper *k, const struct view **ret_view, const struct wg_list **ret_running)
{
	*ret_view = &k->applier.view;
	*ret_running = &k->applier.running;
}

int keeper_on_status(struct keeper *k, void (*fn)(void *arg, int result), void *arg)
{
	return post_waiter(k, NOTE_ON_STATUS, fn, arg);
}
