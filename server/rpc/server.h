/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP server: loops, listeners, TLS, drain. One loop thread per core,
 * each with its own SO_REUSEPORT listener; nothing shared but read-only config.
 */
#ifndef QM_SERVER_H
#define QM_SERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cidr.h"
#include "base/cleanup.h"
#include "server/rpc/exchange.h"
#include "server/rpc/service.h"

struct server;

enum listener_kind { LISTENER_TLS, LISTENER_PLAIN, LISTENER_UNIX };

#define LISTENER_NETWORKS 2

struct listener_options {
	enum listener_kind kind;
	const char *address;   /* "[::]:7443", "127.0.0.1:7480", "/run/qmesh/cpd.sock" */
	const char *cert_file; /* TLS: PEM chain and key */
	const char *key_file;
	bool http2;       /* false: HTTP/1.1 only, the emergency brake */
	gid_t admin_gid;  /* Unix: this group and uid 0 are operators; (gid_t)-1: uid 0 only */
	const char *name; /* for logs and metrics */
	/* Authorities that are served, others get 421: see hosts_name. NULL: any. */
	const char *hosts;
	/* Peers that are let in, see hosts_from. */
	struct cidr from[LISTENER_NETWORKS];
	bool quiet; /* who opens it tells himself what went wrong */
};

struct server_options {
	unsigned loops;   /* 0: one per core, at most 8 */
	unsigned workers; /* worker threads at most; 0: 64 */
	struct services *services;
	/* A connection is asked to leave at this age, give or take a tenth; 0: never (gRFC A9). */
	uint64_t conn_age_ms;
	uint64_t conn_grace_ms; /* what its calls may still take then */
	/* Open connections of one address, or one IPv6 /64; 0: LIMIT_CONNS_PER_ADDRESS. */
	unsigned conns_per_address;
};

int server_new(const struct server_options *options, struct server **ret_server) _must_check_;
/* In the order asked; the owner is handed to door->open. */
int server_add_door(struct server *s, const struct door *door, void *owner) _must_check_;
/*
 * Opens a listener: may be called before and after server_start (the node's
 * mesh address comes late). PLAIN refuses addresses that are not loopback
 * (-EACCES). ret_port: the port bound (for ":0"); may be NULL.
 */
int server_listen(struct server *s, const struct listener_options *options, uint16_t *ret_port)
	_must_check_;
/*
 * Shows another certificate on the TLS listener of that name, from the next handshake
 * on; connections that are there go on. Errors as tls_new; nothing has changed then.
 */
int server_change_cert(struct server *s, const char *name, const char *cert_file,
		       const char *key_file) _must_check_;
/* The same with the hosts that it serves. -ENOMEM. */
int server_change_hosts(struct server *s, const char *name, const char *hosts) _must_check_;
/*
 * Closes the listener of that name and cuts its connections. Not for what comes and goes
 * often: a little of it stays until server_free.
 */
void server_unlisten(struct server *s, const char *name);
/*
 * For a configuration: says on stderr what is wrong with key's TCP address and
 * returns -EINVAL. Empty is fine; nothing is opened.
 */
int server_check_address(enum listener_kind kind, const char *key, const char *address)
	_must_check_;
int server_start(struct server *s) _must_check_;
/*
 * Two-step drain: stops accepting, GOAWAY twice, ends streams with DRAINING
 * after grace_ms / 2, cuts what is left at grace_ms. Blocks; then all threads are gone.
 */
void server_stop(struct server *s, uint64_t grace_ms);
void server_free(struct server *s);
CLEANUP_DEFINE(struct server, server_free);

struct services *server_services(struct server *s);
/* Runs fn on a worker thread. -ENOMEM, -ESHUTDOWN. */
int server_work(struct server *s, void (*fn)(void *arg), void *arg) _must_check_;
/* Counters for /metrics and tests, as "name value\n" lines appended. */
struct text;
void server_metrics(struct server *s, struct text *out);

#endif
