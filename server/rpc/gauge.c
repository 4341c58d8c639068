/* SPDX-License-Identifier: Apache-2.0 */
/* A server with one loop and one door, apart from the one it tells about. */
#include "server/rpc/gauge.h"

#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "server/rpc/exchange.h"
#include "server/rpc/service.h"

enum { TEXT_MAX = 262144, STOP_MS = 200 };

struct gauge {
	struct server *watched, *own;
	struct services *services;
	void (*add)(void *owner, struct text *out);
	void *owner;
};

static bool claims(const struct exchange *x)
{
	(void)x;
	return true;
}

static void refuse(struct exchange *x, unsigned status)
{
	exchange_head(x, status, NULL, 0);
	exchange_finish(x, NULL, 0);
}

static void open_exchange(struct exchange *x, void *owner)
{
	static const struct header type = {"content-type", "text/plain; version=0.0.4", 25};
	_cleanup_(text_done) struct text out = TEXT_INIT(TEXT_MAX);
	struct gauge *g = owner;

	if (strcmp(x->path, "/metrics") != 0) {
		refuse(x, 404);
		return;
	}
	if (strcmp(x->method, "GET") != 0 && strcmp(x->method, "HEAD") != 0) {
		refuse(x, 405);
		return;
	}
	server_metrics(g->watched, &out);
	g->add(g->owner, &out);
	if (out.failed) {
		refuse(x, 500);
		return;
	}
	exchange_head(x, 200, &type, 1);
	exchange_write(x, out.s, out.len);
	exchange_finish(x, NULL, 0);
}

static void ignore_data(struct exchange *x, const uint8_t *p, size_t len)
{
	(void)x;
	(void)p;
	(void)len;
}

static void ignore(struct exchange *x)
{
	(void)x;
}

static const struct door door = {
	.name = "metrics",
	.claims = claims,
	.open = open_exchange,
	.data = ignore_data,
	.end = ignore,
	.gone = ignore,
};

int gauge_new(const char *address, struct server *watched,
	      void (*add)(void *owner, struct text *out), void *owner, struct gauge **ret_gauge)
{
	_cleanup_(gauge_freep) struct gauge *g = calloc(1, sizeof(*g));
	const struct listener_options listener = {
		.kind = LISTENER_PLAIN, .address = address, .name = "metrics"};
	const struct service_hooks none = {0};
	struct server_options options = {.loops = 1, .workers = 1};
	int r;

	if (!g)
		return err_origin(-ENOMEM);
	g->watched = watched;
	g->add = add;
	g->owner = owner;
	g->services = services_new(&none);
	if (!g->services)
		return err_origin(-ENOMEM);
	options.services = g->services;
	r = server_new(&options, &g->own);
	if (!r)
		r = server_add_door(g->own, &door, g);
	if (!r)
		r = server_listen(g->own, &listener, NULL);
	if (!r)
		r = server_start(g->own);
	if (r)
		return err_trace(r);
	*ret_gauge = TAKE(g);
	return 0;
}

void gauge_free(struct gauge *g)
{
	if (!g)
		return;
	if (g->own)
		server_stop(g->own, STOP_MS);
	server_free(g->own);
	services_free(g->services);
	free(g);
}
