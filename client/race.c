/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that race each other; see race.h. */
#include "client/race.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "base/cleanup.h"

/* Unacknowledged bytes end the connection after this long. */
#define USER_TIMEOUT_MS 30000

void race_init(struct race *r)
{
	*r = (struct race){.winner = -1, .last_family = AF_INET};
}

void race_done(struct race *r)
{
	for (size_t i = 0; i < r->n; i++) {
		close_fdp(&r->runners[i].fd);
		r->runners[i].fd = -1;
	}
}

void race_add(struct race *r, const struct sockaddr *addr, socklen_t len)
{
	struct race_runner *to = &r->runners[r->n];
	size_t same = 0;

	for (size_t i = 0; i < r->n; i++)
		same += r->runners[i].addr.ss_family == addr->sa_family;
	if (same >= RACE_FAMILY_MAX || r->n == RACE_MAX || len > sizeof(to->addr))
		return;
	*to = (struct race_runner){.addr_len = len, .fd = -1};
	memcpy(&to->addr, addr, len);
	r->n++;
}

void race_add_all(struct race *r, const struct addrinfo *list)
{
	for (const struct addrinfo *a = list; a; a = a->ai_next)
		race_add(r, a->ai_addr, a->ai_addrlen);
}

/* The first unstarted one, of the family whose turn it is if there is one. */
static struct race_runner *next_runner(struct race *r)
{
	struct race_runner *other = NULL;

	for (size_t i = 0; i < r->n; i++) {
		struct race_runner *one = &r->runners[i];

		if (one->started)
			continue;
		if (one->addr.ss_family != r->last_family)
			return one;
		if (!other)
			other = one;
	}
	return other;
}

static void set_tcp_options(int fd)
{
	int on = 1;
	unsigned timeout_ms = USER_TIMEOUT_MS;

	/* Best effort: without them it is slower to send and to notice a loss. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

static void drop(struct race_runner *one, int error)
{
	close_fdp(&one->fd);
	one->fd = -1;
	one->error = error;
}

static void start(struct race *r, struct race_runner *one)
{
	int family = one->addr.ss_family;

	one->started = true;
	r->last_family = family;
	one->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (one->fd < 0) {
		one->error = errno;
		return;
	}
	if (family != AF_UNIX)
		set_tcp_options(one->fd);
	/* A full backlog of a Unix socket says EAGAIN: as good as refused. */
	if (connect(one->fd, (const struct sockaddr *)&one->addr, one->addr_len) < 0 &&
	    errno != EINPROGRESS)
		drop(one, errno);
}

/* 1: it stands, 0: not yet, -1: it has failed. */
static int look(struct race_runner *one)
{
	struct pollfd p = {.fd = one->fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int e = 0;

	if (one->fd < 0)
		return -1;
	if (poll(&p, 1, 0) <= 0)
		return 0;
	if (getsockopt(one->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		e = errno;
	if (!e)
		return 1;
	drop(one, e);
	return -1;
}

enum race_state race_step(struct race *r, uint64_t now_ms)
{
	struct race_runner *next;
	size_t open;

	for (;;) {
		bool failed = false;

		open = 0;
		for (size_t i = 0; i < r->n; i++) {
			struct race_runner *one = &r->runners[i];
			bool was_open = one->fd >= 0;
			int is = one->started ? look(one) : 0;

			if (is == 1) {
				r->winner = (int)i;
				return RACE_WON;
			}
			open += one->fd >= 0;
			failed |= was_open && one->fd < 0;
		}
		next = next_runner(r);
		if (!next)
			return open > 0 ? RACE_RUNS : RACE_LOST;
		if (open > 0 && !failed && now_ms < r->next_at)
			return RACE_RUNS;
		start(r, next);
		if (next->fd >= 0)
			r->next_at = now_ms + RACE_STAGGER_MS;
	}
}

int race_take(struct race *r)
{
	int fd = r->runners[r->winner].fd;

	r->runners[r->winner].fd = -1;
	for (size_t i = 0; i < r->n; i++)
		if (r->runners[i].fd >= 0)
			r->runners[i].started = false;
	race_done(r);
	return fd;
}

void race_lose(struct race *r, const char *why)
{
	struct race_runner *one = &r->runners[r->winner];

	snprintf(one->said, sizeof(one->said), "%s", why);
	r->winner = -1;
}

bool race_has_more(const struct race *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (!r->runners[i].started)
			return true;
	return false;
}

uint64_t race_due(const struct race *r)
{
	return race_has_more(r) ? r->next_at : UINT64_MAX;
}

nfds_t race_poll(const struct race *r, struct pollfd *ret_fds)
{
	nfds_t n = 0;

	for (size_t i = 0; i < r->n; i++)
		if (r->runners[i].fd >= 0)
			ret_fds[n++] = (struct pollfd){.fd = r->runners[i].fd, .events = POLLOUT};
	return n;
}

static void address_text(const struct race_runner *one, char *ret, size_t cap)
{
	char host[64];

	if (one->addr.ss_family == AF_UNIX) {
		snprintf(ret, cap, "%s", ((const struct sockaddr_un *)&one->addr)->sun_path);
		return;
	}
	if (getnameinfo((const struct sockaddr *)&one->addr, one->addr_len, host, sizeof(host),
			NULL, 0, NI_NUMERICHOST) != 0)
		snprintf(host, sizeof(host), "?");
	snprintf(ret, cap, strchr(host, ':') ? "[%s]" : "%s", host);
}

void race_why(const struct race *r, const char *if_open, char *ret, size_t cap)
{
	size_t len = 0;

	ret[0] = '\0';
	for (size_t i = 0; i < r->n && len < cap; i++) {
		const struct race_runner *one = &r->runners[i];
		const char *why = one->error     ? strerror(one->error)
				  : one->said[0] ? one->said
						 : if_open;
		char address[128];

		if (!one->started)
			continue;
		address_text(one, address, sizeof(address));
		if (r->n == 1)
			len += (size_t)snprintf(ret + len, cap - len, "%s", why);
		else
			len += (size_t)snprintf(ret + len, cap - len, "%s%s: %s", len ? "; " : "",
						address, why);
	}
}
