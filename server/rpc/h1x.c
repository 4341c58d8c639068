/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 on a connection: one exchange at a time, read strictly by h1.c,
 * written with a length or in chunks. h2o gives the socket; its own HTTP/1
 * reader is not used, because it accepts what must be refused and does not
 * notice a peer that leaves while its answer is being made.
 */
#include "server/rpc/core.h"

#include <errno.h>
#include <string.h>
#include <strings.h>

#include "base/key.h"
#include "base/log.h"
#include "base/text.h"
#include "server/rpc/h1.h"
#include "server/rpc/outq.h"

#define WRITE_MAX 65536
#define PIPELINED_MAX 65536
#define CHUNK_ROOM 16 /* size line in front, CRLF behind */

struct h1conn {
	struct exchange x;
	struct conn *c;
	struct h1_head head;
	char *head_bytes;
	size_t head_len;
	uint64_t since_ms; /* this head's first byte, then the request */
	/* request */
	bool active; /* an exchange is under way */
	bool received;
	bool paused;
	struct h1_chunks chunks;
	uint64_t body_left;
	/* answer */
	struct text answer_head; /* status line and fields, not yet sent */
	struct outq out;
	uint8_t *writing; /* in the kernel's hands */
	size_t writing_len;
	unsigned status;
	bool head_made, head_sent, finished, chunked, bodyless, keep_alive;
	bool head_begun;
	bool in_door; /* inside process(): what is written there is flushed at its end */
	bool linger;  /* answered and shut: waiting for the peer to leave */
	struct timer flush;
};

static struct h1conn *h1_of(const struct exchange *x)
{
	return CONTAINER_OF((struct exchange *)(uintptr_t)x, struct h1conn, x);
}

static void process(struct h1conn *h);

/* --- writing --- */

static void head_end(struct h1conn *h)
{
	/* Answered before all was read: what still comes is no next request. */
	if (!h->received)
		h->keep_alive = false;
	if (!h->bodyless && h->finished)
		text_addf(&h->answer_head, "content-length: %zu\r\n", h->out.len);
	else if (!h->bodyless && h->head.minor == 1)
		h->chunked = true;
	else if (!h->bodyless)
		h->keep_alive = false; /* the end of the connection ends the body */
	if (h->chunked)
		text_adds(&h->answer_head, "transfer-encoding: chunked\r\n");
	text_adds(&h->answer_head, h->keep_alive ? "\r\n" : "connection: close\r\n\r\n");
	h->head_sent = true;
}

/* Fills the write buffer from head and body; false when there is nothing to write. */
static bool fill(struct h1conn *h)
{
	bool last_chunk = false;
	size_t n = 0, body;

	if (!h->head_made || (h->head_sent && h->out.len == 0 && !(h->finished && h->chunked)))
		return false;
	if (!h->head_sent)
		head_end(h);
	body = h->out.len < WRITE_MAX ? h->out.len : WRITE_MAX;
	h->writing = malloc(h->answer_head.len + body + 2 * CHUNK_ROOM);
	if (!h->writing || h->answer_head.failed) {
		conn_cut(h->c);
		return false;
	}
	if (h->answer_head.len)
		memcpy(h->writing, h->answer_head.s, h->answer_head.len);
	n = h->answer_head.len;
	text_done(&h->answer_head);
	if (strcmp(h->x.method, "HEAD") == 0) {
		outq_drop(&h->out);
		body = 0;
		h->chunked = false;
	}
	if (h->chunked && body)
		n += (size_t)sprintf((char *)h->writing + n, "%zx\r\n", body);
	n += outq_take(&h->out, h->writing + n, body);
	if (h->chunked && body) {
		memcpy(h->writing + n, "\r\n", 2);
		n += 2;
	}
	last_chunk = h->chunked && h->finished && h->out.len == 0;
	if (last_chunk) {
		memcpy(h->writing + n, "0\r\n\r\n", 5);
		n += 5;
		h->chunked = false;
	}
	h->writing_len = n;
	return n > 0;
}

static void writing_done(struct h1conn *h)
{
	if (h->writing && h->out.secret)
		explicit_bzero(h->writing, h->writing_len);
	free(h->writing);
	h->writing = NULL;
}

/* Tokens and cookies are in it. */
static void drop_head(struct h1conn *h)
{
	key_wipe_bytes(h->head_bytes, h->head_len);
	free(h->head_bytes);
	h->head_bytes = NULL;
}

static void exchange_over(struct h1conn *h)
{
	if (!h->active)
		return;
	h->active = false;
	h->x.door->gone(&h->x);
	timer_clear(&h->c->loop->timers, &h->flush);
	outq_drop(&h->out);
	h->out.secret = false;
	text_done(&h->answer_head);
	drop_head(h);
}

/* Of a request that was answered before it was read. */
static void drop_input(struct conn *c)
{
	size_t len;

	conn_input(c, &len);
	conn_consume(c, len);
	c->loop->secret = true;
}

/* All of the answer is with the kernel. */
static void answered(struct h1conn *h)
{
	bool again = h->keep_alive && h->received;

	exchange_over(h);
	h->since_ms = h->c->loop->now_ms;
	if (!again) {
		h->linger = true;
		drop_input(h->c);
		conn_end_output(h->c);
		conn_read(h->c, true);
		return;
	}
	conn_read(h->c, true);
	process(h);
}

static void pump(struct h1conn *h)
{
	if (!h->active || h->writing || h->linger || h->c->shut)
		return;
	if (fill(h)) {
		h->c->loop->secret |= h->out.secret;
		conn_write(h->c, h->writing, h->writing_len);
		return;
	}
	writing_done(h);
	if (h->finished && h->head_sent && h->out.len == 0)
		answered(h);
}

static void on_written(struct conn *c, const char *err)
{
	struct h1conn *h = c->protocol;

	writing_done(h);
	if (err) {
		conn_close(c);
		return;
	}
	if (!h->active)
		return;
	if (h->out.len == 0 && h->head_sent && !h->finished && h->x.door->drained) {
		h->in_door = true;
		h->x.door->drained(&h->x);
		h->in_door = false;
	}
	pump(h);
}

static void on_flush(struct timer *t)
{
	pump(CONTAINER_OF(t, struct h1conn, flush));
}

static void flush_soon(struct h1conn *h)
{
	struct loop *l = h->c->loop;

	if (!h->in_door && !h->writing && h->flush.slot == 0 &&
	    timer_set(&l->timers, &h->flush, l->now_ms) < 0)
		conn_cut(h->c);
}

static void op_head(struct exchange *x, unsigned status, const struct header *headers, size_t n)
{
	struct h1conn *h = h1_of(x);

	if (h->head_made)
		return;
	h->head_made = true;
	h->status = status;
	h->bodyless = status == 204 || status == 304 || status < 200;
	h->answer_head = TEXT_INIT(4 * LIMIT_HEAD_BYTES);
	text_addf(&h->answer_head, "HTTP/1.1 %u %s\r\ndate: %s\r\n", status, h1_reason(status),
		  exchange_date(x));
	for (size_t i = 0; i < n; i++) {
		text_addf(&h->answer_head, "%s: ", headers[i].name);
		text_add(&h->answer_head, headers[i].value, headers[i].value_len);
		text_adds(&h->answer_head, "\r\n");
	}
	flush_soon(h);
}

static void op_write(struct exchange *x, const void *p, size_t len)
{
	struct h1conn *h = h1_of(x);

	if (h->finished || h->bodyless)
		return;
	if (outq_add(&h->out, p, len) < 0)
		conn_cut(h->c);
	flush_soon(h);
}

static void op_write_frame(struct exchange *x, struct frame *f)
{
	struct h1conn *h = h1_of(x);

	if (h->finished || h->bodyless)
		return;
	if (outq_add_frame(&h->out, f) < 0)
		conn_cut(h->c);
	flush_soon(h);
}

static void op_finish(struct exchange *x, const struct header *trailers, size_t n)
{
	struct h1conn *h = h1_of(x);

	if (h->finished)
		return;
	if (!h->head_made)
		op_head(x, 200, trailers, n);
	h->finished = true;
	flush_soon(h);
}

static void op_mark_secret(struct exchange *x)
{
	h1_of(x)->out.secret = true;
	x->loop->secret = true;
}

static void op_reset(struct exchange *x, uint32_t code)
{
	(void)code;
	conn_cut(h1_of(x)->c);
}

static size_t op_queued(const struct exchange *x)
{
	const struct h1conn *h = h1_of(x);

	return h->out.len + (h->writing ? h->writing_len : 0);
}

static void op_pause(struct exchange *x, bool on)
{
	struct h1conn *h = h1_of(x);

	if (h->paused == on)
		return;
	h->paused = on;
	conn_read(h->c, !on);
	if (!on && !h->in_door)
		process(h);
}

static const struct exchange_ops ops = {
	.head = op_head,
	.write = op_write,
	.write_frame = op_write_frame,
	.finish = op_finish,
	.mark_secret = op_mark_secret,
	.reset = op_reset,
	.queued = op_queued,
	.pause = op_pause,
};

/* --- reading --- */

static void refuse(struct h1conn *h, unsigned status)
{
	h->active = true;
	h->received = true;
	h->keep_alive = false;
	h->x.method = "GET";
	h->x.path = h->x.authority = "";
	h->head.minor = 1;
	h->c->loop->server->count.refused++;
	exchange_deny(&h->x, status, "This request is not well-formed HTTP/1.1.");
}

static void quiet_event(struct exchange *x)
{
	(void)x;
}

static const struct door refused_door = {.name = "none", .gone = quiet_event};

static void answer_reset(struct h1conn *h)
{
	h->x = (struct exchange){
		.http_major = 1,
		.tls = h->c->listener->kind == LISTENER_TLS,
		.scheme = h->c->listener->kind == LISTENER_TLS ? "https" : "http",
		.listener = h->c->listener,
		.peer = h->c->peer,
		.peer_text = h->c->peer_text,
		.peer_is_operator = h->c->peer_is_operator,
		.loop = h->c->loop,
		.ops = &ops,
		.door = &refused_door,
	};
	h->chunks = (struct h1_chunks){0};
	h->received = h->paused = false;
	h->head_made = h->head_sent = h->finished = h->chunked = h->bodyless = false;
}

/* Starts the exchange; the body follows by feed(). */
static void open_exchange(struct h1conn *h)
{
	const struct h1_head *head = &h->head;

	h->active = true;
	h->keep_alive = head->keep_alive && h->c->drain == 0;
	h->body_left = head->content_length;
	h->received = !head->chunked && head->content_length == 0;
	h->x.method = head->method;
	h->x.path = head->path;
	h->x.query = head->query;
	h->x.authority = head->host;
	h->x.headers = head->headers;
	h->x.n_headers = head->n_headers;
	h->x.body_expected = !h->received;
	exchange_begin(&h->x, h->c);
	if (h->received && h->active && h->x.door->end)
		h->x.door->end(&h->x);
}

static void continue_100(struct h1conn *h)
{
	static const char line[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (!h->head.expects_continue || h->received || h->head_made || h->writing)
		return;
	h->writing = malloc(sizeof(line) - 1);
	if (!h->writing)
		return;
	memcpy(h->writing, line, sizeof(line) - 1);
	h->writing_len = sizeof(line) - 1;
	conn_write(h->c, h->writing, h->writing_len);
}

/* Reads a head when one is whole; false: nothing more to do now. */
static bool read_head(struct h1conn *h)
{
	unsigned status = 0;
	size_t len, head_len;
	const uint8_t *p = conn_input(h->c, &len);

	if (len >= 2 && p[0] == '\r' && p[1] == '\n') { /* one empty line is forgiven */
		conn_consume(h->c, 2);
		p = conn_input(h->c, &len);
	}
	if (len == 0)
		return false;
	if (!h->head_begun)
		h->since_ms = h->c->loop->now_ms;
	h->head_begun = true;
	head_len = h1_head_find(p, len, &status);
	if (head_len == 0 && status == 0)
		return false;
	answer_reset(h);
	h->head_begun = false;
	if (status == 0) {
		h->head_bytes = malloc(head_len);
		if (!h->head_bytes) {
			conn_cut(h->c);
			return false;
		}
		h->head_len = head_len;
		memcpy(h->head_bytes, p, head_len);
		status = h1_head_parse(h->head_bytes, head_len, &h->head);
		conn_consume(h->c, head_len);
	}
	h->since_ms = h->c->loop->now_ms;
	if (status) {
		refuse(h, status);
		return false;
	}
	open_exchange(h);
	continue_100(h);
	return true;
}

/*
 * What follows can be read in two ways: nothing of it is read. An answer that is whole already
 * still leaves.
 */
static void refuse_body(struct h1conn *h)
{
	h->keep_alive = false;
	if (h->head_made && !h->finished) {
		h->c->loop->server->count.refused++;
		conn_cut(h->c);
		return;
	}
	h->received = true;
	if (h->head_made)
		return;
	h->x.door->gone(&h->x);
	h->x.door = &refused_door;
	refuse(h, 400);
}

/* Hands body bytes to the door; false: nothing more to do now. */
static bool feed(struct h1conn *h)
{
	const uint8_t *p, *body = NULL;
	size_t len, body_len = 0;
	ssize_t eaten;
	bool done = false;

	p = conn_input(h->c, &len);
	if (len == 0 || h->paused)
		return false;
	if (h->head.chunked) {
		eaten = h1_chunks_eat(&h->chunks, p, len, &body, &body_len, &done);
		if (eaten < 0) {
			refuse_body(h);
			return false;
		}
	} else {
		body = p;
		body_len = len < h->body_left ? len : (size_t)h->body_left;
		h->body_left -= body_len;
		eaten = (ssize_t)body_len;
		done = h->body_left == 0;
	}
	if (body_len && h->x.door->data)
		h->x.door->data(&h->x, body, body_len);
	conn_consume(h->c, (size_t)eaten);
	if (done) {
		h->received = true;
		if (h->x.door->end)
			h->x.door->end(&h->x);
	}
	return true;
}

static void process(struct h1conn *h)
{
	size_t len;

	if (h->in_door)
		return;
	h->in_door = true;
	while (!h->linger && !h->c->shut) {
		if (h->active && h->received)
			break;
		if (!(h->active ? feed(h) : read_head(h)))
			break;
	}
	h->in_door = false;
	pump(h);
	conn_input(h->c, &len);
	if (h->active && h->received && len > PIPELINED_MAX)
		conn_read(h->c, false);
}

static void on_input(struct conn *c, const char *err)
{
	struct h1conn *h = c->protocol;

	if (err) {
		conn_close(c);
		return;
	}
	if (h->linger) {
		drop_input(c);
		return;
	}
	process(h);
}

/* --- the connection --- */

static void op_closed(struct conn *c)
{
	struct h1conn *h = c->protocol;

	exchange_over(h);
	writing_done(h);
	timer_clear(&c->loop->timers, &h->flush);
	drop_head(h);
	free(h);
}

static uint64_t patience_ms(const struct h1conn *h)
{
	size_t len;

	conn_input(h->c, &len);
	if (h->linger)
		return LIMIT_LINGER_MS;
	if (h->active && !h->received)
		return LIMIT_BODY_MS;
	if (h->active)
		return UINT64_MAX;
	if (len > 0)
		return LIMIT_HEAD_MS;
	return h->c->had_request ? LIMIT_IDLE_MS : LIMIT_SILENT_MS;
}

static void op_tick(struct conn *c, uint64_t now_ms)
{
	struct h1conn *h = c->protocol;

	if (c->shut) { /* while its reading is paused nothing else would notice */
		conn_close(c);
		return;
	}
	if (now_ms > h->since_ms && now_ms - h->since_ms > patience_ms(h))
		conn_cut(c);
	else if (h->linger && now_ms - c->rx_ms > LIMIT_LINGER_REST_MS &&
		 now_ms - c->tx_ms > LIMIT_LINGER_REST_MS)
		conn_cut(c);
	else if (h->writing && now_ms - c->tx_ms > LIMIT_STALL_MS)
		conn_cut(c);
	else if (h->active && outq_is_stuck(&h->out, now_ms))
		conn_cut(c);
}

static void op_drain(struct conn *c, unsigned step)
{
	struct h1conn *h = c->protocol;

	c->drain = step;
	/* A head that is out has promised what becomes of the connection. */
	if (!h->head_sent)
		h->keep_alive = false;
	if (step >= 3 || (step >= 2 && !h->active))
		conn_cut(c);
	if (step >= 3)
		conn_close(c);
}

static const struct conn_ops conn_ops = {.closed = op_closed, .tick = op_tick, .drain = op_drain};

int h1x_begin(struct conn *c)
{
	struct h1conn *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	h->c = c;
	h->since_ms = c->loop->now_ms;
	h->flush.fn = on_flush;
	c->protocol = h;
	c->ops = &conn_ops;
	c->on_input = on_input;
	c->on_written = on_written;
	conn_read(c, true);
	process(h);
	return 0;
}
