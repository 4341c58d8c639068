/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who watches is told on the loop of his own call: there is one order of what
 * he is told, however many threads have news. The list of watchers has a lock;
 * everything else of a watcher belongs to its loop.
 */
#include "server/rpc/health.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/text.h"
#include "gen/rpc/health_service.h"

#define STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name
/* How soon a watcher hears what no one tells: the probe is asked again. */
#define LOOK_MS 1000

/* In the arena of its call. */
struct watcher {
	struct health *health;
	struct call *call;
	int told; /* what he heard last; -1: nothing */
	struct watcher *prev, *next;
};

struct health {
	void (*probe)(void *owner, struct health_report *r);
	void *owner;
	struct services *services;
	atomic_bool draining;
	pthread_mutex_t lock;
	struct watcher *watchers;
};

/* --- the answer --- */

void health_say(struct health_report *r, const char *name, bool blocks, const char *fmt, ...)
{
	struct health_reason *to = &r->reasons[r->n];
	va_list ap;

	if (blocks)
		r->ready = false;
	if (r->n == HEALTH_MAX_REASONS)
		return;
	to->name = name;
	to->blocks = blocks;
	va_start(ap, fmt);
	vsnprintf(to->words, sizeof(to->words), fmt, ap);
	va_end(ap);
	text_utf8_mend(to->words);
	r->n++;
}

bool health_ask(struct health *h, struct health_report *ret_report)
{
	ret_report->ready = true;
	ret_report->n = 0;
	if (h->draining)
		health_say(ret_report, "DRAINING", true, "This daemon is ending.");
	if (h->probe)
		h->probe(h->owner, ret_report);
	return ret_report->ready;
}

void health_json(const struct health_report *r, struct text *out)
{
	text_addf(out, "{\"status\":\"%s\",\"reasons\":[", r->ready ? "ready" : "not ready");
	for (size_t i = 0; i < r->n; i++) {
		const struct health_reason *why = &r->reasons[i];

		text_addf(out, "%s{\"reason\":\"%s\",\"blocks\":%s,\"message\":", i ? "," : "",
			  why->name, why->blocks ? "true" : "false");
		json_quote(out, why->words);
		text_adds(out, "}");
	}
	text_adds(out, "]}");
}

/* The empty name is the daemon as a whole. */
static bool is_known(const struct services *s, const char *name)
{
	const struct service *one;

	if (!name[0])
		return true;
	for (size_t i = 0; (one = service_at(s, i)); i++)
		if (strcmp(one->name, name) == 0)
			return true;
	return false;
}

static int status_now(struct health *h, const char *name)
{
	struct health_report report;

	if (!is_known(h->services, name))
		return STATUS(SERVICE_UNKNOWN);
	return health_ask(h, &report) ? STATUS(SERVING) : STATUS(NOT_SERVING);
}

/* --- grpc.health.v1 --- */

static int check(struct call *call, const Grpc__Health__V1__HealthCheckRequest *in,
		 Grpc__Health__V1__HealthCheckResponse *out)
{
	int now = status_now(call->owner, in->service);

	if (now == STATUS(SERVICE_UNKNOWN))
		return call_fail(call, ERR_NOT_FOUND, "There is no such service here.");
	out->status = now;
	return 0;
}

static void look(struct call *call, void *arg)
{
	const Grpc__Health__V1__HealthCheckRequest *in = (const void *)call->in;
	Grpc__Health__V1__HealthCheckResponse out = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
	struct watcher *w = arg;

	out.status = status_now(w->health, in->service);
	if (w->told != (int)out.status) {
		w->told = out.status;
		if (call_send(call, &out.base))
			return; /* it is over */
	}
	call_after(call, LOOK_MS, look, w);
}

static void on_end(struct call *call, void *arg)
{
	struct watcher *w = arg;
	struct health *h = w->health;

	(void)call;
	pthread_mutex_lock(&h->lock);
	if (w->prev)
		w->prev->next = w->next;
	else
		h->watchers = w->next;
	if (w->next)
		w->next->prev = w->prev;
	pthread_mutex_unlock(&h->lock);
}

static int watch(struct call *call, const Grpc__Health__V1__HealthCheckRequest *in)
{
	struct watcher *w = call_alloc(call, sizeof(*w));
	struct health *h = call->owner;

	(void)in;
	if (!w)
		return err_origin(-ENOMEM);
	*w = (struct watcher){.health = h, .call = call, .told = -1};
	pthread_mutex_lock(&h->lock);
	w->next = h->watchers;
	if (w->next)
		w->next->prev = w;
	h->watchers = w;
	pthread_mutex_unlock(&h->lock);
	call_on_end(call, on_end, w);
	call_after(call, 0, look, w);
	return CALL_PARKED;
}

static const struct health_service handlers = {.check = check, .watch = watch};

/* --- life --- */

int health_new(void (*probe)(void *owner, struct health_report *r), void *owner,
	       struct health **ret_health)
{
	struct health *h = calloc(1, sizeof(*h));

	if (!h)
		return err_origin(-ENOMEM);
	h->probe = probe;
	h->owner = owner;
	pthread_mutex_init(&h->lock, NULL);
	*ret_health = h;
	return 0;
}

void health_free(struct health *h)
{
	if (!h)
		return;
	pthread_mutex_destroy(&h->lock);
	free(h);
}

int health_add(struct services *s, struct health *h)
{
	h->services = s;
	return service_add(s, &health_service_desc, health_service_handlers(&handlers), h);
}

void health_drain(struct health *h)
{
	h->draining = true;
	/* A watcher leaves the list before its call ends: those in it live. */
	pthread_mutex_lock(&h->lock);
	for (struct watcher *w = h->watchers; w; w = w->next)
		call_after(w->call, 0, look, w);
	pthread_mutex_unlock(&h->lock);
}
