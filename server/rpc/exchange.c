/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What HTTP/1.1 and HTTP/2 have in common: which door a request goes through,
 * and the check on its way that no page of another site can reach a clear-text
 * listener, or one with names of its own, by rebinding a name (every door passes here).
 */
#include "server/rpc/core.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/status.h"
#include "base/text.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/h2frame.h"
#include "server/rpc/hosts.h"

const char *exchange_header(const struct exchange *x, const char *name)
{
	for (size_t i = 0; i < x->n_headers; i++)
		if (x->headers[i].name[0] == name[0] && strcmp(x->headers[i].name, name) == 0)
			return x->headers[i].value;
	return NULL;
}

void exchange_head(struct exchange *x, unsigned status, const struct header *headers, size_t n)
{
	x->ops->head(x, status, headers, n);
}

/* HTTP/1.1 takes the body of a HEAD, to tell its length, and leaves it out itself. */
static bool is_left_out(const struct exchange *x)
{
	return x->http_major >= 2 && x->method[0] == 'H' && strcmp(x->method, "HEAD") == 0;
}

void exchange_write(struct exchange *x, const void *p, size_t len)
{
	if (!is_left_out(x))
		x->ops->write(x, p, len);
}

void exchange_write_frame(struct exchange *x, struct frame *f)
{
	if (!is_left_out(x))
		x->ops->write_frame(x, f);
}

void exchange_finish(struct exchange *x, const struct header *trailers, size_t n)
{
	x->ops->finish(x, trailers, n);
}

void exchange_mark_secret(struct exchange *x)
{
	x->ops->mark_secret(x);
}

void exchange_reset(struct exchange *x, uint32_t code)
{
	x->ops->reset(x, code);
}

size_t exchange_queued(const struct exchange *x)
{
	return x->ops->queued(x);
}

void exchange_pause(struct exchange *x, bool on)
{
	x->ops->pause(x, on);
}

int exchange_timer_set(struct exchange *x, struct timer *t, uint64_t ms)
{
	return timer_set(&x->loop->timers, t, x->loop->now_ms + ms);
}

void exchange_timer_clear(struct exchange *x, struct timer *t)
{
	timer_clear(&x->loop->timers, t);
}

const char *exchange_date(struct exchange *x)
{
	struct loop *l = x->loop;
	time_t now = time(NULL);
	struct tm tm;

	if (l->date_s != now && gmtime_r(&now, &tm)) {
		strftime(l->date, sizeof(l->date), "%a, %d %b %Y %H:%M:%S GMT", &tm);
		l->date_s = now;
	}
	return l->date;
}

static enum grpc_code code_of(unsigned status)
{
	switch (status) {
	case 404:
		return GRPC_NOT_FOUND;
	case 405:
	case 505:
		return GRPC_UNIMPLEMENTED;
	case 503:
		return GRPC_UNAVAILABLE;
	default:
		return GRPC_INVALID_ARGUMENT;
	}
}

/* No call is made for such a request, so its id is made here. */
static const char *request_id(const struct exchange *x, char made[33])
{
	const char *given = exchange_header(x, "x-request-id");
	struct uuid id;

	if (given && dispatch_id_ok(given))
		return given;
	id = uuid_make();
	text_hex(id.b, sizeof(id.b), made);
	return made;
}

void exchange_deny(struct exchange *x, unsigned status, const char *text)
{
	const struct status why = {.code = code_of(status), .message = (char *)text};
	_cleanup_(freep) char *json = status_json(&why);
	char made[33];
	const char *id = request_id(x, made);
	const struct header head[] = {
		{"content-type", "application/json", 16},
		{"cache-control", "no-store", 8},
		{"x-content-type-options", "nosniff", 7},
		{"x-request-id", id, strlen(id)},
	};

	exchange_head(x, status, head, ARRAY_LEN(head));
	if (json)
		exchange_write(x, json, strlen(json));
	exchange_finish(x, NULL, 0);
}

static bool no_claim(const struct exchange *x)
{
	(void)x;
	return false;
}

static void no_open(struct exchange *x, void *owner)
{
	(void)x;
	(void)owner;
}

static void no_data(struct exchange *x, const uint8_t *p, size_t len)
{
	(void)x;
	(void)p;
	(void)len;
}

static void no_event(struct exchange *x)
{
	(void)x;
}

/* For requests no door gets: what still arrives is dropped. */
static const struct door closed_door = {
	.name = "none",
	.claims = no_claim,
	.open = no_open,
	.data = no_data,
	.end = no_event,
	.gone = no_event,
};

/* Who claims it, or NULL. */
static const struct server_door *door_of(const struct server *s, const struct exchange *x)
{
	for (size_t i = 0; i < s->n_doors; i++)
		if (s->doors[i].door->claims(x))
			return &s->doors[i];
	return NULL;
}

/* NULL, or why this listener does not serve that name: it may have been rebound. */
static const char *foreign_name(const struct exchange *x, struct listener *l)
{
	const char *hosts = l->hosts;

	if (l->kind == LISTENER_PLAIN && !hosts_loopback(x->authority))
		return "Clear text is served to localhost only: use https, or "
		       "http://localhost with the same port.";
	if (hosts && !hosts_name(hosts, l->port, x->authority))
		return "This server has another name: use the one in its certificate.";
	return NULL;
}

/* No door opens, but the caller is told in his own words. */
static void misdirected(struct exchange *x, const struct server_door *d, const char *words)
{
	const struct status why = {.code = code_of(421), .message = (char *)(uintptr_t)words};

	if (!d || !d->door->refuse || !d->door->refuse(x, d->owner, 421, &why))
		exchange_deny(x, 421, words);
}

void exchange_begin(struct exchange *x, struct conn *c)
{
	struct server *s = c->loop->server;
	const struct server_door *d;
	const char *foreign;

	c->had_request = true;
	s->count.requests++;
	x->door = &closed_door;
	x->conn = c;
	if (c->drain >= 2 && x->http_major >= 2) {
		exchange_reset(x, H2_REFUSED_STREAM);
		return;
	}
	if (c->drain >= 2) {
		exchange_deny(x, 503, "This server is shutting down.");
		return;
	}
	d = door_of(s, x);
	foreign = foreign_name(x, c->listener);
	if (foreign) {
		misdirected(x, d, foreign);
		return;
	}
	if (d) {
		x->door = d->door;
		d->door->open(x, d->owner);
		return;
	}
	if (s->options.services && strcmp(x->method, "POST") == 0 &&
	    service_find(s->options.services, x->path, strlen(x->path), NULL, NULL))
		exchange_deny(x, 415, "This is a gRPC method: send application/grpc.");
	else
		exchange_deny(x, 404, "Nothing is served at this path.");
}

void exchange_refuse(struct exchange *x, struct conn *c, unsigned status)
{
	c->had_request = true;
	c->loop->server->count.refused++;
	x->door = &closed_door;
	exchange_deny(x, status, "This request is not well-formed.");
}
