/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection that lasts too long is asked to leave, so that peers spread over
 * restarted servers, see new certificates and new addresses (gRFC A9). Its age is
 * the configured one give or take a tenth: those that came together must not all
 * come back together. The way out is that of a server's drain: GOAWAY for ever,
 * GOAWAY with the last stream, the end when the last one is done; what is open
 * when the grace is over ends with DRAINING. HTTP/1.1 closes after an answer.
 */
#include "server/rpc/age.h"

#include <sys/random.h>

#include "base/limits.h"
#include "server/rpc/call_queue.h"
#include "server/rpc/core.h"

enum { AGE_YOUNG, AGE_TOLD, AGE_LAST_WORD, AGE_CALLS_ENDED };

/* +-10 %, in steps of a ten-thousandth. */
static uint64_t jitter(uint64_t ms)
{
	uint16_t r = 0;

	(void)!getrandom(&r, sizeof(r), GRND_NONBLOCK); /* without it there is only no jitter */
	return ms - ms / 10 + ms / 5 * (r % 10001) / 10000;
}

void age_begin(struct conn *c)
{
	uint64_t age_ms = c->loop->server->options.conn_age_ms;

	if (age_ms)
		c->age_due_ms = c->born_ms + jitter(age_ms);
}

static void go_on(struct conn *c, uint64_t now_ms)
{
	switch (c->age_step) {
	case AGE_YOUNG:
		c->ops->drain(c, 1);
		c->age_due_ms = now_ms + LIMIT_GOAWAY_REST_MS;
		break;
	case AGE_TOLD:
		c->age_due_ms = now_ms + c->loop->server->options.conn_grace_ms;
		break; /* the last word: below, again each second */
	case AGE_LAST_WORD:
		call_queue_end(c->loop, true, c);
		c->age_due_ms = now_ms + LIMIT_LAST_ANSWERS_MS;
		break;
	default:
		c->ops->drain(c, 3);
		return;
	}
	c->age_step++;
}

void age_tick(struct conn *c, uint64_t now_ms)
{
	if (c->loop->drain > 0 || c->age_due_ms == 0 || c->shut) {
		c->ops->tick(c, now_ms);
		return;
	}
	if (now_ms >= c->age_due_ms) {
		bool last = c->age_step == AGE_CALLS_ENDED;

		go_on(c, now_ms);
		if (last)
			return;
	}
	if (c->age_step >= AGE_LAST_WORD)
		c->ops->drain(c, 2);
	c->ops->tick(c, now_ms);
}
