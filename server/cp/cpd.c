/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qmesh-cpd: the Control Panel daemon. Loads the config, starts the parts and
 * the server, waits for a signal, drains. SIGTERM and SIGINT end it; a second
 * one ends it at once. SIGHUP reads licence and issuers anew.
 */
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/sdnotify.h"
#include "base/sign.h"
#include "gateway/gateway.h"
#include "server/cp/cp.h"
#include "server/cp/cphealth.h"
#include "server/cp/hub.h"
#include "server/cp/issuers.h"
#include "server/cp/keyring.h"
#include "server/cp/licensing.h"
#include "server/cp/metrics.h"
#include "server/rpc/gauge.h"
#include "server/rpc/grpc.h"
#include "server/rpc/server.h"

enum { GRACE_MS = 3000, RECONNECT_MS = 500 };

/* Secrets pass through this process: no core files, no ptrace by the same user. */
static void harden(void)
{
	const struct rlimit none = {0};

	umask(0077);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	signal(SIGPIPE, SIG_IGN);
}

static gid_t admin_group(const char *name)
{
	struct group *group = *name ? getgrnam(name) : NULL;

	return group ? group->gr_gid : (gid_t)-1;
}

static int listen_all(struct server *server, const struct cp *cp)
{
	const struct cp_conf *conf = &cp->conf;
	struct listener_options options = {.http2 = conf->http2};
	char cert[PATH_MAX], key[PATH_MAX];
	int r = 0;

	keyring_cert_file(cp->keyring, cert);
	keyring_key_file(cp->keyring, key);

	if (*conf->listen) {
		options.kind = LISTENER_TLS;
		options.name = "tls";
		options.address = conf->listen;
		options.cert_file = *conf->cert_file ? conf->cert_file : cert;
		options.key_file = *conf->key_file ? conf->key_file : key;
		r = server_listen(server, &options, NULL);
	}
	if (!r && *conf->listen_plain) {
		options.kind = LISTENER_PLAIN;
		options.name = "plain";
		options.address = conf->listen_plain;
		r = server_listen(server, &options, NULL);
	}
	if (!r && *conf->admin_socket) {
		options.kind = LISTENER_UNIX;
		options.name = "admin";
		options.address = conf->admin_socket;
		options.http2 = true; /* it is how operators get in, whatever is wrong outside */
		options.admin_gid = admin_group(conf->admin_group);
		r = server_listen(server, &options, NULL);
	}
	return err_trace(r);
}

/* Until one that ends the program; a second of those ends it at once. */
static void wait_for_end(struct cp *cp, const sigset_t *signals)
{
	sigset_t ends = *signals;
	int sig;

	for (;;) {
		sigwait(signals, &sig);
		if (sig != SIGHUP)
			break;
		log_info("cpd", "SIGHUP: licence and issuers are read anew");
		issuers_reload(cp->issuers);
		licensing_reload(cp->licensing);
	}
	log_info("cpd", "%s: draining", strsignal(sig));
	sdnotify_tell("STOPPING=1");
	sigdelset(&ends, SIGHUP);
	pthread_sigmask(SIG_UNBLOCK, &ends, NULL);
}

static int serve(struct cp *cp, const sigset_t *signals)
{
	_cleanup_(gateway_freep) struct gateway *gateway = NULL;
	_cleanup_(server_freep) struct server *server = NULL;
	_cleanup_(gauge_freep) struct gauge *gauge = NULL;
	const struct gateway_options doors = {.cp_routes = true,
					      .page = true,
					      .health = cp->health,
					      .cors_origins = cp->conf.cors_origins};
	struct server_options options = {.loops = (unsigned)cp->conf.loops,
					 .workers = (unsigned)cp->conf.workers,
					 .conn_age_ms = cp->conf.conn_age_ms,
					 .conn_grace_ms = cp->conf.conn_grace_ms,
					 .conns_per_address = (unsigned)cp->conf.conns_per_address};
	struct services *services = cp_services(cp);
	int r;

	if (!services)
		return -ENOMEM;
	options.services = services;
	r = server_new(&options, &server);
	cp->server = server;
	if (!r)
		r = server_add_door(server, &grpc_door, services);
	if (!r)
		r = gateway_attach(server, &doors, &gateway);
	if (!r)
		r = listen_all(server, cp);
	if (!r)
		r = server_start(server);
	if (!r && *cp->conf.metrics)
		r = gauge_new(cp->conf.metrics, server, metrics_add, cp, &gauge);
	if (!r) {
		log_info("cpd", "ready");
		sdnotify_tell("READY=1\nSTATUS=ready");
		wait_for_end(cp, signals);
		health_drain(cp->health);
		hub_drain(cp->hub, RECONNECT_MS);
		server_stop(server, GRACE_MS);
	}
	gauge_free(TAKE(gauge));
	server_free(TAKE(server));
	cp->server = NULL;
	services_free(services);
	return err_trace(r);
}

static int run(const struct cp_conf *conf)
{
	struct cp *cp = NULL;
	enum log_level level;
	struct cidr pool;
	sigset_t signals;
	int r;

	r = cp_conf_check(conf, &pool);
	if (!r)
		r = log_level_parse(conf->log_level, &level);
	if (r)
		return r;
	log_set_level(level);
	log_set_trace(NULL);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	/* Before the first thread, so that all of them leave signals to this one. */
	pthread_sigmask(SIG_BLOCK, &signals, NULL);
	r = sign_init();
	if (!r)
		r = cp_new(conf, &cp);
	if (!r)
		r = health_new(cphealth_probe, cp, &cp->health);
	if (!r)
		r = serve(cp, &signals);
	if (cp)
		health_free(cp->health);
	cp_free(cp);
	return r;
}

int main(int argc, char **argv)
{
	_cleanup_(freep) int *rest = calloc((size_t)argc + 1, sizeof(*rest));
	struct cp_conf conf = {0};
	struct cidr pool;
	int exit_code = -1, r;
	size_t n_rest = 0;

	harden();
	if (!rest)
		return 1;
	/* As qmesh-noded: 2 is the configuration's fault, 1 everything else. */
	r = conf_load(&cp_conf_table, &conf, argc, argv, &exit_code, rest, &n_rest);
	if (!r && exit_code < 0 && n_rest) {
		fprintf(stderr, "qmesh-cpd: unknown word %s\n", argv[rest[0]]);
		r = -EINVAL;
	}
	if (!r && exit_code < 0)
		r = cp_conf_check(&conf, &pool);
	if (r)
		exit_code = 2;
	else if (exit_code < 0)
		r = run(&conf);
	conf_done(&cp_conf_table, &conf);
	return exit_code >= 0 ? exit_code : r ? 1 : 0;
}
