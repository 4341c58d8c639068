/* SPDX-License-Identifier: Apache-2.0 */
/* View, then each peer of it; what no peer may have is left out and noted. */
#include "server/node/wanted.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "server/node/applier.h"

/* An address of anybody else's would be let in by WireGuard, and cut off from where it is. */
static bool is_in_range(const struct applier *a, const struct cidr *prefix)
{
	const struct tenantrec *t = members_tenant(a->replica->list);

	return cidr_contains(prefix->family == CIDR_V4 ? &t->range4 : &t->range6, prefix);
}

/* What is sent there would go into the interface that it comes from, and round for ever. */
static void leave_mesh(const struct applier *a, struct wg_peer *peer)
{
	const struct wg_endpoint *e = &peer->endpoint;
	struct cidr host = {.family = e->family, .bits = e->family == CIDR_V4 ? 32 : 128};

	memcpy(host.addr, e->addr, sizeof(host.addr));
	if (!e->family || !is_in_range(a, &host))
		return;
	peer->endpoint = (struct wg_endpoint){0};
	peer->endpoint_is_new = false;
}

static int add(struct applier *a, struct wg_list *wanted, const struct view *view, size_t index)
{
	const struct view_peer *p = &view->peers[index];
	struct wg_peer *peer;

	if (p->kind != VIEW_NODE && !trust_k_n(&a->replica->trust, p->psk_version)) {
		applier_note_failed(a, &p->id, ENOKEY);
		return 0;
	}
	peer = wglist_add_peer(wanted, &p->public_key);
	if (!peer)
		return -ENOMEM;
	if (p->kind != VIEW_NODE)
		key_psk_device(trust_k_n(&a->replica->trust, p->psk_version), p->id.b,
			       p->key_version, &peer->psk);
	peer->keepalive_s = p->keepalive_s;
	endpoints_look(a->endpoints, &p->id, p->endpoint, a->from_cache, &peer->endpoint,
		       &peer->endpoint_is_new);
	leave_mesh(a, peer);
	for (size_t i = 0; i < p->n_prefixes; i++) {
		const struct cidr *prefix = &view->prefixes[p->first_prefix + i];
		int r;

		if (!is_in_range(a, prefix)) {
			applier_note_failed(a, &p->id, ERANGE);
			continue;
		}
		r = wglist_add_prefix(wanted, prefix);
		if (r)
			return r;
	}
	return 0;
}

/* Only the keeper writes the replica, so its own reading needs no lock. */
int wanted_make(struct applier *a, const struct members *members, struct view *ret_view,
		struct wg_list *ret_wanted)
{
	const struct view_options options = {.promoted = a->replica->promoted,
					     .n_promoted = a->replica->n_promoted,
					     .lease_over = a->lease_over};
	struct wg_list wanted = {0};
	struct view view;
	int r;

	r = view_make(members, &a->replica->self, &options, &view);
	if (r)
		return err_trace(r);
	for (size_t i = 0; i < view.n_peers && !r; i++)
		r = add(a, &wanted, &view, i);
	if (r) {
		view_done(&view);
		wglist_done(&wanted);
		return err_origin(r);
	}
	*ret_view = view;
	*ret_wanted = wanted;
	return 0;
}
