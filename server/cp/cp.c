/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/cp.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/own.h"
#include "gen/rpc/admin_service.h"
#include "gen/rpc/agent_service.h"
#include "gen/rpc/auth_service.h"
#include "gen/rpc/mesh_service.h"
#include "server/cp/agents.h"
#include "server/cp/audit.h"
#include "server/cp/auditcheck.h"
#include "server/cp/backup.h"
#include "server/cp/certdesk.h"
#include "server/cp/credential.h"
#include "server/cp/denials.h"
#include "server/cp/devices.h"
#include "server/cp/explain.h"
#include "server/cp/fleet.h"
#include "server/cp/headsign.h"
#include "server/cp/hub.h"
#include "server/cp/inspection.h"
#include "server/cp/issuers.h"
#include "server/cp/joining.h"
#include "server/cp/keydesk.h"
#include "server/cp/keyring.h"
#include "server/cp/licencedesk.h"
#include "server/cp/licensing.h"
#include "server/cp/manners.h"
#include "server/cp/misdeeds.h"
#include "server/cp/overview.h"
#include "server/cp/passwords.h"
#include "server/cp/presence.h"
#include "server/cp/progress.h"
#include "server/cp/replay.h"
#include "server/cp/rotation.h"
#include "server/cp/servicetokens.h"
#include "server/cp/sessions.h"
#include "server/cp/signon.h"
#include "server/cp/tenants.h"
#include "server/cp/ticker.h"
#include "server/cp/unheard.h"
#include "server/cp/users.h"
#include "server/cp/watch.h"
#include "server/rpc/health.h"
#include "server/rpc/reflection.h"
#include "server/store/statedir.h"

static void on_committed(void *arg, const struct uuid *tenants, size_t n)
{
	struct cp *cp = arg;

	for (size_t i = 0; cp->progress && i < n; i++)
		progress_touched(cp->progress, &tenants[i]);
	if (cp->hub)
		hub_touch(cp->hub, tenants, n);
}

/* A commit may have landed of which nobody was told: what hangs on it is looked up again. */
static void on_reopened(void *arg)
{
	struct cp *cp = arg;

	unheard_note(cp);
	if (cp->hub)
		hub_touch_all(cp->hub);
}

static int open_store(struct cp *cp)
{
	char path[PATH_MAX];
	struct store_options options = {.path = path,
					.keep_copy = true,
					.committed = on_committed,
					.reopened = on_reopened,
					.arg = cp};
	int r;

	r = statedir_take(cp->conf.state_dir, &cp->state_fd);
	if (r) {
		log_error("cp", "%s: %s", cp->conf.state_dir,
			  r == -EBUSY ? "another process works with it" : strerror(-r));
		return err_origin(r);
	}
	r = own_check(cp->state_fd, cp->conf.state_dir);
	if (r)
		return r;
	if (snprintf(path, sizeof(path), "%s/store.db", cp->conf.state_dir) >= (int)sizeof(path))
		return err_origin(-ENAMETOOLONG);
	return store_open(&options, &cp->store);
}

/* In the order that each part needs the ones before it. */
int cp_new(const struct cp_conf *conf, struct cp **ret_cp)
{
	_cleanup_(cp_freep) struct cp *cp = calloc(1, sizeof(*cp));
	int r;

	if (!cp)
		return -ENOMEM;
	cp->conf = *conf;
	cp->state_fd = -1;
	r = open_store(cp);
	if (!r)
		r = keyring_open(conf->state_dir, &cp->keyring);
	if (!r)
		r = issuers_new(conf->issuers_file, &cp->issuers);
	if (!r)
		r = licensing_new(cp, &cp->licensing);
	if (!r)
		r = presence_new(cp, &cp->presence);
	if (r)
		return err_trace(r);
	cp->passwords = passwords_new();
	cp->progress = progress_new(cp);
	cp->watch = watch_new(cp);
	cp->replays = replays_new();
	cp->denials = denials_new();
	cp->inspection = inspection_new(cp);
	cp->manners = manners_new();
	cp->misdeeds = misdeeds_new();
	cp->headsign = headsign_new(cp);
	if (!cp->passwords || !cp->progress || !cp->watch || !cp->replays || !cp->denials ||
	    !cp->inspection || !cp->manners || !cp->misdeeds || !cp->headsign)
		return -ENOMEM;
	r = fleet_load(cp);
	if (!r)
		r = hub_new(cp, &cp->hub);
	if (!r)
		r = keydesk_start(cp);
	if (!r)
		r = ticker_new(cp, &cp->ticker);
	if (r)
		return err_trace(r);
	*ret_cp = TAKE(cp);
	return 0;
}

void cp_free(struct cp *cp)
{
	if (!cp)
		return;
	ticker_free(cp->ticker);
	/*
	 * The writer tells the hub, and the hub's thread reads: so neither goes first as a whole.
	 * To its last turn that thread leaves itself messages, by cp->hub.
	 */
	store_stop(cp->store);
	hub_free(cp->hub);
	cp->hub = NULL;
	store_close(cp->store);
	watch_free(cp->watch);
	progress_free(cp->progress);
	presence_free(cp->presence);
	replays_free(cp->replays);
	denials_free(cp->denials);
	inspection_free(cp->inspection);
	manners_free(cp->manners);
	misdeeds_free(cp->misdeeds);
	headsign_free(cp->headsign);
	passwords_free(cp->passwords);
	licensing_free(cp->licensing);
	issuers_free(cp->issuers);
	keyring_free(cp->keyring);
	close_fdp(&cp->state_fd);
	free(cp);
}

static const struct mesh_service mesh = {
	.get_state = overview_state,
	.list_devices = devices_list,
	.get_device = devices_get,
	.explain_device = explain_device,
	.create_device = devices_create,
	.update_device = devices_update,
	.rotate_device_key = rotation_start,
	.delete_device = devices_delete,
	.get_change = overview_change,
	.watch_state = watch_state,
	.get_orbit_features = overview_features,
	.get_mesh_ca = certdesk_ca,
	.list_nodes = fleet_list,
	.list_audit = audit_list,
};

static const struct auth_service auth = {
	.login = sessions_login,
	.logout = sessions_logout,
	.who_am_i = sessions_who_am_i,
	.change_password = sessions_change_password,
	.exchange_token = signon_exchange,
	.create_service_token = servicetokens_create,
	.list_service_tokens = servicetokens_list,
	.revoke_service_token = servicetokens_revoke,
};

static const struct agent_service agent = {
	.enroll = joining_enroll,
	.renew_token = joining_renew,
	.subscribe = hub_subscribe,
	.report = agents_report,
	.issue_certificate = certdesk_issue,
	.get_node_peers = agents_peers,
};

static const struct admin_service admin = {
	.create_tenant = tenants_create,
	.list_tenants = tenants_list,
	.update_tenant = tenants_update,
	.create_user = users_create,
	.list_users = users_list,
	.update_user = users_update,
	.create_join_token = joining_create_token,
	.list_tenant_nodes = fleet_list_tenant,
	.remove_node = fleet_remove,
	.list_tenant_audit = audit_list_tenant,
	.verify_audit = auditcheck_verify,
	.sign_audit_heads = headsign_sign,
	.create_backup = backup_create,
	.list_keys = keydesk_list,
	.rotate_key = keydesk_rotate,
	.get_licence = licencedesk_get,
	.install_licence = licencedesk_install,
	.verify_licence = licencedesk_verify,
};

static void on_finished(struct call *call, int r, void *owner)
{
	struct cp *cp = owner;

	audit_finished(call, r, owner);
	replay_leave(cp->replays, call);
}

struct services *cp_services(struct cp *cp)
{
	const struct service_hooks hooks = {.authenticate = credential_authenticate,
					    .licence = credential_licence,
					    .admit = agents_admit,
					    .finished = on_finished,
					    .owner = cp};
	struct services *s = services_new(&hooks);

	if (!s)
		return NULL;
	if (service_add(s, &mesh_service_desc, mesh_service_handlers(&mesh), cp) ||
	    service_add(s, &auth_service_desc, auth_service_handlers(&auth), cp) ||
	    service_add(s, &agent_service_desc, agent_service_handlers(&agent), cp) ||
	    service_add(s, &admin_service_desc, admin_service_handlers(&admin), cp) ||
	    health_add(s, cp->health) || reflection_add(s)) {
		services_free(s);
		return NULL;
	}
	return s;
}
