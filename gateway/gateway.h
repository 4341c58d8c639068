/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The doors that translate: gRPC-Web and Connect on the paths of gRPC, REST with
 * JSON, server-sent events, the page and its files. The last door that
 * gateway_attach adds claims every request, so it comes after
 * server_add_door(srv, &grpc_door, services); all calls go through the same
 * dispatcher.
 *
 * Bound are the rows of gen/rpc/routes.h whose method the server's services
 * have (service_find), so call it after every service_add and before
 * server_start. The page is part of the binary: the build embeds ui/dist,
 * index.html as /vpn/mesh and every other file as /<path below ui/dist>;
 * names with a hash in them (app-1a2b3c4d.js) are cached for ever.
 *
 * The session cookie is named after the port in the Host header: __Host-qmesh-PORT
 * over TLS, qmesh-PORT on clear loopback.
 */
#ifndef QM_GATEWAY_H
#define QM_GATEWAY_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "server/rpc/server.h"

struct gateway;
struct health;

struct gateway_options {
	bool cp_routes;        /* also bind /cp/api/v1/...: the Control Panel */
	bool page;             /* serve the page; "/" redirects to /vpn/mesh */
	struct health *health; /* for /healthz and /readyz, which are there with it only */
	/* Sites whose pages may call gRPC-Web and Connect; see cors_new. NULL or "": none. */
	const char *cors_origins;
};

/* The server borrows the gateway: free it after server_free. -ENOMEM, -EINVAL for cors_origins, or
 * as server_add_door. */
int gateway_attach(struct server *srv, const struct gateway_options *options, struct gateway **ret)
	_must_check_;
void gateway_free(struct gateway *gw);
CLEANUP_DEFINE(struct gateway, gateway_free);

#endif
