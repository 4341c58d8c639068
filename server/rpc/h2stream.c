/* SPDX-License-Identifier: Apache-2.0 */
/* The exchange operations over HTTP/2, and the order in which a door hears of things. */
#include "server/rpc/h2conn.h"

#include <errno.h>
#include <string.h>

#include "base/limits.h"
#include "server/rpc/h2head.h"

#define SPARE_MAX 256

static struct h2stream *stream_of(const struct exchange *x)
{
	return CONTAINER_OF((struct exchange *)(uintptr_t)x, struct h2stream, x);
}

static void add_all(struct h2block *b, const struct header *headers, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t before = b->len;

		h2block_add(b, headers[i].name, headers[i].value, headers[i].value_len);
		if (b->failed) { /* one field too big: the others still tell what happened */
			b->len = before;
			b->failed = false;
		}
	}
}

static void op_head(struct exchange *x, unsigned status, const struct header *headers, size_t n)
{
	struct h2stream *s = stream_of(x);
	uint8_t buf[LIMIT_ANSWER_HEAD];
	struct h2block b = {.p = buf, .cap = sizeof(buf)};

	if (s->head_sent || s->finished)
		return;
	h2block_status(&b, status);
	add_all(&b, headers, n);
	if (strcmp(x->door->name, "grpc") != 0)
		h2block_add(&b, "date", exchange_date(x), strlen(exchange_date(x)));
	s->head_sent = true;
	s->bodyless = status == 204 || status == 304 || strcmp(x->method, "HEAD") == 0;
	h2send_headers(s, buf, b.len, false);
}

static bool may_write(struct h2stream *s)
{
	if (s->finished || s->ended || s->bodyless || !s->engine)
		return false;
	if (s->out.len == 0)
		s->moved_ms = s->x.loop->now_ms;
	return true;
}

static void op_write(struct exchange *x, const void *p, size_t len)
{
	struct h2stream *s = stream_of(x);

	if (!may_write(s))
		return;
	if (outq_add(&s->out, p, len) < 0)
		h2send_reset(s, H2_INTERNAL_ERROR);
	else
		h2send_kick(s);
}

static void op_write_frame(struct exchange *x, struct frame *f)
{
	struct h2stream *s = stream_of(x);

	if (!may_write(s))
		return;
	if (outq_add_frame(&s->out, f) < 0)
		h2send_reset(s, H2_INTERNAL_ERROR);
	else
		h2send_kick(s);
}

/*
 * An answer before the request's end is followed by a reset, which many clients, curl among them,
 * take for a failure. So where the rest is announced and needs no more credit, the end of the
 * answer waits for it.
 */
static bool rest_is_near(const struct h2stream *s)
{
	return !s->peer_ended && s->expected != UINT64_MAX && s->window >= 0 &&
	       s->expected - s->received <= (uint64_t)s->window;
}

bool h2stream_lied(const struct h2stream *s, bool at_end)
{
	if (s->finished || s->expected == UINT64_MAX)
		return false;
	return s->received > s->expected || (at_end && s->received != s->expected);
}

bool h2stream_overran(const struct h2stream *s)
{
	return s->finished && s->expected != UINT64_MAX && s->received > s->expected;
}

static void op_finish(struct exchange *x, const struct header *trailers, size_t n)
{
	struct h2stream *s = stream_of(x);
	uint8_t buf[LIMIT_ANSWER_HEAD];
	struct h2block b = {.p = buf, .cap = sizeof(buf)};

	if (s->finished || s->ended || !s->engine)
		return;
	s->finished = true;
	guard_answered(&s->h->guard);
	if (!s->head_sent) {
		h2block_status(&b, 200);
		add_all(&b, trailers, n);
		s->head_sent = true;
		h2send_headers(s, buf, b.len, true);
		return;
	}
	if (n > 0) {
		add_all(&b, trailers, n);
		s->trailers = malloc(b.len);
		if (!s->trailers) {
			h2send_reset(s, H2_INTERNAL_ERROR);
			return;
		}
		memcpy(s->trailers, buf, b.len);
		s->trailers_len = b.len;
	}
	s->waits = rest_is_near(s);
	h2send_kick(s);
}

static void op_mark_secret(struct exchange *x)
{
	stream_of(x)->out.secret = true;
	x->loop->secret = true;
}

static void op_reset(struct exchange *x, uint32_t code)
{
	h2send_reset(stream_of(x), code);
}

static size_t op_queued(const struct exchange *x)
{
	return stream_of(x)->out.len;
}

void h2stream_credit(struct h2stream *s, size_t n)
{
	if (s->peer_ended || s->ended || !s->engine)
		return;
	s->owed += (uint32_t)n;
	if (s->owed < LIMIT_STREAM_WINDOW / 2)
		return;
	h2x_window_update(s->h, s->id, s->owed);
	s->window += s->owed;
	s->owed = 0;
}

static void deliver_held(struct h2stream *s)
{
	uint8_t buf[4096];
	size_t n;

	while (!s->paused && !s->gone_told && (n = outq_take(&s->held, buf, sizeof(buf))) > 0) {
		s->x.door->data(&s->x, buf, n);
		h2stream_credit(s, n);
	}
	explicit_bzero(buf, sizeof(buf));
}

static void tell_end(struct h2stream *s)
{
	if (!s->peer_ended || s->end_told || s->paused || s->held.len > 0 || s->gone_told)
		return;
	s->end_told = true;
	s->x.door->end(&s->x);
}

static void op_pause(struct exchange *x, bool on)
{
	struct h2stream *s = stream_of(x);

	if (s->paused == on)
		return;
	s->paused = on;
	if (!on) {
		deliver_held(s);
		tell_end(s);
	}
}

const struct exchange_ops h2stream_ops = {
	.head = op_head,
	.write = op_write,
	.write_frame = op_write_frame,
	.finish = op_finish,
	.mark_secret = op_mark_secret,
	.reset = op_reset,
	.queued = op_queued,
	.pause = op_pause,
};

int h2stream_data(struct h2stream *s, const uint8_t *p, size_t len)
{
	if (s->paused || s->held.len > 0) {
		s->held.secret = true;
		return outq_add(&s->held, p, len);
	}
	if (len > 0)
		s->x.door->data(&s->x, p, len);
	return 0;
}

void h2stream_end(struct h2stream *s)
{
	s->peer_ended = true;
	if (s->waits) {
		s->waits = false;
		h2send_kick(s);
	}
	if (s->opened)
		tell_end(s);
}

void h2stream_gone(struct h2stream *s)
{
	if (s->gone_told || !s->opened)
		return;
	s->gone_told = true;
	s->x.door->gone(&s->x);
}

struct h2stream *h2stream_alloc(struct loop *l)
{
	struct h2stream *s = l->spare_streams;

	if (!s)
		return malloc(sizeof(*s));
	l->spare_streams = s->next;
	l->n_spare_streams--;
	return s;
}

void h2stream_free(struct h2stream *s)
{
	struct loop *l = s->h->c->loop;

	h2stream_gone(s);
	outq_drop(&s->held);
	outq_drop(&s->out);
	free(s->trailers);
	h2head_free(s->head);
	if (l->n_spare_streams == SPARE_MAX) {
		free(s);
		return;
	}
	s->next = l->spare_streams;
	l->spare_streams = s;
	l->n_spare_streams++;
}

void h2stream_free_spare(struct loop *l)
{
	while (l->spare_streams) {
		struct h2stream *s = l->spare_streams;

		l->spare_streams = s->next;
		free(s);
	}
	l->n_spare_streams = 0;
}
