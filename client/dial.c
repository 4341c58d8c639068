/* SPDX-License-Identifier: Apache-2.0 */
/* From a target to a stream of bytes; see dial.h. */
#include "client/dial.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "client/lookup.h"
#include "client/race.h"

enum step { STEP_CONNECT, STEP_TLS, STEP_OPEN, STEP_FAILED };

/* IPv4 answers wait so long for IPv6 ones (RFC 8305, 3). */
#define RESOLUTION_DELAY_MS 50

struct dial {
	struct dial_options o;
	enum step step;
	struct lookup *lookup; /* NULL: no name is looked up */
	bool added[LOOKUP_FAMILIES];
	uint64_t v4_at; /* IPv4 addresses may be used from then on; 0: not known yet */
	struct race race;
	int fd; /* the winner's */
	uint64_t due, tls_due;
	struct qtls_session *tls;
	char why[480];
};

static void close_winner(struct dial *d)
{
	if (d->tls) {
		qtls_session_free(d->tls);
		d->tls = NULL;
	}
	close_fdp(&d->fd);
	d->fd = -1;
}

static void close_socket(struct dial *d)
{
	close_winner(d);
	race_done(&d->race);
}

static void fail(struct dial *d, const char *why)
{
	snprintf(d->why, sizeof(d->why), "%s", why);
	close_socket(d);
	d->step = STEP_FAILED;
}

static void add_unix(struct dial *d)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%.*s", (int)sizeof(addr.sun_path) - 1,
		 d->o.target->host);
	race_add(&d->race, (const struct sockaddr *)&addr, sizeof(addr));
}

/* Sends what was found into the race. */
static void take_answers(struct dial *d, uint64_t now_ms)
{
	bool v6_done = lookup_done(d->lookup, LOOKUP_V6);

	if (!d->added[LOOKUP_V6] && v6_done) {
		race_add_all(&d->race, lookup_answer(d->lookup, LOOKUP_V6));
		d->added[LOOKUP_V6] = true;
	}
	if (d->added[LOOKUP_V4] || !lookup_done(d->lookup, LOOKUP_V4))
		return;
	if (!d->v4_at)
		d->v4_at = now_ms + (v6_done ? 0 : RESOLUTION_DELAY_MS);
	if (v6_done || now_ms >= d->v4_at) {
		race_add_all(&d->race, lookup_answer(d->lookup, LOOKUP_V4));
		d->added[LOOKUP_V4] = true;
	}
}

static bool answers_to_come(const struct dial *d)
{
	return d->lookup && (!d->added[LOOKUP_V6] || !d->added[LOOKUP_V4]);
}

/* A handshake has half of what is left: then another address may have its try. */
static void go_on(struct dial *d, uint64_t now_ms)
{
	d->fd = race_take(&d->race);
	d->tls_due = now_ms < d->due ? now_ms + (d->due - now_ms) / 2 : now_ms;
	if (d->o.target->kind != TARGET_TLS) {
		d->step = STEP_OPEN;
		return;
	}
	if (qtls_session_new(d->o.tls, d->fd, d->o.server_name, &d->o.pins, &d->tls) < 0)
		fail(d, "out of memory");
	else
		d->step = STEP_TLS;
}

static void step_connect(struct dial *d, uint64_t now_ms)
{
	char why[sizeof(d->why)];

	if (answers_to_come(d))
		take_answers(d, now_ms);
	switch (race_step(&d->race, now_ms)) {
	case RACE_WON:
		go_on(d, now_ms);
		break;
	case RACE_LOST:
		if (answers_to_come(d))
			break;
		race_why(&d->race, "", why, sizeof(why));
		fail(d, d->race.n ? why : lookup_why(d->lookup));
		break;
	case RACE_RUNS:
		break;
	}
}

static bool others_left(const struct dial *d)
{
	return race_has_more(&d->race) || answers_to_come(d);
}

/* False: this address leads nowhere, it is the turn of the others. */
static bool step_tls(struct dial *d, uint64_t now_ms)
{
	int r = qtls_handshake(d->tls);

	if (r == 1)
		d->step = STEP_OPEN;
	if (r == 1 || (r == 0 && (now_ms < d->tls_due || !others_left(d))))
		return true;
	race_lose(&d->race, r < 0 ? qtls_why(d->tls) : "no answer to the TLS handshake");
	close_winner(d);
	d->step = STEP_CONNECT;
	return false;
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
	race_init(&d->race);
	if (options->target->kind == TARGET_UNIX) {
		add_unix(d);
	} else {
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

static void fail_late(struct dial *d)
{
	char why[80], all[sizeof(d->why)];
	bool named = d->step == STEP_CONNECT && d->race.n == 0;

	snprintf(why, sizeof(why), "%s within %u ms",
		 named ? "the name was not resolved" : "no answer", d->o.connect_ms);
	if (named)
		snprintf(all, sizeof(all), "%s", why);
	else
		race_why(&d->race, why, all, sizeof(all));
	fail(d, all);
}

enum dial_state dial_step(struct dial *d, uint64_t now_ms)
{
	do {
		if (d->step == STEP_CONNECT)
			step_connect(d, now_ms);
	} while (d->step == STEP_TLS && !step_tls(d, now_ms));
	if (d->step < STEP_OPEN && now_ms >= d->due)
		fail_late(d);
	if (d->step == STEP_OPEN)
		return DIAL_OPEN;
	return d->step == STEP_FAILED ? DIAL_FAILED : DIAL_UNDER_WAY;
}

nfds_t dial_poll(const struct dial *d, struct pollfd *ret_fds)
{
	if (d->step == STEP_CONNECT)
		return race_poll(&d->race, ret_fds);
	ret_fds[0] = (struct pollfd){.fd = d->fd, .events = POLLIN};
	if (d->step == STEP_TLS && qtls_wants_write(d->tls))
		ret_fds[0].events = POLLOUT;
	return 1;
}

uint64_t dial_due(const struct dial *d)
{
	uint64_t due = d->due;

	if (d->step >= STEP_OPEN)
		return UINT64_MAX;
	if (d->step == STEP_TLS && d->tls_due < due && others_left(d))
		return d->tls_due;
	if (d->step != STEP_CONNECT)
		return due;
	if (race_due(&d->race) < due)
		due = race_due(&d->race);
	if (d->v4_at && !d->added[LOOKUP_V4] && d->v4_at < due)
		due = d->v4_at;
	return due;
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
