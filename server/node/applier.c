/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole way: wanted list from the view, delta against what runs, one
 * message, read back. What is refused is tried once more on its own, so that
 * one bad peer never holds up the others; the rest is reported. Whatever the
 * shortcut cannot tell goes this way, and so does the look after it.
 */
#include "server/node/applier.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/killpoint.h"
#include "base/log.h"
#include "server/node/fence.h"
#include "server/node/shortcut.h"
#include "server/node/statefile.h"
#include "server/node/wanted.h"
#include "server/wg/firewall.h"
#include "server/wg/foreign.h"
#include "server/wg/netif.h"
#include "server/wg/sync.h"
#include "server/wg/sysctl.h"

#define MAX_ROUTES 1024

static int make_wg(const struct node_conf *conf, const struct wg_backend *backend,
		   struct wg **ret_wg)
{
	const struct wg_options options = {
		.interface = conf->wg_interface,
		.state_dir = conf->state_dir,
		.userspace = conf->wireguard_go,
	};

	return wg_new(&options, backend, ret_wg);
}

static const struct wg_backend *configured(const struct node_conf *conf)
{
	switch (conf->wg_backend) {
	case NODE_WG_KERNEL:
		return &wg_kernel;
	case NODE_WG_USERSPACE:
		return &wg_userspace;
	}
	return NULL;
}

int applier_init(struct applier *a, const struct node_conf *conf, const struct identity *identity,
		 struct replica *replica, void (*resolved)(void *arg), void *arg)
{
	*a = (struct applier){.conf = conf, .identity = identity, .replica = replica};
	a->endpoints = endpoints_new(resolved, arg);
	if (!a->endpoints)
		return err_origin(-ENOMEM);
	return make_wg(conf, configured(conf), &a->wg);
}

void applier_done(struct applier *a)
{
	endpoints_free(a->endpoints);
	wg_free(a->wg);
	view_done(&a->view);
	wglist_done(&a->wanted);
	wglist_done(&a->running);
	wgmap_free(a->map);
	free(a->failed);
}

static int take_back(const struct node_conf *conf, struct wg *wg, bool has_firewall)
{
	int r, first = wg_destroy(wg);

	r = has_firewall ? firewall_remove(conf->wg_interface) : 0;
	first = first ? first : r;
	r = foreign_clear(conf->wg_interface);
	first = first ? first : r;
	r = sysctl_restore(conf->state_dir);
	return first ? first : r;
}

int applier_teardown(const struct node_conf *conf)
{
	_cleanup_(wg_freep) struct wg *wg = NULL;
	int r;

	/* What is there goes, whoever is configured now. */
	r = make_wg(conf, NULL, &wg);
	return r ? err_trace(r) : take_back(conf, wg, true);
}

void applier_note_failed(struct applier *a, const struct uuid *id, int error)
{
	struct replica_failed *failed;

	for (size_t i = 0; i < a->n_failed; i++)
		if (uuid_equal(&a->failed[i].id, id))
			return;
	failed = reallocarray(a->failed, a->n_failed + 1, sizeof(*failed));
	if (!failed)
		return;
	a->failed = failed;
	failed[a->n_failed++] = (struct replica_failed){.id = *id, .error = error};
}

static int make_wanted(struct applier *a)
{
	struct wg_list wanted;
	struct view view;
	int r;

	a->n_failed = 0;
	r = wanted_make(a, a->replica->list, &view, &wanted);
	if (r)
		return r;
	endpoints_sweep(a->endpoints);
	view_done(&a->view);
	a->view = view;
	wglist_done(&a->wanted);
	a->wanted = wanted;
	a->is_behind = false;
	return 0;
}

static int read_running(struct applier *a)
{
	struct wg_list running;
	int r;

	r = wg_dump(a->wg, &running);
	if (r)
		return r;
	wglist_sort(&running);
	wglist_done(&a->running);
	a->running = running;
	a->is_unread = false;
	return 0;
}

static const struct view_peer *view_peer_of(const struct applier *a, const struct key *public_key)
{
	for (size_t i = 0; i < a->view.n_peers; i++)
		if (key_equal(&a->view.peers[i].public_key, public_key))
			return &a->view.peers[i];
	return NULL;
}

static void refused(void *arg, const struct wg_change *c, int error)
{
	struct applier *a = arg;
	const struct view_peer *p = view_peer_of(a, &c->public_key);
	char id[UUID_TEXT_LEN + 1];

	if (!p)
		return;
	log_warn("wg", "peer of member %s refused: %s", uuid_text(&p->id, id), strerror(-error));
	applier_note_failed(a, &p->id, -error);
}

static void forget_map(struct applier *a)
{
	wgmap_free(a->map);
	a->map = NULL;
}

static int compare(struct applier *a, struct wg_delta *ret_delta)
{
	int r = sync_make(&a->wanted, &a->running, ret_delta);

	a->fits = !r && ret_delta->n_changes == 0;
	return r;
}

/* Sends what differs; leaves a->running as it is afterwards. */
static int push(struct applier *a)
{
	_cleanup_(wgdelta_done) struct wg_delta delta = {0}, left = {0};
	int r;

	r = compare(a, &delta);
	if (r || a->fits)
		return r;
	forget_map(a);
	KILL_POINT("node_apply_before");
	r = wg_apply(a->wg, &delta);
	KILL_POINT("node_apply_after");
	if (r) {
		log_warn("wg", "change of %zu peers failed: %s", delta.n_changes, strerror(-r));
		r = read_running(a);
		if (r)
			return r;
		wgdelta_done(&delta);
		r = sync_make(&a->wanted, &a->running, &delta);
		if (r)
			return r;
		/* What is refused is in a->failed: not a failure of the whole. */
		r = wg_apply_each(a->wg, &delta, refused, a);
		log_debug("wg", "one by one: %s", r ? strerror(-r) : "done");
	}
	r = read_running(a);
	return r ? r : compare(a, &left);
}

/*
 * A peer that no error named may still be missing: WireGuard takes no peer with our own key. Or
 * have less than it should: an address with two owners is the first one's.
 */
static void note_missing(struct applier *a)
{
	for (size_t i = 0; i < a->view.n_peers; i++) {
		const struct view_peer *p = &a->view.peers[i];
		const struct wg_peer *running = wglist_find(&a->running, &p->public_key);

		if (!running)
			applier_note_failed(a, &p->id, EADDRNOTAVAIL);
		else if (running->n_prefixes < p->n_prefixes)
			applier_note_failed(a, &p->id, EADDRINUSE);
		if (running && p->kind == VIEW_NODE)
			endpoints_was_set(a->endpoints, &p->id);
	}
}

static void count_running(struct applier *a)
{
	a->digest = (struct digest){{0}};
	a->n_peers = a->running.n_peers;
	for (size_t i = 0; i < a->running.n_peers; i++) {
		const struct wg_peer *p = &a->running.peers[i];

		digest_add_peer(&a->digest, &p->public_key);
		for (size_t k = 0; k < p->n_prefixes; k++)
			digest_add_prefix(&a->digest, &p->public_key,
					  &a->running.prefixes[p->first_prefix + k]);
	}
}

/* The map, while what runs is what is wanted, to the last prefix; the numbers that go with it. */
static void keep_map(struct applier *a)
{
	bool is_exact = a->fits && a->n_failed == 0 && a->running.n_peers == a->wanted.n_peers &&
			a->running.n_prefixes == a->wanted.n_prefixes;

	if (!is_exact)
		forget_map(a);
	if (!is_exact || a->map)
		return;
	count_running(a);
	if (wgmap_new(&a->running, &a->map))
		log_debug("wg", "changes are not sent alone");
}

static void publish(struct applier *a, bool active)
{
	struct replica_interface *to = &a->replica->interface;
	struct replica_failed *failed = calloc(a->n_failed + 1, sizeof(*failed));

	if (!a->map)
		count_running(a);
	pthread_rwlock_wrlock(&a->replica->lock);
	to->active = active;
	to->listen_port = a->running.listen_port;
	to->n_peers = (uint32_t)a->n_peers;
	to->backend = wg_backend_name(a->wg);
	to->backend_why = wg_backend_why(a->wg);
	to->device_digest = a->digest;
	memcpy(to->forwarding, a->forwarding, sizeof(to->forwarding));
	memcpy(to->overlap, a->overlap, sizeof(to->overlap));
	if (active) {
		to->epoch = a->replica->head.epoch;
		to->generation = a->replica->head.generation;
		to->lease_over = a->lease_over;
		to->list_digest = *members_digest(a->replica->list);
	}
	if (failed) {
		if (a->n_failed)
			memcpy(failed, a->failed, a->n_failed * sizeof(*failed));
		free(to->failed);
		to->failed = failed;
		to->n_failed = a->n_failed;
	}
	pthread_rwlock_unlock(&a->replica->lock);
}

static int set_addresses(struct applier *a, const struct member *self)
{
	const struct tenantrec *t = members_tenant(a->replica->list);
	const char *interface = a->conf->wg_interface;
	struct cidr addresses[2] = {0};
	size_t n = 0;
	int r = 0;

	if (self->ip4 && t->range4.family)
		addresses[n++] = cidr_v4(self->ip4, t->range4.bits);
	if (self->has_ip6 && t->range6.family)
		addresses[n++] = cidr_v6(self->ip6, t->range6.bits);
	for (size_t i = 0; i < n && !r; i++)
		/* A host without IPv6 still has a mesh. */
		if (netif_add_address(interface, &addresses[i]) && addresses[i].family == CIDR_V4)
			r = err_origin(-EADDRNOTAVAIL);
	if (!r)
		r = netif_keep_addresses(interface, addresses, n);
	memcpy(a->addresses, addresses, sizeof(addresses));
	return r;
}

/* Within the range, or the range itself: a wider route leaves its addresses to ours. */
static bool takes_from(const struct cidr *route, const struct cidr *range)
{
	return range->family && route->bits >= range->bits && cidr_overlaps(route, range);
}

/* Who joins tells its routes; one that came later is found here. True: something changed. */
static bool look_at_routes(struct applier *a)
{
	const struct tenantrec *t = members_tenant(a->replica->list);
	char route[CIDR_TEXT_LEN + 1], range[CIDR_TEXT_LEN + 1], words[REPLICA_DNS_LEN] = "";
	struct cidr found[MAX_ROUTES];
	int n = netif_routes(a->conf->wg_interface, found, MAX_ROUTES);

	for (int i = 0; i < n && !words[0]; i++) {
		const struct cidr *of = takes_from(&found[i], &t->range4)   ? &t->range4
					: takes_from(&found[i], &t->range6) ? &t->range6
									    : NULL;

		if (of)
			snprintf(words, sizeof(words),
				 "the route %s takes addresses of the mesh's range %s",
				 cidr_text(&found[i], route), cidr_text(of, range));
	}
	if (strcmp(words, a->overlap) == 0)
		return false;
	if (words[0])
		log_warn("wg", "%s: move that network, or remove the route", words);
	memcpy(a->overlap, words, sizeof(words));
	return true;
}

/* Interface, then key and port; peers come before addresses. */
static int raise_interface(struct applier *a)
{
	bool made;
	int r;

	log_info("wg", "back end %s: %s", wg_backend_name(a->wg), wg_backend_why(a->wg));
	r = wg_open(a->wg, &made);
	if (r)
		return err_trace(r);
	r = wg_set_device(a->wg, &a->identity->wg_private, (uint16_t)a->conf->wg_port);
	if (r == -EADDRINUSE)
		log_error("wg", "another program has UDP port %u: end it, or give wg_port another",
			  (unsigned)a->conf->wg_port);
	else if (r)
		log_error("wg", "%s: key or port %u refused: %s", a->conf->wg_interface,
			  (unsigned)a->conf->wg_port, strerror(-r));
	if (r)
		return r;
	if (!made)
		log_info("wg", "%s adopted", a->conf->wg_interface);
	return read_running(a);
}

static int finish_interface(struct applier *a, const struct member *self)
{
	int r;

	r = set_addresses(a, self);
	if (!r)
		r = netif_up(a->conf->wg_interface, (uint32_t)a->conf->mtu);
	if (!r)
		r = sysctl_forward(a->conf->wg_interface, a->conf->state_dir);
	if (r) {
		log_error("wg", "%s cannot be set up: %s", a->conf->wg_interface, strerror(-r));
		return r;
	}
	fence_set(a);
	look_at_routes(a);
	return 0;
}

static bool addresses_differ(const struct applier *a, const struct member *self)
{
	return a->addresses[0].family == CIDR_V4 && cidr_host4(&a->addresses[0]) != self->ip4;
}

/*
 * A list that the Control Panel signed and that does not name us: nobody here is to be served any
 * more. Only its word counts; a refused token may mean an old backup, and changes nothing.
 */
static void close_removed(struct applier *a)
{
	static const char words[] = "this node was removed at the Control Panel: join it anew with "
				    "a new join token and an empty state directory";

	if (!a->replica->head.generation || a->is_removed)
		return;
	if (strcmp(a->forwarding, words) != 0)
		log_error("node", "%s", words);
	strcpy(a->forwarding, words);
	a->is_up = false;
	a->is_removed = take_back(a->conf, a->wg, a->conf->firewall != NODE_FIREWALL_OFF) == 0;
	if (a->is_removed)
		log_info("node", "interface, firewall table and switches are taken back");
	forget_map(a);
	wglist_done(&a->running);
	publish(a, false);
}

static void look_at_lease(struct applier *a)
{
	bool was_over = a->lease_over;

	pthread_rwlock_rdlock(&a->replica->lock);
	a->lease_over = lease_is_over(&a->replica->lease);
	pthread_rwlock_unlock(&a->replica->lock);
	if (a->lease_over && !was_over)
		log_warn("node", "the lease of device peers is over: devices are not served until "
				 "the Control Panel is heard again");
	else if (was_over && !a->lease_over)
		log_info("node", "the Control Panel is heard again: devices are served");
}

/* After the interface was read: what is there, what is missing. */
static void settle(struct applier *a)
{
	note_missing(a);
	keep_map(a);
}

int applier_apply(struct applier *a)
{
	const struct member *self = members_get(a->replica->list, &a->replica->self);
	bool was_up = a->is_up;
	int r = 0;

	forget_map(a);
	touched_clear(&a->replica->touched);
	if (!self) {
		close_removed(a);
		return -ENODATA;
	}
	a->is_removed = false;
	look_at_lease(a);
	if (was_up && addresses_differ(a, self))
		was_up = false;
	if (!was_up)
		r = raise_interface(a);
	else if (a->is_unread)
		r = read_running(a);
	if (!r)
		r = make_wanted(a);
	if (!r)
		r = push(a);
	if (!r && !was_up)
		r = finish_interface(a, self);
	a->is_up = r == 0;
	if (a->is_up)
		settle(a);
	publish(a, a->is_up);
	return r;
}

int applier_follow(struct applier *a)
{
	bool was_over = a->lease_over;

	if (!a->is_up)
		return applier_apply(a);
	look_at_lease(a);
	if (a->lease_over != was_over || !shortcut_take(a))
		return applier_apply(a);
	touched_clear(&a->replica->touched);
	publish(a, true);
	return 0;
}

/* Each peer of the member runs with all that it should have. */
static bool is_whole(const struct applier *a, const struct uuid *id)
{
	for (size_t i = 0; i < a->view.n_peers; i++) {
		const struct view_peer *p = &a->view.peers[i];
		const struct wg_peer *running;

		if (!uuid_equal(&p->id, id))
			continue;
		running = wglist_find(&a->running, &p->public_key);
		if (!running || running->n_prefixes < p->n_prefixes)
			return false;
	}
	return true;
}

/*
 * WireGuard's own idea of where a node is goes before its record, while it is
 * heard there. One that was not heard for minutes is tried where its record
 * says: its name may have another address, or it may be back.
 */
static void review_ways(struct applier *a)
{
	int64_t now_ms = clock_wall_ms();

	for (size_t i = 0; i < a->wanted.n_peers; i++) {
		struct wg_peer *want = &a->wanted.peers[i];
		const struct wg_peer *run;

		if (!want->endpoint.family)
			continue;
		run = wglist_find(&a->running, &want->public_key);
		want->endpoint_is_new = run && now_ms - run->handshake_ms > PILL_CONNECTED_MS;
	}
}

/* Refused peers that are there by now. */
static bool forget_mended(struct applier *a)
{
	size_t kept = 0, before = a->n_failed;

	for (size_t i = 0; i < before; i++)
		if (!is_whole(a, &a->failed[i].id))
			a->failed[kept++] = a->failed[i];
	a->n_failed = kept;
	return kept != before;
}

bool applier_look(struct applier *a)
{
	char before[REPLICA_REASON_LEN];
	bool changed;

	if (!a->is_up)
		return false;
	changed = look_at_routes(a);
	memcpy(before, a->forwarding, sizeof(before));
	if (a->conf->firewall != NODE_FIREWALL_OFF && fence_look(a)) {
		log_warn("wg", "somebody removed our firewall table: put back");
		fence_set(a);
	}
	if (!changed && strcmp(before, a->forwarding) == 0)
		return false;
	publish(a, true);
	return true;
}

/* What was sent alone is compared with all the rest. */
static int catch_up(struct applier *a)
{
	int r;

	r = make_wanted(a);
	if (!r)
		r = push(a);
	if (r)
		return r;
	settle(a);
	publish(a, true);
	return 0;
}

int applier_poll(struct applier *a)
{
	int r;

	if (!a->is_up)
		return applier_apply(a);
	r = read_running(a);
	/* Somebody else writes all the time: it is there, only not read. */
	if (r == -EAGAIN)
		return r;
	if (r) {
		/* wireguard-go may be gone: make it anew. */
		log_warn("wg", "%s does not answer: %s", a->conf->wg_interface, strerror(-r));
		a->is_up = false;
		return applier_apply(a);
	}
	r = a->is_behind ? catch_up(a) : 0;
	if (r)
		return r;
	review_ways(a);
	r = push(a);
	if (r)
		return r;
	if (a->n_failed && forget_mended(a))
		publish(a, true);
	keep_map(a);
	return 0;
}
