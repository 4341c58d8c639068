/* SPDX-License-Identifier: Apache-2.0 */
/* Answers from the replica; the live peers come from the keeper, refresh through the link. */
#include "server/node/nodestate.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#include "server/node/firstlook.h"
#include "server/node/keeper.h"
#include "server/node/link.h"
#include "server/node/node.h"
#include "server/node/show.h"
#include "server/node/watchers.h"
#include "server/peers/plans.h"
#include "server/rpc/calist.h"
#include "server/rpc/call.h"
#include "server/wg/wglist.h"

#define PAGE_SIZE 500
#define REFRESH_TIMEOUT_MS 8000

static void unlock(pthread_rwlock_t **lock)
{
	pthread_rwlock_unlock(*lock);
}

#define READ_LOCKED(r)                                                                             \
	_cleanup_(unlock) pthread_rwlock_t *locked_ = &(r)->lock;                                  \
	pthread_rwlock_rdlock(locked_)

static int fill_state(struct call *call)
{
	Pb__GetStateResponse *out = (Pb__GetStateResponse *)call->out;

	out->state = call_alloc(call, sizeof(Pb__State));
	if (!out->state)
		return err_origin(-ENOMEM);
	pb__state__init(out->state);
	return show_state(call->owner, &call->arena, out->state);
}

int nodestate_get(struct call *call, const Pb__GetStateRequest *in, Pb__GetStateResponse *out)
{
	(void)in;
	(void)out;
	return firstlook_answer(call, fill_state);
}

static int fill_nodes(struct call *call)
{
	const Pb__ListNodesRequest *in = (const Pb__ListNodesRequest *)call->in;
	Pb__ListNodesResponse *out = (Pb__ListNodesResponse *)call->out;
	size_t max = in->page_size ? in->page_size : PAGE_SIZE, i = 0;
	struct node *n = call->owner;
	const struct members *list;
	struct uuid after;
	READ_LOCKED(&n->replica);

	list = n->replica.list;
	if (in->page_token[0]) {
		if (uuid_parse(in->page_token, &after))
			return call_fail(call, ERR_PAGE_TOKEN_INVALID,
					 "The page token is not one of ours. Start anew.");
		i = members_after(list, &after);
	}
	out->nodes = call_alloc(call, (max + 1) * sizeof(Pb__Node *));
	if (!out->nodes)
		return err_origin(-ENOMEM);
	for (; i < members_count(list); i++) {
		const struct member *m = members_at(list, i);

		if (m->kind != MEMBER_NODE)
			continue;
		if (out->n_nodes == max) {
			out->next_page_token = out->nodes[max - 1]->id;
			break;
		}
		out->nodes[out->n_nodes] = show_node(n, &call->arena, m);
		if (!out->nodes[out->n_nodes])
			return err_origin(-ENOMEM);
		out->n_nodes++;
	}
	return 0;
}

int nodestate_nodes(struct call *call, const Pb__ListNodesRequest *in, Pb__ListNodesResponse *out)
{
	(void)in;
	(void)out;
	return firstlook_answer(call, fill_nodes);
}

static int add_feature(struct call *call, const struct tenantrec *t, size_t i, uint32_t used,
		       Pb__GetOrbitFeaturesResponse *out)
{
	Pb__GetOrbitFeaturesResponse__FeaturesEntry *entry = call_alloc(call, sizeof(*entry));
	Pb__Feature *f = call_alloc(call, sizeof(*f));
	char why[PLANS_TEXT_MAX];

	if (!entry || !f)
		return err_origin(-ENOMEM);
	pb__get_orbit_features_response__features_entry__init(entry);
	pb__feature__init(f);
	f->enabled = tenantrec_has(t, plans_features[i].name);
	plans_why(t, i, used, why);
	f->why = arena_strdup(&call->arena, why);
	if (strcmp(plans_features[i].name, "mesh_vpn") == 0) {
		f->cap = t->cap;
		f->used = used;
	}
	entry->key = (char *)plans_features[i].name;
	entry->value = f;
	out->features[out->n_features++] = entry;
	return f->why ? 0 : err_origin(-ENOMEM);
}

int nodestate_features(struct call *call, const Pb__GetOrbitFeaturesRequest *in,
		       Pb__GetOrbitFeaturesResponse *out)
{
	struct node *n = call->owner;
	const struct tenantrec *t;
	int r = 0;
	READ_LOCKED(&n->replica);

	(void)in;
	t = members_tenant(n->replica.list);
	out->plan = (Pb__Plan)t->plan;
	out->features = call_alloc(
		call, PLANS_N_FEATURES * sizeof(Pb__GetOrbitFeaturesResponse__FeaturesEntry *));
	if (!out->features)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < PLANS_N_FEATURES && !r; i++)
		r = add_feature(call, t, i, (uint32_t)members_devices(n->replica.list), out);
	return r;
}

int nodestate_ca(struct call *call, const Pb__GetMeshCaRequest *in, Pb__GetMeshCaResponse *out)
{
	struct node *n = call->owner;
	READ_LOCKED(&n->replica);

	(void)in;
	if (!n->replica.https.ca)
		return call_fail(call, ERR_CP_UNREACHABLE,
				 "This node has not heard of the CA from the Control Panel yet.");
	return calist_fill(&call->arena, n->replica.https.ca, out);
}

/* --- live peers --- */

static int compare_view_keys(const void *a, const void *b)
{
	const struct view_peer *const *x = a, *const *y = b;

	return memcmp((*x)->public_key.b, (*y)->public_key.b, KEY_LEN);
}

/* The view's peers by key; NULL: out of memory. */
static const struct view_peer **sort_view(struct call *call, const struct view *view)
{
	const struct view_peer **sorted =
		call_alloc(call, (view->n_peers + 1) * sizeof(const struct view_peer *));

	for (size_t i = 0; sorted && i < view->n_peers; i++)
		sorted[i] = &view->peers[i];
	if (sorted)
		qsort(sorted, view->n_peers, sizeof(const struct view_peer *), compare_view_keys);
	return sorted;
}

static const struct view_peer *find_view(const struct view_peer **sorted, size_t n,
					 const struct key *public_key)
{
	const struct view_peer wanted = {.public_key = *public_key}, *p = &wanted;
	const struct view_peer **found =
		bsearch(&p, sorted, n, sizeof(const struct view_peer *), compare_view_keys);

	return found ? *found : NULL;
}

static int fill_prefixes(struct call *call, const struct wg_list *l, const struct wg_peer *p,
			 Pb__Peer *out)
{
	char text[CIDR_TEXT_LEN + 1];

	out->allowed_ips = call_alloc(call, (p->n_prefixes + 1) * sizeof(char *));
	if (!out->allowed_ips)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < p->n_prefixes; i++) {
		char *s = arena_strdup(&call->arena,
				       cidr_text(&l->prefixes[p->first_prefix + i], text));

		if (!s)
			return err_origin(-ENOMEM);
		out->allowed_ips[out->n_allowed_ips++] = s;
	}
	return 0;
}

static int fill_peer(struct call *call, const struct wg_list *l, const struct wg_peer *p,
		     const struct view_peer *known, Pb__Peer *out)
{
	static const char *const kinds[] = {
		[VIEW_NODE] = "node", [VIEW_DEVICE] = "device", [VIEW_PENDING] = "pending"};
	char key[KEY_TEXT_LEN + 1], endpoint[WG_ENDPOINT_TEXT_LEN], id[UUID_TEXT_LEN + 1];
	struct node *n = call->owner;

	pb__peer__init(out);
	out->public_key = arena_strdup(&call->arena, key_text(&p->public_key, key));
	out->endpoint = arena_strdup(&call->arena, wg_endpoint_text(&p->endpoint, endpoint));
	if (known) {
		out->device_id = arena_strdup(&call->arena, uuid_text(&known->id, id));
		out->kind = (char *)kinds[known->kind];
	}
	if (!out->public_key || !out->endpoint || !out->device_id)
		return err_origin(-ENOMEM);
	out->latest_handshake = show_time(&call->arena, p->handshake_ms);
	out->keepalive = p->keepalive_s;
	if (tenantrec_has(members_tenant(n->replica.list), "peer_stats")) {
		out->rx_bytes = p->rx_bytes;
		out->tx_bytes = p->tx_bytes;
	}
	return fill_prefixes(call, l, p, out);
}

static int fill_peers(struct call *call, struct node *n)
{
	Pb__ListPeersResponse *out = (Pb__ListPeersResponse *)call->out;
	const struct wg_list *running;
	const struct view_peer **sorted;
	const struct view *view;
	Pb__Peer *items;
	int r = 0;

	keeper_dump(n->keeper, &view, &running);
	sorted = sort_view(call, view);
	items = call_alloc(call, (running->n_peers + 1) * sizeof(*items));
	out->peers = call_alloc(call, (running->n_peers + 1) * sizeof(Pb__Peer *));
	if (!items || !out->peers || !sorted)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < running->n_peers && !r; i++) {
		const struct wg_peer *p = &running->peers[i];

		r = fill_peer(call, running, p, find_view(sorted, view->n_peers, &p->public_key),
			      &items[i]);
		out->peers[out->n_peers++] = &items[i];
	}
	return r;
}

/* On the keeper's thread: it alone changes the list, so no lock. */
static void on_dump(void *arg, int result)
{
	struct call *call = arg;

	if (!call_is_over(call))
		call_finish(call, result ? result : fill_peers(call, call->owner));
	call_unref(call);
}

static int park(struct call *call, int r)
{
	if (!r)
		return CALL_PARKED;
	call_unref(call);
	return err_origin(r);
}

int nodestate_peers(struct call *call, const Pb__ListPeersRequest *in, Pb__ListPeersResponse *out)
{
	struct node *n = call->owner;

	(void)in;
	(void)out;
	return park(call, keeper_on_dump(n->keeper, on_dump, call_ref(call)));
}

/* --- refresh --- */

static void on_snapshot(void *arg, int result)
{
	struct call *call = arg;
	struct node *n = call->owner;
	Pb__RefreshResponse *out = (Pb__RefreshResponse *)call->out;

	if (!call_is_over(call)) {
		if (!result)
			out->generation = n->replica.interface.generation;
		call_finish(call, result);
	}
	call_unref(call);
}

static void too_late(struct call *call, void *arg)
{
	(void)arg;
	call_finish(call, call_fail(call, ERR_CP_UNREACHABLE,
				    "The Control Panel did not send the list. What is applied "
				    "here stays in force."));
}

/* Nobody waits any more: nor does the keeper on his behalf. */
static void refresh_over(struct call *call, void *arg)
{
	keeper_forget(arg, on_snapshot, call);
}

int nodestate_refresh(struct call *call, const Pb__RefreshRequest *in, Pb__RefreshResponse *out)
{
	struct node *n = call->owner;
	int r;

	(void)in;
	(void)out;
	if (!link_is_up(n->link) && !keeper_is_fetching(n->keeper))
		return call_fail(call, ERR_CP_UNREACHABLE,
				 "The Control Panel cannot be reached. What is applied here stays "
				 "in force.");
	r = park(call, keeper_on_snapshot(n->keeper, on_snapshot, call_ref(call)));
	if (r != CALL_PARKED)
		return r;
	call_on_end(call, refresh_over, n->keeper);
	call_after(call, REFRESH_TIMEOUT_MS, too_late, NULL);
	return r;
}

/* --- events --- */

int nodestate_watch(struct call *call, const Pb__WatchStateRequest *in)
{
	struct node *n = call->owner;
	int r;

	keeper_interest(n->keeper);
	r = watchers_add(n->watchers, call, in->version);
	if (r)
		return r;
	/* It may have ended between the guards and now. */
	watchers_end_revoked(n->watchers);
	return CALL_PARKED;
}
