/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stream's answer on its way into h2o's write buffer. Body bytes are pulled by
 * h2o's scheduler as windows allow; in that same callback, behind the last DATA,
 * the trailers are written, so that both leave in one write. Header blocks are
 * ours and stateless. What the loop's thread has put here is flushed by h2o at
 * the end of the turn.
 */
#include "base/limits.h"
#include "server/rpc/h2engine.h"

static void put_frame(struct h2conn *h, const struct h2frame *f, const void *payload)
{
	h2o_buffer_t **buf = &h2engine_conn(h)->_write.buf;
	uint8_t *p = (uint8_t *)h2o_buffer_reserve(buf, H2FRAME_HEAD_LEN + f->len).base;

	h2frame_write(p, f);
	if (f->len)
		memcpy(p + H2FRAME_HEAD_LEN, payload, f->len);
	(*buf)->size += H2FRAME_HEAD_LEN + f->len;
}

static void put_block(struct h2stream *s, const uint8_t *block, size_t len, bool end)
{
	struct h2conn *h = s->h;
	uint8_t buf[LIMIT_ANSWER_HEAD + 8];
	struct h2block b = {.p = buf, .cap = sizeof(buf)};

	if (h->table_shrunk)
		h2block_table_size(&b, h2engine_conn(h)->_output_header_table.hpack_capacity);
	h->table_shrunk = false;
	guard_sent(&h->guard);
	memcpy(buf + b.len, block, len);
	put_frame(h,
		  &(struct h2frame){.len = (uint32_t)(b.len + len),
				    .type = H2_HEADERS,
				    .flags = H2_END_HEADERS | (end ? H2_END_STREAM : 0),
				    .stream = s->id},
		  buf);
}

/* The last frame of the answer is in the buffer: h2o closes the stream after the write. */
static void mark_ended(struct h2stream *s)
{
	s->ended = true;
	if (s->lied || !s->peer_ended) /* RFC 9113 8.1: nothing more is wanted */
		h2o_http2__encode_rst_stream_frame(&h2engine_conn(s->h)->_write.buf, s->id,
						   s->lied ? H2_PROTOCOL_ERROR : H2_NO_ERROR);
	h2o_http2_stream_set_state(h2engine_conn(s->h), h2engine_stream(s),
				   H2O_HTTP2_STREAM_STATE_END_STREAM);
}

/* Writes n payload bytes that already lie behind the buffer's end, and the end of the stream. */
static void put_last(struct h2stream *s, size_t n)
{
	h2o_http2_conn_t *conn = h2engine_conn(s->h);
	h2o_http2_stream_t *stream = h2engine_stream(s);

	if (n > 0 || !s->trailers) {
		h2o_buffer_t *buf = conn->_write.buf;

		h2frame_write((uint8_t *)buf->bytes + buf->size,
			      &(struct h2frame){.len = (uint32_t)n,
						.type = H2_DATA,
						.flags = s->trailers ? 0 : H2_END_STREAM,
						.stream = s->id});
		buf->size += H2FRAME_HEAD_LEN + n;
		h2o_http2_window_consume_window(&conn->_write.window, n);
		h2o_http2_window_consume_window(&stream->output_window, n);
		stream->req.bytes_sent += n;
	}
	if (s->trailers)
		put_block(s, s->trailers, s->trailers_len, true);
	mark_ended(s);
}

static h2o_send_state_t on_pull(h2o_generator_t *generator, h2o_req_t *req, h2o_iovec_t *buf)
{
	struct h2stream *s = h2engine_owner(generator);
	size_t n = outq_take(&s->out, buf->base, buf->len);

	(void)req;
	s->h->c->loop->secret |= s->out.secret;
	s->moved_ms = s->h->c->tx_ms = s->h->c->loop->now_ms;
	guard_earn(&s->h->guard, 2);
	guard_sent(&s->h->guard);
	buf->len = n;
	if (s->out.len > 0)
		return H2O_SEND_STATE_IN_PROGRESS;
	h2engine_stream(s)->_data.size = 0; /* inactive until the next kick */
	if (s->finished && !s->waits) {
		put_last(s, n);
		buf->len = 0;
	}
	return H2O_SEND_STATE_IN_PROGRESS;
}

void h2send_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
	struct h2stream *s = h2engine_owner(generator);

	(void)req;
	if (!s->finished && !s->gone_told && s->out.len == 0 && s->x.door->drained)
		s->x.door->drained(&s->x);
}

static bool can_send(const struct h2stream *s)
{
	const h2o_http2_stream_t *stream = h2engine_stream(s);

	return stream && !s->ended &&
	       h2engine_conn(s->h)->state < H2O_HTTP2_CONN_STATE_IS_CLOSING &&
	       (stream->state == H2O_HTTP2_STREAM_STATE_SEND_HEADERS ||
		stream->state == H2O_HTTP2_STREAM_STATE_SEND_BODY);
}

static void unlink_stream(h2o_http2_stream_t *stream)
{
	if (h2o_linklist_is_linked(&stream->_refs.link))
		h2o_linklist_unlink(&stream->_refs.link);
}

/* Ends outside of the pull callback: h2o finds the stream in its list after the write. */
static void close_after_write(struct h2stream *s)
{
	h2o_http2_conn_t *conn = h2engine_conn(s->h);

	h2o_linklist_insert(&conn->_write.streams_to_proceed, &h2engine_stream(s)->_refs.link);
	h2o_http2_conn_request_write(conn);
}

void h2send_headers(struct h2stream *s, const uint8_t *block, size_t len, bool end)
{
	h2o_http2_conn_t *conn = h2engine_conn(s->h);
	h2o_http2_stream_t *stream = h2engine_stream(s);

	if (!can_send(s) || stream->state != H2O_HTTP2_STREAM_STATE_SEND_HEADERS)
		return;
	put_block(s, block, len, end);
	h2o_http2_stream_set_state(conn, stream, H2O_HTTP2_STREAM_STATE_SEND_BODY);
	s->h->c->tx_ms = s->h->c->loop->now_ms;
	if (end) {
		mark_ended(s);
		close_after_write(s);
		return;
	}
	stream->_pull_cb = on_pull;
	h2o_http2_conn_request_write(conn);
}

void h2send_kick(struct h2stream *s)
{
	static h2o_iovec_t not_looked_at;
	h2o_http2_stream_t *stream = h2engine_stream(s);

	if (!can_send(s) || !s->head_sent)
		return;
	if (stream->_data.size != 0 || stream->_refs.scheduler._self_is_active)
		return; /* scheduled, or waiting for a window: on_pull does the rest */
	if (s->out.len == 0 && (!s->finished || s->waits))
		return;
	unlink_stream(stream);
	if (s->out.len == 0) {
		h2o_buffer_reserve(&h2engine_conn(s->h)->_write.buf, H2FRAME_HEAD_LEN);
		put_last(s, 0);
		close_after_write(s);
		return;
	}
	stream->_data.entries = &not_looked_at; /* with a pull callback only the number counts */
	stream->_data.size = stream->_data.capacity = 1;
	h2o_http2_conn_register_for_proceed_callback(h2engine_conn(s->h), stream);
}

void h2send_drop(struct h2stream *s)
{
	h2o_http2_stream_t *stream = h2engine_stream(s);
	h2o_http2_scheduler_openref_t *ref;

	if (!can_send(s))
		return;
	outq_drop(&s->out);
	ref = &stream->_refs.scheduler;
	if (ref->_self_is_active) { /* h2o has no call to take a stream off its schedule */
		h2o_http2_scheduler_close(ref);
		h2o_http2_scheduler_open(ref, &h2engine_conn(s->h)->scheduler, 16, 0);
	}
	stream->_data.size = 0;
	unlink_stream(stream);
	s->ended = s->finished = true;
	h2o_http2_stream_set_state(h2engine_conn(s->h), stream, H2O_HTTP2_STREAM_STATE_END_STREAM);
	close_after_write(s);
}

void h2send_reset(struct h2stream *s, uint32_t code)
{
	if (!can_send(s))
		return;
	h2o_http2__encode_rst_stream_frame(&h2engine_conn(s->h)->_write.buf, s->id, (int)code);
	h2send_drop(s);
}
