/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 on h2o 2.2.5 through its private header. Two hooks: the tap, which
 * stands in conn->_read_expect and sees every frame before h2o does, and the
 * stream's pull callback, where trailers are written. The tap dispatches a
 * request as soon as its head is whole, keeps DATA to itself, hides priorities,
 * and keeps from h2o what it would assert on or spin over.
 */
#include "server/rpc/h2conn.h"

#include <h2o.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>

#include "server/rpc/h2head.h"
#include "server/rpc/limits.h"

/* What follows are h2o's own affairs: refuse to build against another version of them. */
#define WRONG_H2O "written for h2o 2.2.5"
#if defined(__x86_64__) || defined(__aarch64__)
_Static_assert(sizeof(h2o_http2_conn_t) == 472, WRONG_H2O);
_Static_assert(sizeof(h2o_http2_stream_t) == 880, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_conn_t, sock) == 48, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_conn_t, peer_settings) == 56, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_conn_t, streams) == 80, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_conn_t, pull_stream_ids) == 88, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_conn_t, state) == 168, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_conn_t, _read_expect) == 192, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_conn_t, _input_header_table) == 208, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_conn_t, _output_header_table) == 272, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_conn_t, _write.buf) == 384, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_conn_t, _write.buf_in_flight) == 392, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_conn_t, _write.streams_to_proceed) == 400, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_conn_t, _write.window) == 448, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_stream_t, state) == 40, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_stream_t, output_window) == 48, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_stream_t, _data) == 96, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_stream_t, _pull_cb) == 120, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_stream_t, _refs) == 152, WRONG_H2O);
_Static_assert(offsetof(h2o_http2_stream_t, req) == 272, WRONG_H2O);
#endif

#define OUR_SETTINGS_LEN 21

typedef ssize_t (*expect_fn)(h2o_http2_conn_t *, const uint8_t *, size_t, const char **);

_Static_assert(sizeof(h2o_generator_t) == sizeof(((struct h2stream *)0)->generator), WRONG_H2O);

static h2o_http2_conn_t *conn_of(const struct h2conn *h)
{
	return h->engine;
}

static h2o_http2_stream_t *engine_of(const struct h2stream *s)
{
	return s->engine;
}

static uint64_t now_of(const struct h2conn *h)
{
	return h->c->loop->now_ms;
}

/* --- writing --- */

static void put_frame(struct h2conn *h, const struct h2frame *f, const void *payload)
{
	h2o_buffer_t **buf = &conn_of(h)->_write.buf;
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
		h2block_table_size(&b, conn_of(h)->_output_header_table.hpack_capacity);
	h->table_shrunk = false;
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
	if (!s->peer_ended) /* RFC 9113 8.1: nothing more is wanted */
		h2o_http2__encode_rst_stream_frame(&conn_of(s->h)->_write.buf, s->id, 0);
	h2o_http2_stream_set_state(conn_of(s->h), engine_of(s), H2O_HTTP2_STREAM_STATE_END_STREAM);
}

/* Writes n payload bytes that already lie behind the buffer's end, and the end of the stream. */
static void put_last(struct h2stream *s, size_t n)
{
	h2o_http2_conn_t *conn = conn_of(s->h);
	h2o_http2_stream_t *stream = engine_of(s);

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

static struct h2stream *stream_of(h2o_generator_t *generator)
{
	return H2O_STRUCT_FROM_MEMBER(struct h2stream, generator, generator);
}

static h2o_send_state_t on_pull(h2o_generator_t *generator, h2o_req_t *req, h2o_iovec_t *buf)
{
	struct h2stream *s = stream_of(generator);
	size_t n = outq_take(&s->out, buf->base, buf->len);

	(void)req;
	s->moved_ms = s->h->c->tx_ms = now_of(s->h);
	guard_earn(&s->h->guard, 2);
	buf->len = n;
	if (s->out.len > 0)
		return H2O_SEND_STATE_IN_PROGRESS;
	engine_of(s)->_data.size = 0; /* inactive until the next kick */
	if (s->finished && !s->waits) {
		put_last(s, n);
		buf->len = 0;
	}
	return H2O_SEND_STATE_IN_PROGRESS;
}

static void on_proceed(h2o_generator_t *generator, h2o_req_t *req)
{
	struct h2stream *s = stream_of(generator);

	(void)req;
	if (!s->finished && !s->gone_told && s->out.len == 0 && s->x.door->drained)
		s->x.door->drained(&s->x);
}

static bool can_send(const struct h2stream *s)
{
	const h2o_http2_stream_t *stream = engine_of(s);

	return stream && !s->ended && conn_of(s->h)->state < H2O_HTTP2_CONN_STATE_IS_CLOSING &&
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
	h2o_http2_conn_t *conn = conn_of(s->h);

	h2o_linklist_insert(&conn->_write.streams_to_proceed, &engine_of(s)->_refs.link);
	h2o_http2_conn_request_write(conn);
}

void h2x_headers(struct h2stream *s, const uint8_t *block, size_t len, bool end)
{
	h2o_http2_conn_t *conn = conn_of(s->h);
	h2o_http2_stream_t *stream = engine_of(s);

	if (!can_send(s) || stream->state != H2O_HTTP2_STREAM_STATE_SEND_HEADERS)
		return;
	put_block(s, block, len, end);
	h2o_http2_stream_set_state(conn, stream, H2O_HTTP2_STREAM_STATE_SEND_BODY);
	s->h->c->tx_ms = now_of(s->h);
	if (end) {
		mark_ended(s);
		close_after_write(s);
		return;
	}
	stream->_pull_cb = on_pull;
	h2o_http2_conn_request_write(conn);
}

void h2x_kick(struct h2stream *s)
{
	static h2o_iovec_t not_looked_at;
	h2o_http2_stream_t *stream = engine_of(s);

	if (!can_send(s) || !s->head_sent)
		return;
	if (stream->_data.size != 0 || stream->_refs.scheduler._self_is_active)
		return; /* scheduled, or waiting for a window: on_pull does the rest */
	if (s->out.len == 0 && (!s->finished || s->waits))
		return;
	unlink_stream(stream);
	if (s->out.len == 0) {
		h2o_buffer_reserve(&conn_of(s->h)->_write.buf, H2FRAME_HEAD_LEN);
		put_last(s, 0);
		close_after_write(s);
		return;
	}
	stream->_data.entries = &not_looked_at; /* with a pull callback only the number counts */
	stream->_data.size = stream->_data.capacity = 1;
	h2o_http2_conn_register_for_proceed_callback(conn_of(s->h), stream);
}

void h2x_reset(struct h2stream *s, uint32_t code)
{
	h2o_http2_stream_t *stream = engine_of(s);
	h2o_http2_scheduler_openref_t *ref;

	if (!can_send(s))
		return;
	outq_drop(&s->out);
	ref = &stream->_refs.scheduler;
	if (ref->_self_is_active) { /* h2o has no call to take a stream off its schedule */
		h2o_http2_scheduler_close(ref);
		h2o_http2_scheduler_open(ref, &conn_of(s->h)->scheduler, 16, 0);
	}
	stream->_data.size = 0;
	unlink_stream(stream);
	h2o_http2__encode_rst_stream_frame(&conn_of(s->h)->_write.buf, s->id, (int)code);
	s->ended = s->finished = true;
	h2o_http2_stream_set_state(conn_of(s->h), stream, H2O_HTTP2_STREAM_STATE_END_STREAM);
	close_after_write(s);
}

/* --- receiving --- */

void h2x_window_update(struct h2conn *h, uint32_t id, uint32_t n)
{
	h2o_http2_encode_window_update_frame(&conn_of(h)->_write.buf, id, (int32_t)n);
	h2o_http2_conn_request_write(conn_of(h));
}

/*
 * h2o's write buffers go back to a pool of its own, unwiped. The one just
 * written is the next it hands out: take it, wipe it, give it back.
 */
static void wipe_last_buffer(struct h2conn *h)
{
	h2o_buffer_t *buf = conn_of(h)->_write.buf;
	h2o_buffer_prototype_t *prototype =
		buf->bytes ? buf->_prototype
			   : H2O_STRUCT_FROM_MEMBER(h2o_buffer_prototype_t, _initial_buf, buf);

	h2o_buffer_init(&buf, prototype);
	h2o_buffer_reserve(&buf, 1);
	explicit_bzero(buf->bytes, buf->capacity);
	h2o_buffer_dispose(&buf);
}

static void on_end(struct h2stream *s)
{
	if (s->out.secret)
		wipe_last_buffer(s->h);
	h2conn_remove(s->h, s);
	s->engine = NULL;
	h2stream_free(s);
}

/* Whatever ends a request that our handler took comes by here, and by on_dispose otherwise. */
static void on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
	(void)req;
	on_end(stream_of(generator));
}

static void on_dispose(void *p)
{
	on_end(*(struct h2stream **)p);
}

static void bind_stream(struct h2stream *s, h2o_http2_stream_t *stream)
{
	s->engine = stream;
	s->bound = true;
}

/* 4 KiB per idle stream, which nothing of h2o reads once the handler is called. */
static void drop_head(h2o_req_t *req)
{
	const h2o_iovec_t none = {.base = NULL};

	req->input.method = req->input.authority = req->input.path = none;
	req->method = req->authority = req->path = req->path_normalized = none;
	req->input.query_at = req->query_at = SIZE_MAX;
	req->norm_indexes = NULL;
	memset(&req->headers, 0, sizeof(req->headers));
	h2o_mem_clear_pool(&req->pool);
}

/* h2o's request -> exchange. 0, the status of a refusal, or -ENOMEM. */
static int fill_exchange(struct h2stream *s, h2o_req_t *req)
{
	struct conn *c = s->h->c;
	const h2o_iovec_t *method = &req->input.method, *path = &req->input.path;
	const h2o_iovec_t *authority = &req->input.authority;
	size_t n = req->headers.size;
	size_t total = path->len + authority->len + method->len + 3;
	struct h2head *head;
	bool good;

	for (size_t i = 0; i < n; i++)
		total += req->headers.entries[i].name->len + req->headers.entries[i].value.len + 2;
	head = s->head = h2head_new(n, total);
	if (!head)
		return -ENOMEM;
	for (size_t i = 0; i < n; i++) {
		const h2o_header_t *from = &req->headers.entries[i];

		head->headers[i] = (struct header){
			.name = h2head_text(head, from->name->base, from->name->len),
			.value = h2head_text(head, from->value.base, from->value.len),
			.value_len = from->value.len,
		};
	}
	s->x = (struct exchange){
		.method = h2head_text(head, method->base, method->len),
		.scheme = c->listener->kind == LISTENER_TLS ? "https" : "http",
		.authority = h2head_text(head, authority->base, authority->len),
		.headers = head->headers,
		.n_headers = n,
		.http_major = 2,
		.tls = c->listener->kind == LISTENER_TLS,
		.body_expected = !s->peer_ended,
		.listener = c->listener,
		.peer = c->peer,
		.peer_text = c->peer_text,
		.peer_is_operator = c->peer_is_operator,
		.loop = c->loop,
		.ops = &h2stream_ops,
	};
	good = h2head_target(head, path->base, path->len, &s->x) &&
	       h2head_printable(method->base, method->len);
	if (total > LIMIT_HEAD_BYTES)
		return 431;
	return good ? 0 : 400;
}

int h2x_on_request(void *handler, void *request)
{
	h2o_req_t *req = request;
	h2o_http2_stream_t *stream = H2O_STRUCT_FROM_MEMBER(h2o_http2_stream_t, req, req);
	h2o_http2_conn_t *conn = (h2o_http2_conn_t *)req->conn;
	struct conn *c = conn->sock->on_close.data;
	struct h2conn *h = c->protocol;
	struct h2stream *s = h2conn_find(h, stream->stream_id);
	h2o_generator_t *generator;
	int status;

	(void)handler;
	if (!s || s->bound)
		return -1;
	status = fill_exchange(s, req);
	if (status < 0)
		return -1;
	drop_head(req);
	bind_stream(s, stream);
	if (stream->_expected_content_length != SIZE_MAX)
		s->expected = stream->_expected_content_length;
	req->res.status = 200;
	generator = (h2o_generator_t *)s->generator;
	*generator = (h2o_generator_t){.proceed = on_proceed, .stop = on_stop};
	h2o_start_response(req, generator);
	s->opened = true;
	guard_earn(&h->guard, 4);
	if (status == 0)
		exchange_begin(&s->x, c);
	else
		exchange_refuse(&s->x, c, (unsigned)status);
	if (s->peer_ended && s->expected != UINT64_MAX && s->expected > 0)
		h2x_reset(s, H2_PROTOCOL_ERROR);
	else if (s->peer_ended)
		h2stream_end(s);
	return 0;
}

/* --- the tap --- */

static ssize_t tap(h2o_http2_conn_t *conn, const uint8_t *src, size_t len, const char **err);

static ssize_t pass(struct h2conn *h, const uint8_t *src, size_t len, const char **err)
{
	h2o_http2_conn_t *conn = conn_of(h);
	ssize_t r;

	conn->_read_expect = (expect_fn)h->inner;
	r = conn->_read_expect(conn, src, len, err);
	h->inner = (void (*)(void))conn->_read_expect; /* preface -> standard <-> continuation */
	conn->_read_expect = tap;
	return r;
}

static ssize_t tap_preface(struct h2conn *h, const uint8_t *src, size_t len, const char **err)
{
	size_t at = conn_of(h)->_write.buf->size;
	ssize_t r = pass(h, src, len, err);
	uint8_t *f;

	if (r <= 0)
		return r;
	h->standard = h->inner;
	/* h2o has just queued its SETTINGS: two entries, the second is the stream window. */
	f = (uint8_t *)conn_of(h)->_write.buf->bytes + at;
	if (conn_of(h)->_write.buf->size == at + OUR_SETTINGS_LEN && f[3] == H2_SETTINGS &&
	    f[16] == H2O_HTTP2_SETTINGS_INITIAL_WINDOW_SIZE)
		h2o_http2_encode32u(f + 17, LIMIT_STREAM_WINDOW);
	h2x_window_update(h, 0, LIMIT_CONN_WINDOW - 65535);
	h->window = LIMIT_CONN_WINDOW;
	return r;
}

/* Decoded for the sake of the compression state, then dropped. */
static ssize_t tap_trailers(struct h2conn *h, const struct h2frame *f, const uint8_t *payload,
			    const char **err)
{
	struct h2stream *s = h2conn_find(h, f->stream);
	_cleanup_(freep) h2o_req_t *scratch = NULL;
	size_t dummy_len, len;
	const uint8_t *p;
	int r;

	if (!(f->flags & H2_END_STREAM) || !(f->flags & H2_END_HEADERS) ||
	    h2frame_payload(f, payload, &p, &len) < 0 || (s && s->peer_ended)) {
		*err = "unexpected HEADERS";
		return H2O_HTTP2_ERROR_PROTOCOL;
	}
	scratch = calloc(1, sizeof(*scratch));
	if (!scratch)
		return H2O_HTTP2_ERROR_INTERNAL;
	h2o_mem_init_pool(&scratch->pool);
	r = h2o_hpack_parse_headers(scratch, &conn_of(h)->_input_header_table, p, len, NULL,
				    &dummy_len, NULL, err);
	h2o_mem_clear_pool(&scratch->pool);
	if (r != 0 && r != H2O_HTTP2_ERROR_INVALID_HEADER_CHAR)
		return r;
	*err = NULL;
	if (s && h2stream_lied(s, true))
		return h2conn_stream_error(h, s, H2_PROTOCOL_ERROR,
					   (ssize_t)(H2FRAME_HEAD_LEN + f->len), err);
	if (s)
		h2stream_end(s);
	return (ssize_t)(H2FRAME_HEAD_LEN + f->len);
}

/*
 * A new stream. h2o is told that the request ends here, so that it dispatches
 * at once and the body stays ours; and that it depends on nothing.
 */
static ssize_t open_stream(struct h2conn *h, const struct h2frame *f, uint8_t *src,
			   const char **err)
{
	uint8_t *p = src + H2FRAME_HEAD_LEN;

	if (!h2conn_add(h, f->stream, f->flags & H2_END_STREAM)) {
		*err = "out of memory";
		return H2O_HTTP2_ERROR_INTERNAL;
	}
	src[4] |= H2_END_STREAM;
	if (f->flags & H2_HAS_PRIORITY) {
		size_t at = f->flags & H2_PADDED ? 1 : 0;

		if (f->len >= at + 4)
			memset(p + at, 0, 4);
	}
	h->head_id = f->stream;
	h->head_ms = now_of(h);
	return 0;
}

static void pin_windows(struct h2conn *h)
{
	h2o_http2_stream_t *stream;

	kh_foreach_value(conn_of(h)->streams, stream, {
		if (stream->state == H2O_HTTP2_STREAM_STATE_END_STREAM)
			stream->output_window._avail = 1;
	});
}

/* What h2o must not see. > 0: eaten; 0: pass it on; < 0: the connection's end. */
static ssize_t tap_frame(struct h2conn *h, const struct h2frame *f, uint8_t *src, const char **err)
{
	ssize_t taken = (ssize_t)(H2FRAME_HEAD_LEN + f->len);
	h2o_http2_stream_t *stream;

	switch (f->type) {
	case H2_DATA:
		return h2conn_data(h, f, src + H2FRAME_HEAD_LEN, err);
	case H2_HEADERS:
		if ((f->stream & 1) && f->stream > conn_of(h)->pull_stream_ids.max_open)
			return open_stream(h, f, src, err);
		if (f->stream & 1)
			return tap_trailers(h, f, src + H2FRAME_HEAD_LEN, err);
		return 0;
	case H2_PRIORITY:
		if (f->len != 5 || f->stream == 0)
			return 0; /* h2o has the right error */
		return taken;
	case H2_WINDOW_UPDATE:
		stream = f->stream ? h2o_http2_conn_get_stream(conn_of(h), f->stream) : NULL;
		/* update_stream_output_window asserts on a finished stream */
		return stream && stream->state == H2O_HTTP2_STREAM_STATE_END_STREAM ? taken : 0;
	case H2_SETTINGS:
		if (!(f->flags & H2_ACK))
			pin_windows(h); /* the same assertion */
		return 0;
	case H2_PING:
		if (f->flags & H2_ACK)
			h->pinged = false;
		return 0;
	default:
		return f->type > H2_CONTINUATION ? taken : 0; /* h2o prints a line for each */
	}
}

static uint64_t errors_of(const struct h2conn *h)
{
	const uint64_t *v = conn_of(h)->super.ctx->http2.events.protocol_level_errors;
	uint64_t n = 0;

	for (size_t i = 0; i < H2O_HTTP2_ERROR_MAX; i++)
		n += v[i];
	return n;
}

/* The header block is whole: h2o has called our handler, refused, or answered by itself. */
static void head_done(struct h2conn *h)
{
	struct h2stream *s = h2conn_find(h, h->head_id);
	h2o_http2_stream_t *stream = h2o_http2_conn_get_stream(conn_of(h), h->head_id);

	h->head_id = 0;
	if (!s || s->bound)
		return;
	if (stream) { /* answered by h2o */
		*(struct h2stream **)h2o_mem_alloc_shared(&stream->req.pool, sizeof(s),
							  on_dispose) = s;
		bind_stream(s, stream);
		return;
	}
	h2conn_remove(h, s);
	h2stream_free(s);
}

static void after_settings(struct h2conn *h)
{
	h2o_hpack_header_table_t *table = &conn_of(h)->_output_header_table;
	uint32_t size = conn_of(h)->peer_settings.header_table_size;

	if (size < table->hpack_capacity && table->num_entries == 0) {
		table->hpack_capacity = size; /* 2.2.5 leaves it at 4096 */
		h->table_shrunk = true;
	}
}

static ssize_t after_pass(struct h2conn *h, const struct h2frame *f, ssize_t r, const char **err)
{
	if (f->type == H2_SETTINGS)
		after_settings(h);
	if (f->type == H2_RST_STREAM) {
		/* h2o keeps it until the write in flight is done; the door hears of it now. */
		struct h2stream *s = h2conn_find(h, f->stream);

		if (s && !s->finished) {
			s->ended = s->finished = true;
			h->c->loop->server->count.cancelled++;
			h2stream_gone(s);
		}
	}
	if (h->head_id && h->inner == h->standard)
		head_done(h);
	(void)err;
	return r;
}

static ssize_t tap(h2o_http2_conn_t *conn, const uint8_t *src, size_t len, const char **err)
{
	struct h2conn *h = ((struct conn *)conn->sock->on_close.data)->protocol;
	struct h2frame f;
	const char *words;
	uint64_t errors;
	ssize_t r;

	if (!h->standard)
		return tap_preface(h, src, len, err);
	if (len < H2FRAME_HEAD_LEN)
		return H2O_HTTP2_ERROR_INCOMPLETE;
	h2frame_read(src, &f);
	if (f.len > H2O_HTTP2_SETTINGS_HOST.max_frame_size)
		return pass(h, src, len, err); /* FRAME_SIZE_ERROR */
	if (len < H2FRAME_HEAD_LEN + f.len)
		return H2O_HTTP2_ERROR_INCOMPLETE;
	h->c->rx_ms = now_of(h);
	words = guard_frame(&h->guard, &f, src + H2FRAME_HEAD_LEN, now_of(h));
	if (words)
		return h2conn_calm(h, words, err);
	if (h->inner == h->standard) {
		r = tap_frame(h, &f, (uint8_t *)(uintptr_t)src, err);
		if (r != 0)
			return r;
	} else if (f.type != H2_CONTINUATION || f.stream != h->head_id) {
		*err = "expected CONTINUATION";
		return H2O_HTTP2_ERROR_PROTOCOL;
	}
	errors = errors_of(h);
	r = after_pass(h, &f, pass(h, src, len, err), err);
	if (r > 0 && errors_of(h) != errors) {
		words = guard_count(&h->guard, GUARD_STREAM_ERROR, now_of(h));
		if (words)
			return h2conn_calm(h, words, err);
	}
	return r;
}

/* --- the connection --- */

bool h2x_alive(const struct conn *c)
{
	return ((h2o_socket_t *)c->sock)->_cb.read != NULL;
}

uint32_t h2x_last_id(const struct h2conn *h)
{
	return conn_of(h)->pull_stream_ids.max_open;
}

bool h2x_writing(const struct h2conn *h)
{
	return conn_of(h)->_write.buf_in_flight != NULL;
}

bool h2x_nothing_to_write(const struct h2conn *h)
{
	return !h2x_writing(h) && conn_of(h)->_write.buf->size == 0;
}

void h2x_goaway(struct h2conn *h, uint32_t last_id)
{
	if (conn_of(h)->state != H2O_HTTP2_CONN_STATE_OPEN)
		return;
	h2o_http2_encode_goaway_frame(&conn_of(h)->_write.buf, last_id, 0,
				      h2o_iovec_init(H2O_STRLIT("shutting down")));
	h2o_http2_conn_request_write(conn_of(h));
}

void h2x_ping(struct h2conn *h, const uint8_t bytes[8])
{
	h2o_http2_encode_ping_frame(&conn_of(h)->_write.buf, 0, bytes);
	h2o_http2_conn_request_write(conn_of(h));
}

int h2x_begin(struct conn *c)
{
	h2o_socket_t *sock = c->sock;
	h2o_accept_ctx_t *accept = loop_accept_ctx(c->loop);
	h2o_buffer_t *input = sock->input;
	struct h2conn *h = h2conn_new(c);

	if (!h)
		return -ENOMEM;
	c->protocol = h;
	c->ops = &h2conn_ops;
	/* An empty buffer in place of the input: h2o must not parse before the tap stands. */
	h2o_buffer_init(&sock->input, &h2o_socket_buffer_prototype);
	h2o_http2_accept(accept, sock, *h2o_get_timestamp(accept->ctx, NULL, NULL));
	h->engine = sock->data;
	h->inner = (void (*)(void))conn_of(h)->_read_expect;
	conn_of(h)->_read_expect = tap;
	if (input->size == 0) {
		h2o_buffer_dispose(&input);
		return 0;
	}
	h2o_buffer_dispose(&sock->input);
	sock->input = input;
	sock->_cb.read(sock, NULL); /* may free the connection */
	return 0;
}
