/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection that ends is closed at once and freed at the next tick, so that
 * whoever still holds it on the way up finds it dead, not gone.
 */
#include "server/dns/dnstcp.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/dns/dnscount.h"
#include "server/dns/dnswire.h"

#define PREFIX 2
#define ANSWER_MAX 65535

struct connection {
	struct dnsevent event;
	struct dnstcp *owner;
	struct connection *next;
	struct dnsclient client;
	uint64_t end_at_ms;
	uint32_t watched;
	unsigned n_asked;       /* questions that are out */
	bool is_ended, is_dead; /* nothing more comes; closed */
	uint8_t *out;           /* answers that the client has not taken yet */
	size_t out_len, sent, got;
	uint8_t in[PREFIX + DNSWIRE_QUERY_MAX];
};

struct dnstcp {
	int epoll_fd;
	struct dnstcp_hooks hooks;
	struct connection *connections;
	size_t n;
};

static void end_connection(struct connection *c)
{
	if (c->is_dead)
		return;
	c->is_dead = true;
	close(c->event.fd);
	c->owner->hooks.gone(c->owner->hooks.arg, c);
}

/* What the socket is watched for: answers go first, so that who never reads asks nothing more. */
static void watch_connection(struct connection *c)
{
	struct epoll_event e = {.data.ptr = &c->event};

	if (c->is_dead)
		return;
	if (c->out)
		e.events = EPOLLOUT;
	else if (!c->is_ended && c->n_asked < LIMIT_DNS_CONN_QUESTIONS)
		e.events = EPOLLIN;
	if (e.events == c->watched)
		return;
	c->watched = e.events;
	if (epoll_ctl(c->owner->epoll_fd, EPOLL_CTL_MOD, c->event.fd, &e))
		end_connection(c);
}

static void flush(struct connection *c)
{
	while (c->sent < c->out_len) {
		ssize_t len =
			send(c->event.fd, c->out + c->sent, c->out_len - c->sent, MSG_NOSIGNAL);

		if (len < 0 && (errno == EAGAIN || errno == EINTR))
			return;
		if (len < 0) {
			end_connection(c);
			return;
		}
		c->sent += (size_t)len;
	}
	free(c->out);
	c->out = NULL;
	c->out_len = c->sent = 0;
	c->end_at_ms = clock_boot_ms() + LIMIT_DNS_IDLE_MS;
	if (c->is_ended && c->n_asked == 0)
		end_connection(c);
}

/* Questions that are whole, while not too many are out. Answers may come at once. */
static void ask_next(struct connection *c)
{
	while (!c->is_dead && !c->out && c->n_asked < LIMIT_DNS_CONN_QUESTIONS &&
	       c->got >= PREFIX) {
		size_t len = dnswire_u16(c->in);
		uint8_t query[DNSWIRE_QUERY_MAX];

		if (len < DNSWIRE_HEAD_LEN || len > DNSWIRE_QUERY_MAX) {
			end_connection(c);
			return;
		}
		if (c->got < PREFIX + len)
			break;
		memcpy(query, c->in + PREFIX, len);
		c->got -= PREFIX + len;
		memmove(c->in, c->in + PREFIX + len, c->got);
		c->n_asked++;
		c->owner->hooks.ask(c->owner->hooks.arg, &c->client, query, len);
	}
	watch_connection(c);
}

static void on_event(struct dnsevent *event, uint32_t events)
{
	struct connection *c = CONTAINER_OF(event, struct connection, event);
	ssize_t len;

	if (c->is_dead)
		return;
	if (events & (EPOLLHUP | EPOLLERR)) {
		end_connection(c);
		return;
	}
	if (c->out) {
		flush(c);
	} else if (c->got < sizeof(c->in)) {
		len = recv(c->event.fd, c->in + c->got, sizeof(c->in) - c->got, 0);
		if (len < 0 && errno != EAGAIN && errno != EINTR) {
			end_connection(c);
			return;
		}
		/* It may still read what it asked for. */
		c->is_ended = len == 0;
		c->got += len > 0 ? (size_t)len : 0;
	}
	ask_next(c);
	if (c->is_ended && c->n_asked == 0 && !c->out)
		end_connection(c);
}

struct dnstcp *dnstcp_new(int epoll_fd, const struct dnstcp_hooks *hooks)
{
	struct dnstcp *t = calloc(1, sizeof(*t));

	if (t) {
		t->epoll_fd = epoll_fd;
		t->hooks = *hooks;
	}
	return t;
}

static void free_dead(struct dnstcp *t)
{
	for (struct connection **at = &t->connections; *at;) {
		struct connection *c = *at;

		if (!c->is_dead) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		t->n--;
		free(c->out);
		free(c);
	}
}

void dnstcp_free(struct dnstcp *t)
{
	if (!t)
		return;
	for (struct connection *c = t->connections; c; c = c->next)
		end_connection(c);
	free_dead(t);
	free(t);
}

static bool has_room(const struct dnstcp *t, const struct sockaddr_storage *address)
{
	struct cidr who = upstreams_address(address);
	size_t n = 0;

	for (const struct connection *c = t->connections; c; c = c->next) {
		struct cidr other = upstreams_address(&c->client.address);

		n += !c->is_dead && cidr_equal(&who, &other);
	}
	return t->n < LIMIT_DNS_CONNS && n < LIMIT_DNS_CONNS_SOURCE;
}

void dnstcp_add(struct dnstcp *t, int fd, const struct sockaddr_storage *address)
{
	struct connection *c = has_room(t, address) ? calloc(1, sizeof(*c)) : NULL;
	struct epoll_event e = {.events = EPOLLIN};

	if (!c) {
		dnscount_add(t->hooks.count, DNSCOUNT_CONNECTIONS);
		close(fd);
		return;
	}
	c->event = (struct dnsevent){.fn = on_event, .fd = fd};
	c->owner = t;
	c->watched = e.events;
	c->client = (struct dnsclient){
		.address = *address, .connection = c, .fd = fd, .limit = ANSWER_MAX};
	c->end_at_ms = clock_boot_ms() + LIMIT_DNS_IDLE_MS;
	e.data.ptr = &c->event;
	if (epoll_ctl(t->epoll_fd, EPOLL_CTL_ADD, fd, &e)) {
		close(fd);
		free(c);
		return;
	}
	c->next = t->connections;
	t->connections = c;
	t->n++;
}

void dnstcp_send(void *connection, const uint8_t *answer, size_t len)
{
	struct connection *c = connection;
	uint8_t *out;

	if (c->is_dead || c->n_asked == 0)
		return;
	out = realloc(c->out, c->out_len + PREFIX + len);
	if (!out) {
		end_connection(c);
		return;
	}
	c->n_asked--;
	c->out = out;
	dnswire_set_u16(out + c->out_len, (uint16_t)len);
	memcpy(out + c->out_len + PREFIX, answer, len);
	c->out_len += PREFIX + len;
	flush(c);
	watch_connection(c);
}

void dnstcp_refuse(void *connection)
{
	end_connection(connection);
}

uint64_t dnstcp_tick(struct dnstcp *t, uint64_t now_ms)
{
	uint64_t next = UINT64_MAX;

	for (struct connection *c = t->connections; c; c = c->next) {
		/* An answer went since, and more was there already. */
		if (!c->is_dead)
			ask_next(c);
		if (c->end_at_ms <= now_ms)
			end_connection(c);
		else if (c->end_at_ms < next)
			next = c->end_at_ms;
	}
	free_dead(t);
	return next;
}
