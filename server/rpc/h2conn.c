/* SPDX-License-Identifier: Apache-2.0 */
/*
 * DATA never reaches h2o: it is accounted and delivered here. The connection
 * is credited on receipt, so that one slow reader cannot stall the others; a
 * stream is credited when its door has taken the bytes.
 */
#include "server/rpc/h2conn.h"

#include <string.h>

#include "base/limits.h"
#include "base/log.h"

#define LOOK_MS 10

static uint64_t now_of(const struct h2conn *h)
{
	return h->c->loop->now_ms;
}

struct h2conn *h2conn_new(struct conn *c)
{
	struct h2conn *h = calloc(1, sizeof(*h));

	if (!h)
		return NULL;
	h->c = c;
	h->busy_ms = now_of(h);
	guard_init(&h->guard, now_of(h));
	return h;
}

/* --- streams --- */

static struct h2stream **chain_of(struct h2conn *h, uint32_t id)
{
	return &h->streams[id / 2 % H2CONN_BUCKETS];
}

static uint32_t *closed_of(struct h2conn *h, uint32_t id)
{
	return &h->closed[id / 2 % H2CONN_CLOSED];
}

struct h2stream *h2conn_find(const struct h2conn *h, uint32_t id)
{
	struct h2stream *s = h->streams[id / 2 % H2CONN_BUCKETS];

	while (s && s->id != id)
		s = s->next;
	return s;
}

struct h2stream *h2conn_add(struct h2conn *h, uint32_t id, bool peer_ended)
{
	struct h2stream *s = h2stream_alloc(h->c->loop);

	if (!s)
		return NULL;
	*s = (struct h2stream){
		.h = h,
		.id = id,
		.window = LIMIT_STREAM_WINDOW,
		.expected = UINT64_MAX,
		.peer_ended = peer_ended,
		.born_ms = now_of(h),
		.moved_ms = now_of(h),
		.next = *chain_of(h, id),
	};
	*chain_of(h, id) = s;
	h->n_streams++;
	return s;
}

void h2conn_remove(struct h2conn *h, struct h2stream *s)
{
	struct h2stream **at = chain_of(h, s->id);

	while (*at != s)
		at = &(*at)->next;
	*at = s->next;
	if (s->peer_ended)
		*closed_of(h, s->id) = s->id;
	h->n_streams--;
	h->busy_ms = now_of(h);
}

/* --- receiving --- */

ssize_t h2conn_calm(struct h2conn *h, const char *words, const char **ret_words)
{
	h->c->loop->server->count.abuse++;
	log_debug("rpc", "%s: %s", h->c->peer_text, words);
	*ret_words = words;
	return -H2_ENHANCE_YOUR_CALM;
}

ssize_t h2conn_stream_error(struct h2conn *h, struct h2stream *s, uint32_t code, ssize_t eaten,
			    const char **ret_words)
{
	const char *words = guard_count(&h->guard, GUARD_STREAM_ERROR, now_of(h));

	if (words)
		return h2conn_calm(h, words, ret_words);
	h2send_reset(s, code);
	h2stream_gone(s);
	return eaten;
}

ssize_t h2conn_pinged(struct h2conn *h, bool answer, const char **ret_words)
{
	const char *words;

	if (answer) {
		h->pinged = false;
		return 0;
	}
	words = guard_ping(&h->guard, h->n_streams > 0, now_of(h));
	return words ? h2conn_calm(h, words, ret_words) : 0;
}

ssize_t h2conn_reset(struct h2conn *h, uint32_t stream, const char **ret_words)
{
	struct h2stream *s = h2conn_find(h, stream);
	const char *words =
		guard_count(&h->guard, s && !s->finished ? GUARD_RESET : GUARD_STALE, now_of(h));

	if (s)
		s->peer_ended = true; /* nothing of it may follow */
	else if (stream <= h2x_last_id(h))
		*closed_of(h, stream) = stream;
	return words ? h2conn_calm(h, words, ret_words) : 0;
}

/* Our side is done when all is written: then the peer sees the end as soon as it has read it. */
static void end_output(struct h2conn *h)
{
	if (h->output_ended || !h2x_nothing_to_write(h))
		return;
	h->output_ended = true;
	conn_end_output(h->c);
}

static void on_look(struct timer *t)
{
	struct h2conn *h = CONTAINER_OF(t, struct h2conn, look);

	if (h->c->shut || !h2x_alive(h->c))
		return;
	end_output(h);
	/* Without a timer the tick does it. */
	if (!h->output_ended)
		(void)!timer_set(&h->c->loop->timers, t, now_of(h) + LOOK_MS);
}

void h2conn_fault(struct h2conn *h, int error, const char *words)
{
	h->fault_ms = now_of(h);
	h2x_goaway(h, h2x_last_id(h), error, words);
	for (size_t i = 0; i < H2CONN_BUCKETS; i++)
		for (struct h2stream *s = h->streams[i], *next; s; s = next) {
			next = s->next;
			/* No reset: of its code clients make a status, of the end UNAVAILABLE. */
			h2send_drop(s);
			h2stream_gone(s);
		}
	h->look.fn = on_look;
	(void)!timer_set(&h->c->loop->timers, &h->look, now_of(h) + LOOK_MS);
}

void h2conn_drop(struct h2conn *h, size_t len)
{
	h->n_dropped += len;
	if (h->n_dropped > LIMIT_FAULT_BYTES && !h->c->shut)
		conn_cut(h->c);
}

static void credit(struct h2conn *h, uint32_t n)
{
	h->owed += n;
	if (h->owed < LIMIT_CONN_WINDOW / 2)
		return;
	h2x_window_update(h, 0, h->owed);
	h->window += h->owed;
	h->owed = 0;
}

/* Nothing to wait for: RFC 9113 8.1.1 has the answer first, then the error. */
static void end_overrun(struct h2stream *s)
{
	s->lied = true;
	if (s->waits) {
		s->waits = false;
		h2send_kick(s);
	}
}

static ssize_t stream_data(struct h2conn *h, struct h2stream *s, const struct h2frame *f,
			   const uint8_t *p, size_t n, const char **ret_words)
{
	ssize_t eaten = (ssize_t)(H2FRAME_HEAD_LEN + f->len);

	s->window -= f->len;
	s->received += n;
	if (s->peer_ended)
		return h2conn_stream_error(h, s, H2_STREAM_CLOSED, eaten, ret_words);
	if (s->window < 0)
		return h2conn_stream_error(h, s, H2_FLOW_CONTROL_ERROR, eaten, ret_words);
	if (h2stream_lied(s, f->flags & H2_END_STREAM))
		return h2conn_stream_error(h, s, H2_PROTOCOL_ERROR, eaten, ret_words);
	if (h2stream_overran(s))
		end_overrun(s);
	if (f->flags & H2_END_STREAM)
		s->peer_ended = true; /* before the door may answer: no RST after that */
	if (h2stream_data(s, p, n) < 0)
		return h2conn_stream_error(h, s, H2_INTERNAL_ERROR, eaten, ret_words);
	h2stream_credit(s, s->held.len ? f->len - n : f->len);
	if (s->peer_ended)
		h2stream_end(s);
	return eaten;
}

ssize_t h2conn_data(struct h2conn *h, const struct h2frame *f, const uint8_t *payload,
		    const char **ret_words)
{
	const char *words;
	struct h2stream *s;
	const uint8_t *p;
	size_t n;

	if ((f->stream & 1) == 0 || f->stream > h2x_last_id(h) ||
	    h2frame_payload(f, payload, &p, &n) < 0) {
		*ret_words = "invalid DATA frame";
		return -H2_PROTOCOL_ERROR;
	}
	h->window -= f->len;
	if (h->window < 0) {
		*ret_words = "connection flow control";
		return -H2_FLOW_CONTROL_ERROR;
	}
	credit(h, f->len);
	s = h2conn_find(h, f->stream);
	if (s && s->opened && !s->ended && !s->gone_told)
		return stream_data(h, s, f, p, n, ret_words);
	words = guard_count(&h->guard, GUARD_STALE, now_of(h));
	if (words)
		return h2conn_calm(h, words, ret_words);
	/* Answered early: the rest of an honest upload is dropped. Ended by the peer: told so. */
	if (s ? s->peer_ended : *closed_of(h, f->stream) == f->stream)
		h2x_closed(h, f->stream);
	return (ssize_t)(H2FRAME_HEAD_LEN + f->len);
}

/* --- patience and drain --- */

static void op_closed(struct conn *c)
{
	struct h2conn *h = c->protocol;

	timer_clear(&c->loop->timers, &h->look);
	for (size_t i = 0; i < H2CONN_BUCKETS; i++)
		while (h->streams[i]) { /* those never bound to a request */
			struct h2stream *s = h->streams[i];

			h->streams[i] = s->next;
			h2stream_free(s);
		}
	free(h);
}

static void check_stream(struct h2conn *h, struct h2stream *s, uint64_t now_ms)
{
	if (!s->opened || s->ended)
		return;
	h->busy_ms = now_ms;
	if (!s->peer_ended && !s->x.body_endless && now_ms - s->born_ms > LIMIT_BODY_MS)
		h2send_reset(s, H2_CANCEL);
	else if (outq_is_stuck(&s->out, now_ms) ||
		 (s->out.len > 0 && now_ms - s->moved_ms > LIMIT_STALL_MS))
		h2send_reset(s, H2_ENHANCE_YOUR_CALM);
}

static void keep_alive(struct h2conn *h, uint64_t now_ms)
{
	if (h->pinged && now_ms - h->pinged_ms > LIMIT_PING_WAIT_MS) {
		conn_cut(h->c);
	} else if (!h->pinged && now_ms - h->c->rx_ms > LIMIT_PING_AFTER_MS) {
		h2x_ping(h, (const uint8_t *)"qm-alive");
		h->pinged = true;
		h->pinged_ms = now_ms;
	}
}

/* A frame that comes byte by byte. DATA may, from a slow phone; all others are one packet. */
static bool is_dripping(struct h2conn *h, uint64_t now_ms)
{
	size_t len;
	const uint8_t *p = conn_input(h->c, &len);
	uint64_t patience_ms = len > 3 && p[3] == H2_DATA ? LIMIT_BODY_MS : LIMIT_HEAD_MS;

	if (len == 0)
		h->part_ms = 0;
	else if (h->part_ms == 0 || h->c->rx_ms >= h->part_ms)
		h->part_ms = now_ms;
	return len > 0 && now_ms - h->part_ms > patience_ms;
}

static bool is_out_of_patience(struct h2conn *h, uint64_t now_ms)
{
	const struct conn *c = h->c;

	return (h->head_id && now_ms - h->head_ms > LIMIT_HEAD_MS) || is_dripping(h, now_ms) ||
	       (!h->standard && now_ms - c->born_ms > LIMIT_HANDSHAKE_MS) ||
	       (!c->had_request && now_ms - c->born_ms > LIMIT_SILENT_MS) ||
	       (h2x_writing(h) && now_ms - c->tx_ms > LIMIT_STALL_MS) ||
	       (h->n_streams == 0 && now_ms - h->busy_ms > LIMIT_IDLE_MS);
}

static void op_tick(struct conn *c, uint64_t now_ms)
{
	struct h2conn *h = c->protocol;

	if (c->shut)
		return;
	if (!h2x_alive(c)) {
		if (now_ms - c->tx_ms > LIMIT_STALL_MS)
			conn_cut(c);
		return;
	}
	if (h->fault_ms) {
		end_output(h);
		if (now_ms - h->fault_ms > LIMIT_FAULT_MS)
			conn_cut(c);
		return;
	}
	for (size_t i = 0; h->n_streams > 0 && i < H2CONN_BUCKETS; i++)
		for (struct h2stream *s = h->streams[i]; s; s = s->next)
			check_stream(h, s, now_ms);
	if (is_out_of_patience(h, now_ms))
		conn_cut(c);
	else if (h->n_streams > 0)
		keep_alive(h, now_ms);
}

/*
 * Not h2o's own way: that one closes as soon as no stream is counted, with the
 * tail of the last answer unsent, and leaves a state that spins on CONTINUATION.
 */
static void op_drain(struct conn *c, unsigned step)
{
	struct h2conn *h = c->protocol;

	if (step >= 3) {
		conn_cut(c);
		return;
	}
	if (!h2x_alive(c) || c->shut || h->fault_ms)
		return;
	if (c->drain < step) {
		h2x_goaway(h, step == 1 ? INT32_MAX : h2x_last_id(h), 0, "shutting down");
		c->drain = step;
	}
	if (step == 2 && h->n_streams == 0)
		end_output(h);
}

const struct conn_ops h2conn_ops = {
	.closed = op_closed,
	.tick = op_tick,
	.drain = op_drain,
	.go_on = h2x_go_on,
};
