/* SPDX-License-Identifier: Apache-2.0 */
/*
 * qmesh-noded: reads its configuration, starts the node and its listeners,
 * waits for a signal. SIGTERM, SIGINT and kill -9 leave interface and sessions
 * as they are; --teardown takes interface, firewall table and switches back.
 */
#include <errno.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "base/err.h"
#include "base/log.h"
#include "base/own.h"
#include "base/sdnotify.h"
#include "base/sign.h"
#include "gateway/gateway.h"
#include "server/node/applier.h"
#include "server/node/keeper.h"
#include "server/node/node.h"
#include "server/node/nodecount.h"
#include "server/node/nodehealth.h"
#include "server/rpc/cert.h"
#include "server/rpc/gauge.h"
#include "server/rpc/grpc.h"
#include "server/rpc/server.h"

#define DRAIN_MS 2000

static volatile sig_atomic_t stop_asked;

static void on_signal(int number)
{
	(void)number;
	stop_asked = 1;
}

/* Signals are blocked but in serve: one that waits counts too. */
static bool must_stop(void)
{
	sigset_t pending;

	sigemptyset(&pending);
	sigpending(&pending);
	if (sigismember(&pending, SIGTERM) || sigismember(&pending, SIGINT))
		stop_asked = 1;
	return stop_asked;
}

/* Blocked in all threads but where sigsuspend waits. */
static void catch_signals(sigset_t *ret_before)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);
	pthread_sigmask(SIG_BLOCK, &set, ret_before);
	sigdelset(ret_before, SIGTERM);
	sigdelset(ret_before, SIGINT);
}

static gid_t group_of(const char *name)
{
	struct group *g = name[0] ? getgrnam(name) : NULL;

	return g ? g->gr_gid : (gid_t)-1;
}

static int listen_tls(struct node *n, struct server *s)
{
	char cert[512], key[512];
	struct listener_options options = {.kind = LISTENER_TLS,
					   .address = n->conf.listen,
					   .cert_file = n->conf.tls_cert,
					   .key_file = n->conf.tls_key,
					   .http2 = n->conf.http2,
					   .name = "listen"};

	if (!n->conf.tls_cert[0]) {
		int r;

		snprintf(cert, sizeof(cert), "%s/tls.crt", n->conf.state_dir);
		snprintf(key, sizeof(key), "%s/tls.key", n->conf.state_dir);
		r = own_check_path(key);
		if (r == -ENOENT)
			r = cert_make(cert, key);
		if (r)
			return err_trace(r);
		options.cert_file = cert;
		options.key_file = key;
	}
	return server_listen(s, &options, NULL);
}

static int listen_all(struct node *n, struct server *s)
{
	int r = 0;

	if (n->conf.listen[0])
		r = listen_tls(n, s);
	if (!r && n->conf.listen_plain[0]) {
		const struct listener_options plain = {.kind = LISTENER_PLAIN,
						       .address = n->conf.listen_plain,
						       .http2 = n->conf.http2,
						       .name = "listen_plain"};

		r = server_listen(s, &plain, NULL);
	}
	if (!r && n->conf.admin_socket[0]) {
		const struct listener_options local = {.kind = LISTENER_UNIX,
						       .address = n->conf.admin_socket,
						       .http2 = true,
						       .admin_gid = group_of(n->conf.admin_group),
						       .name = "admin_socket"};

		r = server_listen(s, &local, NULL);
	}
	if (r)
		log_error("node", "a listener could not be opened: %s%s", strerror(-r),
			  r == -EADDRINUSE
				  ? "; end the other program, or give listen, listen_plain "
				    "or admin_socket another address, or none"
				  : "");
	return r;
}

/* Keys pass through this process: no core files, no ptrace by the same user. */
static void harden(void)
{
	const struct rlimit none = {0};

	umask(0077);
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
}

static void services_freep(struct services **s)
{
	if (*s)
		services_free(*s);
}

static int serve(struct node *n, const sigset_t *waiting)
{
	_cleanup_(services_freep) struct services *services = node_services(n);
	_cleanup_(gateway_freep) struct gateway *gateway = NULL;
	_cleanup_(server_freep) struct server *server = NULL;
	_cleanup_(gauge_freep) struct gauge *gauge = NULL;
	const struct server_options options = {.loops = (unsigned)n->conf.loops,
					       .workers = (unsigned)n->conf.workers,
					       .services = services,
					       .conn_age_ms = n->conf.conn_age_ms,
					       .conn_grace_ms = n->conf.conn_grace_ms};
	const struct gateway_options page = {
		.page = true, .health = n->health, .cors_origins = n->conf.cors_origins};
	int r;

	if (!services)
		return err_origin(-ENOMEM);
	r = server_new(&options, &server);
	if (!r)
		r = server_add_door(server, &grpc_door, services);
	if (!r)
		r = gateway_attach(server, &page, &gateway);
	if (!r)
		r = listen_all(n, server);
	if (!r)
		r = server_start(server);
	if (!r && n->conf.metrics[0])
		r = gauge_new(n->conf.metrics, server, nodecount_add, n, &gauge);
	if (r)
		return err_trace(r);
	keeper_serve(n->keeper, server);
	log_info("node", "ready");
	sdnotify_tell("READY=1\nSTATUS=ready");
	while (!stop_asked)
		sigsuspend(waiting);
	log_info("node", "stopping; the interface stays");
	sdnotify_tell("STOPPING=1");
	keeper_serve(n->keeper, NULL);
	health_drain(n->health);
	server_stop(server, DRAIN_MS);
	return 0;
}

static int teardown(struct node *n)
{
	int r = applier_teardown(&n->conf);

	if (r)
		log_error("node", "teardown is not complete: %s", strerror(-r));
	else
		log_info("node", "interface, firewall table and switches are gone");
	return r ? 1 : 0;
}

static int run(struct node *n, const sigset_t *waiting)
{
	int r = health_new(nodehealth_probe, n, &n->health);

	sdnotify_tell("STATUS=starting; a new node joins at the Control Panel first");
	if (!r)
		r = node_start(n, must_stop);
	if (!r)
		r = serve(n, waiting);
	node_stop(n);
	health_free(n->health);
	if (r && must_stop())
		return 0;
	return r ? 1 : 0;
}

int main(int argc, char **argv)
{
	struct node n = {0};
	enum log_level level;
	bool wants_teardown = false;
	size_t n_rest = (size_t)argc;
	int rest[64], exit_code = -1, r;
	sigset_t waiting;

	if (argc > 64 ||
	    conf_load(&node_conf_table, &n.conf, argc, argv, &exit_code, rest, &n_rest))
		return 2;
	for (size_t i = 0; exit_code < 0 && i < n_rest; i++) {
		if (strcmp(argv[rest[i]], "--teardown") != 0) {
			fprintf(stderr, "qmesh-noded: unknown word %s\n", argv[rest[i]]);
			return 2;
		}
		wants_teardown = true;
	}
	if (exit_code < 0 && log_level_parse(n.conf.log_level, &level)) {
		fprintf(stderr, "qmesh-noded: log_level must be error, warn, info or debug\n");
		exit_code = 2;
	}
	if (exit_code >= 0) {
		conf_done(&node_conf_table, &n.conf);
		return exit_code;
	}
	log_set_level(level);
	log_set_trace(NULL);
	if (sign_init())
		return 1;
	harden();
	catch_signals(&waiting);
	r = wants_teardown ? teardown(&n) : run(&n, &waiting);
	conf_done(&node_conf_table, &n.conf);
	return r;
}
