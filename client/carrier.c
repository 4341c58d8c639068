/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection in use; see carrier.h. A stream is opened only after the
 * server's SETTINGS have come: until then a failure proves that no call has
 * reached anybody, and it costs one round trip per connection.
 */
#include "client/carrier.h"

#include <errno.h>
#include <string.h>

#include "client/outcome.h"

#define READ_LEN 16384
/* Reads in one round: a server that never pauses may not keep the thread from its clocks. */
#define READS_AT_ONCE 64
#define PING_ANSWER_MS 10000

static void leave(struct carrier *c, struct qm_call *call)
{
	TAILQ_REMOVE(&c->calls, call, link);
	c->n_calls--;
	call->carrier = NULL;
}

static void on_closed(void *arg, struct qm_call *call, uint32_t h2_error)
{
	struct carrier *c = arg;
	enum qcall_end end = outcome_of(call, h2_error);

	/* Beyond the last stream of a GOAWAY, or never out. */
	if (end == QCALL_REFUSED && c->draining)
		end = QCALL_UNTOUCHED;
	leave(c, call);
	c->ended(c->arg, call, end);
}

static void on_broken(void *arg, struct qm_call *call)
{
	struct carrier *c = arg;

	leave(c, call);
	c->ended(c->arg, call, QCALL_FINAL);
}

static void on_goaway(void *arg, bool too_many_pings)
{
	struct carrier *c = arg;

	c->draining = true;
	c->calm |= too_many_pings;
}

static void on_settings(void *arg)
{
	struct carrier *c = arg;

	c->proven = true;
}

static const struct h2session_events events = {on_closed, on_broken, on_goaway, on_settings};

int carrier_new(const struct carrier_options *options, uint64_t now_ms,
		struct carrier **ret_carrier)
{
	struct h2session_options h2 = {
		.scheme = options->dial.target->kind == TARGET_TLS ? "https" : "http",
		.authority = options->authority,
		.user_agent = options->user_agent,
		.events = &events,
	};
	struct carrier *c;

	c = calloc(1, sizeof(*c));
	if (!c)
		return -ENOMEM;
	TAILQ_INIT(&c->calls);
	c->ended = options->ended;
	c->arg = options->arg;
	c->keepalive_ms = options->keepalive_ms;
	c->heard_at = now_ms;
	c->proven_due = now_ms + options->dial.connect_ms;
	h2.arg = c;
	if (h2session_new(&h2, &c->h2) < 0 || dial_new(&options->dial, now_ms, &c->dial) < 0) {
		carrier_free(c);
		return -ENOMEM;
	}
	*ret_carrier = c;
	return 0;
}

void carrier_free(struct carrier *c)
{
	if (!c)
		return;
	h2session_free(c->h2);
	dial_free(c->dial);
	free(c);
}

size_t carrier_room(const struct carrier *c)
{
	return c->proven && !c->draining ? h2session_room(c->h2) : 0;
}

int carrier_start(struct carrier *c, struct qm_call *call, uint64_t timeout_ms, uint64_t now_ms)
{
	int r;

	r = h2session_open(c->h2, call, timeout_ms);
	if (r < 0)
		return r;
	/* Silence counts from the first call on: before it nobody had to speak. */
	if (c->n_calls == 0)
		c->heard_at = now_ms;
	TAILQ_INSERT_TAIL(&c->calls, call, link);
	c->n_calls++;
	call->carrier = c;
	call->place = QCALL_OPEN;
	return 0;
}

void carrier_drop(struct carrier *c, struct qm_call *call)
{
	h2session_drop(c->h2, call);
	leave(c, call);
}

void carrier_resume(struct carrier *c, struct qm_call *call)
{
	h2session_wake(c->h2, call);
	if (!atomic_load(&call->read_on))
		return;
	if (qcall_deliver(call) > 0) {
		carrier_drop(c, call);
		c->ended(c->arg, call, QCALL_FINAL);
	} else if (atomic_load(&call->read_on)) {
		h2session_consume(c->h2, call, call->held_len);
	}
}

static int over(struct carrier *c, int r, const char *why)
{
	snprintf(c->why, sizeof(c->why), "%s", why);
	return r;
}

static const char *breach(const struct carrier *c)
{
	return c->proven ? "it broke the rules of HTTP/2" : "it does not speak HTTP/2";
}

/* What came before the end, if not SETTINGS, was another protocol. */
static const char *ended(const struct carrier *c)
{
	return c->heard && !c->proven ? "it does not speak HTTP/2" : "it closed the connection";
}

static int read_all(struct carrier *c, uint64_t now_ms)
{
	uint8_t buf[READ_LEN];
	ssize_t n = 0;
	int r = 0;

	c->more = true;
	for (unsigned i = 0; i < READS_AT_ONCE; i++) {
		n = dial_read(c->dial, buf, sizeof(buf));
		if (n <= 0) {
			c->more = false;
			break;
		}
		c->heard_at = now_ms;
		c->heard = true;
		c->ping_due = 0;
		r = h2session_feed(c->h2, buf, (size_t)n);
		if (r < 0)
			break;
	}
	explicit_bzero(buf, sizeof(buf));
	if (r < 0)
		return over(c, r, breach(c));
	if (n > 0 || n == -EAGAIN)
		return 0;
	if (n == 0)
		return over(c, -ECONNRESET, ended(c));
	return over(c, (int)n, dial_why(c->dial));
}

static int write_all(struct carrier *c)
{
	const uint8_t *p;
	size_t len;
	ssize_t n;
	int r;

	for (;;) {
		r = h2session_pull(c->h2, &p, &len);
		if (r < 0)
			return over(c, r, breach(c));
		if (len == 0)
			return 0;
		n = dial_write(c->dial, p, len);
		if (n == -EAGAIN)
			return 0;
		if (n < 0)
			return over(c, (int)n, dial_why(c->dial));
		h2session_sent(c->h2, (size_t)n);
	}
}

/* A server that says nothing for long while calls are open is asked whether it lives. */
static int keep_alive(struct carrier *c, uint64_t now_ms)
{
	if (c->n_calls == 0) {
		c->ping_due = 0;
		return 0;
	}
	if (c->ping_due && now_ms >= c->ping_due)
		return over(c, -ETIMEDOUT, "it did not answer a ping");
	if (c->ping_due || now_ms < c->heard_at + c->keepalive_ms)
		return 0;
	c->ping_due = now_ms + PING_ANSWER_MS;
	return h2session_ping(c->h2);
}

int carrier_step(struct carrier *c, uint64_t now_ms)
{
	int r;

	switch (dial_step(c->dial, now_ms)) {
	case DIAL_UNDER_WAY:
		return 0;
	case DIAL_FAILED:
		return over(c, -ECONNREFUSED, dial_why(c->dial));
	case DIAL_OPEN:
		break;
	}
	r = keep_alive(c, now_ms);
	if (r == 0)
		r = read_all(c, now_ms);
	if (r == 0)
		r = write_all(c);
	if (r < 0)
		return r;
	if (!c->proven && now_ms >= c->proven_due)
		return over(c, -ETIMEDOUT, "it accepted the connection, but says nothing");
	if (h2session_is_over(c->h2))
		return over(c, -ESHUTDOWN, ended(c));
	return 0;
}

void carrier_abandon(struct carrier *c)
{
	struct qm_call *call;

	while ((call = TAILQ_FIRST(&c->calls))) {
		enum qcall_end end = call->headers_sent ? QCALL_LOST : QCALL_UNTOUCHED;

		h2session_drop(c->h2, call);
		leave(c, call);
		c->ended(c->arg, call, end);
	}
}

nfds_t carrier_poll(const struct carrier *c, struct pollfd *ret_fds)
{
	nfds_t n = dial_poll(c->dial, ret_fds);

	if (dial_due(c->dial) == UINT64_MAX && h2session_wants_write(c->h2))
		ret_fds[0].events |= POLLOUT;
	return n;
}

uint64_t carrier_due(const struct carrier *c)
{
	uint64_t due = dial_due(c->dial);

	/* TLS may hold bytes that poll knows nothing of. */
	if (c->more)
		return 0;
	if (!c->proven && c->proven_due < due)
		due = c->proven_due;
	if (c->n_calls > 0) {
		uint64_t t = c->ping_due ? c->ping_due : c->heard_at + c->keepalive_ms;

		if (t < due)
			due = t;
	}
	return due;
}
