/* SPDX-License-Identifier: Apache-2.0 */
/* From a target to a stream of bytes; see dial.h. */
#include "client/dial.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "client/lookup.h"

enum step { STEP_LOOKUP, STEP_NEXT_ADDRESS, STEP_CONNECT, STEP_TLS, STEP_OPEN, STEP_FAILED };

/* An address that does not answer may not eat the whole time of the others. */
#define LEAST_PER_ADDRESS_MS 1000
/* Unacknowledged bytes end the connection after this long. */
#define USER_TIMEOUT_MS 30000

struct dial {
	struct dial_options o;
	enum step step;
	int fd;
	struct lookup *lookup;
	const struct addrinfo *address; /* the next to try */
	uint32_t per_address_ms;
	uint64_t address_due, due;
	struct qtls_session *tls;
	char why[320];
};

static void close_socket(struct dial *d)
{
	if (d->tls) {
		qtls_session_free(d->tls);
		d->tls = NULL;
	}
	close_fdp(&d->fd);
	d->fd = -1;
}

static void fail(struct dial *d, const char *why)
{
	snprintf(d->why, sizeof(d->why), "%s", why);
	close_socket(d);
	d->step = STEP_FAILED;
}

/* This address is done for; the reason stays for the case that it was the last. */
static void next_address(struct dial *d, const char *why)
{
	snprintf(d->why, sizeof(d->why), "%s", why);
	close_socket(d);
	d->step = d->address ? STEP_NEXT_ADDRESS : STEP_FAILED;
}

static void set_tcp_options(int fd)
{
	int on = 1;
	unsigned timeout_ms = USER_TIMEOUT_MS;

	/* Best effort: without them it is slower to send and to notice a loss. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	(void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeout_ms, sizeof(timeout_ms));
}

static void connect_to(struct dial *d, int family, const struct sockaddr *addr, socklen_t len)
{
	d->fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (d->fd < 0) {
		next_address(d, strerror(errno));
		return;
	}
	if (family != AF_UNIX)
		set_tcp_options(d->fd);
	d->step = STEP_CONNECT;
	/* A full backlog of a Unix socket says EAGAIN: as good as refused. */
	if (connect(d->fd, addr, len) < 0 && errno != EINPROGRESS)
		next_address(d, strerror(errno));
}

static void connect_unix(struct dial *d)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%.*s", (int)sizeof(addr.sun_path) - 1,
		 d->o.target->host);
	connect_to(d, AF_UNIX, (const struct sockaddr *)&addr, sizeof(addr));
}

static void step_lookup(struct dial *d)
{
	const struct addrinfo *a;
	uint32_t n = 0;

	if (!lookup_done(d->lookup))
		return;
	d->address = lookup_answer(d->lookup);
	if (!d->address) {
		fail(d, lookup_why(d->lookup));
		return;
	}
	for (a = d->address; a; a = a->ai_next)
		n++;
	d->per_address_ms = d->o.connect_ms / n;
	if (d->per_address_ms < LEAST_PER_ADDRESS_MS)
		d->per_address_ms = LEAST_PER_ADDRESS_MS;
	d->step = STEP_NEXT_ADDRESS;
}

static void step_next_address(struct dial *d, uint64_t now_ms)
{
	const struct addrinfo *a = d->address;

	d->address = a->ai_next;
	d->address_due = now_ms + d->per_address_ms;
	connect_to(d, a->ai_family, a->ai_addr, a->ai_addrlen);
}

static void step_connect(struct dial *d, uint64_t now_ms)
{
	struct pollfd p = {.fd = d->fd, .events = POLLOUT};
	socklen_t len = sizeof(int);
	int e = 0;

	if (poll(&p, 1, 0) <= 0) {
		if (now_ms >= d->address_due)
			next_address(d, "no answer in time");
		return;
	}
	if (getsockopt(d->fd, SOL_SOCKET, SO_ERROR, &e, &len) < 0)
		e = errno;
	if (e) {
		next_address(d, strerror(e));
		return;
	}
	if (d->o.target->kind != TARGET_TLS) {
		d->step = STEP_OPEN;
		return;
	}
	if (qtls_session_new(d->o.tls, d->fd, d->o.server_name, &d->o.pins, &d->tls) < 0)
		fail(d, "out of memory");
	else
		d->step = STEP_TLS;
}

static void step_tls(struct dial *d)
{
	char why[256];
	int r;

	r = qtls_handshake(d->tls);
	if (r == 1) {
		d->step = STEP_OPEN;
	} else if (r < 0) {
		snprintf(why, sizeof(why), "%s", qtls_why(d->tls));
		fail(d, why);
	}
}

int dial_new(const struct dial_options *options, uint64_t now_ms, struct dial **ret_dial)
{
	struct dial *d;
	int r;

	d = calloc(1, sizeof(*d));
	if (!d)
		return -ENOMEM;
	d->o = *options;
	d->fd = -1;
	d->due = now_ms + options->connect_ms;
	d->address_due = d->due;
	if (options->target->kind == TARGET_UNIX) {
		connect_unix(d);
	} else {
		d->step = STEP_LOOKUP;
		r = lookup_start(options->target->host, options->target->port, options->wake_fd,
				 &d->lookup);
		if (r < 0)
			fail(d, strerror(-r));
	}
	*ret_dial = d;
	return 0;
}

void dial_free(struct dial *d)
{
	if (!d)
		return;
	if (d->tls && d->step == STEP_OPEN)
		qtls_bye(d->tls);
	close_socket(d);
	lookup_free(d->lookup);
	free(d);
}

enum dial_state dial_step(struct dial *d, uint64_t now_ms)
{
	enum step before;

	do {
		before = d->step;
		if (before == STEP_LOOKUP)
			step_lookup(d);
		else if (before == STEP_NEXT_ADDRESS)
			step_next_address(d, now_ms);
		else if (before == STEP_CONNECT)
			step_connect(d, now_ms);
		else if (before == STEP_TLS)
			step_tls(d);
	} while (d->step != before);
	if (d->step < STEP_OPEN && now_ms >= d->due) {
		char why[80];

		snprintf(why, sizeof(why), "%s within %u ms",
			 d->step == STEP_LOOKUP ? "the name was not resolved" : "no answer",
			 d->o.connect_ms);
		fail(d, why);
	}
	if (d->step == STEP_OPEN)
		return DIAL_OPEN;
	return d->step == STEP_FAILED ? DIAL_FAILED : DIAL_UNDER_WAY;
}

int dial_fd(const struct dial *d)
{
	return d->fd;
}

short dial_events(const struct dial *d)
{
	if (d->step == STEP_CONNECT)
		return POLLOUT;
	if (d->step == STEP_TLS)
		return qtls_wants_write(d->tls) ? POLLOUT : POLLIN;
	return POLLIN;
}

uint64_t dial_due(const struct dial *d)
{
	if (d->step >= STEP_OPEN)
		return UINT64_MAX;
	return d->step == STEP_CONNECT && d->address_due < d->due ? d->address_due : d->due;
}

const char *dial_why(const struct dial *d)
{
	return d->why;
}

ssize_t dial_read(struct dial *d, void *p, size_t len)
{
	ssize_t n;

	if (d->tls) {
		n = qtls_read(d->tls, p, len);
		if (n < 0 && n != -EAGAIN)
			snprintf(d->why, sizeof(d->why), "%s", qtls_why(d->tls));
		return n;
	}
	n = recv(d->fd, p, len, 0);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EINTR)
		return -EAGAIN;
	snprintf(d->why, sizeof(d->why), "%s", strerror(errno));
	return -errno;
}

ssize_t dial_write(struct dial *d, const void *p, size_t len)
{
	ssize_t n;

	if (d->tls) {
		n = qtls_write(d->tls, p, len);
		if (n == 0)
			n = -EPIPE;
		if (n < 0 && n != -EAGAIN)
			snprintf(d->why, sizeof(d->why), "%s", qtls_why(d->tls));
		return n;
	}
	n = send(d->fd, p, len, MSG_NOSIGNAL);
	if (n >= 0)
		return n;
	if (errno == EAGAIN || errno == EINTR)
		return -EAGAIN;
	snprintf(d->why, sizeof(d->why), "%s", strerror(errno));
	return -errno;
}
