/* SPDX-License-Identifier: Apache-2.0 */
/* Puts the node together and takes it apart, in order. */
#include "server/node/node.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "gen/rpc/auth_service.h"
#include "gen/rpc/dns_service.h"
#include "gen/rpc/mesh_service.h"
#include "server/node/dnsservice.h"
#include "server/node/enrol.h"
#include "server/node/forward.h"
#include "server/node/keeper.h"
#include "server/node/link.h"
#include "server/node/nodeauth.h"
#include "server/node/nodecache.h"
#include "server/node/nodedevice.h"
#include "server/node/nodestate.h"
#include "server/node/nodewhy.h"
#include "server/node/rings.h"
#include "server/node/statefile.h"
#include "server/node/watchers.h"
#include "server/rpc/health.h"
#include "server/rpc/reflection.h"

static const struct mesh_service mesh_handlers = {
	.get_state = nodestate_get,
	.list_devices = nodedevice_list,
	.get_device = nodedevice_get,
	.refresh = nodestate_refresh,
	.list_peers = nodestate_peers,
	.watch_state = nodestate_watch,
	.get_orbit_features = nodestate_features,
	.list_nodes = nodestate_nodes,
	.get_mesh_ca = nodestate_ca,
	.get_device_stats = nodedevice_stats,
	.explain_device = nodewhy_explain,
};

/* All of it is the Control Panel's. */
static const struct auth_service auth_handlers = {0};

static const struct dns_service dns_handlers = {.query = dnsservice_query};

struct services *node_services(struct node *n)
{
	const struct service_hooks hooks = {
		.authenticate = nodeauth_authenticate,
		.licence = nodeauth_licence,
		.forward = forward_call,
		.owner = n,
	};
	struct services *s = services_new(&hooks);

	if (!s)
		return NULL;
	if (service_add(s, &mesh_service_desc, mesh_service_handlers(&mesh_handlers), n) ||
	    service_add(s, &auth_service_desc, auth_service_handlers(&auth_handlers), n) ||
	    service_add(s, &dns_service_desc, dns_service_handlers(&dns_handlers), n) ||
	    health_add(s, n->health) || reflection_add(s)) {
		services_free(s);
		return NULL;
	}
	return s;
}

static int load_identity(struct node *n, bool (*stop)(void), struct enrolment *e)
{
	int r;

	r = statefile_make_dir(n->conf.state_dir);
	if (!r)
		r = identity_load(n->conf.state_dir, &n->identity);
	if (r)
		return err_trace(r);
	if (n->conf.cp_pin[0]) {
		if (enrol_parse_pin(n->conf.cp_pin, n->identity.cp_pin)) {
			log_error("node", "cp_pin must be 32 bytes in hex or base64url");
			return -EINVAL;
		}
		n->identity.has_pin = true;
	}
	if (!uuid_is_nil(&n->identity.node_id))
		return 0;
	return enrol(&n->conf, &n->identity, stop, e);
}

static int load_replica(struct node *n, const struct enrolment *e)
{
	int r;

	r = replica_init(&n->replica, &n->identity.node_id, &n->identity.tenant_id);
	if (r)
		return err_trace(r);
	r = nodecache_load(n->conf.state_dir, &n->replica);
	if (r && r != -ENOENT && r != -EPERM) {
		log_warn("node", "the saved list is of no use: %s", strerror(-r));
		replica_done(&n->replica);
		r = replica_init(&n->replica, &n->identity.node_id, &n->identity.tenant_id);
		if (r)
			return err_trace(r);
	}
	if (r != -EPERM)
		r = lease_load(&n->replica.lease, n->conf.state_dir);
	if (r && r != -ENOENT) {
		replica_done(&n->replica);
		return err_trace(r);
	}
	lease_set_length(&n->replica.lease, members_tenant(n->replica.list)->lease_s * 1000);
	if (e->trust.n_session_keys || e->trust.n_k_n)
		n->replica.trust = e->trust;
	return 0;
}

static int start_threads(struct node *n, const struct enrolment *e)
{
	int r;

	n->watchers = watchers_new(n);
	n->rings = rings_new();
	if (!n->watchers || !n->rings)
		return err_origin(-ENOMEM);
	r = link_new(n, &n->link);
	if (!r)
		r = keeper_new(n, &n->keeper);
	if (r)
		return err_trace(r);
	if (e->agent_token[0])
		link_give_token(n->link, e->agent_token, e->token_expires_at_ms);
	r = keeper_start(n->keeper);
	return r ? r : link_start(n->link);
}

int node_start(struct node *n, bool (*stop)(void))
{
	_cleanup_(enrolment_wipe) struct enrolment e = {0};
	int r;

	r = load_identity(n, stop, &e);
	if (r)
		return r;
	r = load_replica(n, &e);
	if (r)
		return r;
	n->has_replica = true;
	return start_threads(n, &e);
}

void node_stop(struct node *n)
{
	link_stop(n->link);
	keeper_stop(n->keeper);
	link_free(n->link);
	keeper_free(n->keeper);
	watchers_free(n->watchers);
	rings_free(n->rings);
	if (n->has_replica)
		replica_done(&n->replica);
	identity_wipe(&n->identity);
}
