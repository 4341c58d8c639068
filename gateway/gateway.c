/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC-Web and Connect on the methods' own paths, then one door for all the
 * rest: routes first, then health, then the page. There, a request that became a call has its
 * struct rest in x->user; every other is answered in open.
 */
#include "gateway/gateway.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "base/log.h"
#include "gateway/answer.h"
#include "gateway/connect.h"
#include "gateway/grpcweb.h"
#include "gateway/page.h"
#include "gateway/rest.h"
#include "gateway/router.h"
#include "gateway/sse.h"
#include "gateway/webcall.h"
#include "gen/rpc/routes.h"
#include "server/rpc/health.h"

struct gateway {
	struct gateway_options options;
	struct services *services;
	struct router *router;
	struct sse_table *streams;
	struct web web;
};

static bool claims(const struct exchange *x)
{
	(void)x;
	return true;
}

/* The same report behind both: one says whether to ask, the other only that we live. */
static void answer_health(struct exchange *x, struct health *health, bool must_be_ready)
{
	_cleanup_(text_done) struct text out = TEXT_INIT(16384);
	struct health_report report;
	bool ready = health_ask(health, &report);
	struct answer a;

	health_json(&report, &out);
	if (out.failed) {
		answer_refuse(x, 500, NULL, "Out of memory.");
		return;
	}
	answer_init_api(&a, "application/json", NULL);
	answer_send(x, must_be_ready && !ready ? 503 : 200, &a, out.s, out.len);
}

/* What has no route: health, the page, or nothing. */
static void open_other(struct exchange *x, const struct gateway *gw)
{
	bool is_get = strcmp(x->method, "GET") == 0 || strcmp(x->method, "HEAD") == 0;

	struct health *health = gw->options.health;

	if (is_get && health && strcmp(x->path, "/healthz") == 0)
		answer_health(x, health, false);
	else if (is_get && health && strcmp(x->path, "/readyz") == 0)
		answer_health(x, health, true);
	else if (!gw->options.page || !page_serve(x))
		answer_refuse(x, 404, NULL, "Nothing is served at this path.");
}

static void door_open(struct exchange *x, void *owner)
{
	struct gateway *gw = owner;
	struct router_match match;

	x->user = NULL;
	switch (router_find(gw->router, x->method, x->path, &match)) {
	case ROUTER_FOUND:
		rest_open(x, gw->services, gw->streams, &match);
		break;
	case ROUTER_NO_VERB:
		answer_refuse(x, 405, match.allow, "%s is not for this address; it takes %s.",
			      x->method, match.allow);
		break;
	default:
		open_other(x, gw);
		break;
	}
}

static void door_data(struct exchange *x, const uint8_t *p, size_t len)
{
	if (x->user)
		rest_data(x->user, p, len);
}

static void door_end(struct exchange *x)
{
	if (x->user)
		rest_end(x->user);
}

static void door_drained(struct exchange *x)
{
	if (x->user)
		rest_drained(x->user);
}

static void door_gone(struct exchange *x)
{
	if (x->user)
		rest_gone(x->user);
}

static const struct door gateway_door = {
	.name = "rest",
	.claims = claims,
	.open = door_open,
	.data = door_data,
	.end = door_end,
	.drained = door_drained,
	.gone = door_gone,
};

/* Only "*" and none are known here: the generator makes no others. */
static bool is_bound(const struct gateway *gw, const struct route *row)
{
	handler_fn fn;
	void *owner;

	if (strncmp(row->pattern, ROUTER_AGENTS, strlen(ROUTER_AGENTS)) == 0 &&
	    !gw->options.cp_routes)
		return false;
	if (row->body && strcmp(row->body, "*") != 0)
		return false;
	return service_find(gw->services, row->method->path, strlen(row->method->path), &fn,
			    &owner) != NULL;
}

static int make_router(struct gateway *gw)
{
	_cleanup_(freep) struct route *rows = calloc(n_routes ? n_routes : 1, sizeof(*rows));
	size_t n = 0;

	if (!rows)
		return err_origin(-ENOMEM);
	for (size_t i = 0; i < n_routes; i++) {
		if (is_bound(gw, &routes[i]))
			rows[n++] = routes[i];
	}
	log_debug("gateway", "%zu of %zu routes bound", n, n_routes);
	return router_new(rows, n, &gw->router);
}

static int add_doors(struct server *srv, struct gateway *gw)
{
	int r = cors_new(gw->options.cors_origins, &gw->web.cors);

	gw->web.services = gw->services;
	if (!r)
		r = server_add_door(srv, &grpcweb_door, &gw->web);
	if (!r)
		r = server_add_door(srv, &connect_door, &gw->web);
	if (!r)
		r = server_add_door(srv, &gateway_door, gw);
	return r;
}

int gateway_attach(struct server *srv, const struct gateway_options *options, struct gateway **ret)
{
	_cleanup_(gateway_freep) struct gateway *gw = calloc(1, sizeof(*gw));
	int r;

	if (!gw)
		return err_origin(-ENOMEM);
	gw->options = *options;
	gw->services = server_services(srv);
	r = make_router(gw);
	if (r < 0)
		return err_trace(r);
	r = sse_table_new(&gw->streams);
	if (r < 0)
		return err_trace(r);
	r = add_doors(srv, gw);
	if (r < 0)
		return err_trace(r);
	*ret = TAKE(gw);
	return 0;
}

void gateway_free(struct gateway *gw)
{
	if (!gw)
		return;
	router_free(gw->router);
	sse_table_free(gw->streams);
	cors_free(gw->web.cors);
	free(gw);
}
