/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 on h2o 2.2.5 through its private header: the tap, which stands in
 * conn->_read_expect and sees every frame before h2o does. It dispatches a
 * request as soon as its head is whole, keeps DATA to itself, hides priorities,
 * and keeps from h2o what it would assert on or spin over.
 */
#include "base/limits.h"
#include "server/rpc/h2engine.h"

/*
 * Frames of one turn of the loop. A connection that floods has at most a millisecond of it, and
 * where many do, each has little; whoever sends a few is served at once.
 */
#define TURN_FRAMES 512
#define SHARE_MAX 128
#define SHARE_MIN 8

typedef ssize_t (*expect_fn)(h2o_http2_conn_t *, const uint8_t *, size_t, const char **);

static uint64_t now_of(const struct h2conn *h)
{
	return h->c->loop->now_ms;
}

static ssize_t tap(h2o_http2_conn_t *conn, const uint8_t *src, size_t len, const char **err);

/* --- single frames --- */

static ssize_t pass(struct h2conn *h, const uint8_t *src, size_t len, const char **err)
{
	h2o_http2_conn_t *conn = h2engine_conn(h);
	ssize_t r;

	conn->_read_expect = (expect_fn)h->inner;
	r = conn->_read_expect(conn, src, len, err);
	h->inner = (void (*)(void))conn->_read_expect; /* preface -> standard <-> continuation */
	conn->_read_expect = tap;
	return r;
}

/* What we hold the peer to; h2o would allow windows of 16 MiB and heads without an end. */
static void put_settings(struct h2conn *h)
{
	static const struct {
		uint8_t id;
		uint32_t value;
	} rows[] = {
		{H2O_HTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, LIMIT_STREAMS},
		{H2O_HTTP2_SETTINGS_INITIAL_WINDOW_SIZE, LIMIT_STREAM_WINDOW},
		{H2O_HTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, LIMIT_HEAD_BYTES},
	};
	h2o_buffer_t **buf = &h2engine_conn(h)->_write.buf;
	const struct h2frame f = {.len = 6 * ARRAY_LEN(rows), .type = H2_SETTINGS};
	uint8_t *p = (uint8_t *)h2o_buffer_reserve(buf, H2FRAME_HEAD_LEN + f.len).base;

	h2frame_write(p, &f);
	p += H2FRAME_HEAD_LEN;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		*p++ = 0;
		*p++ = rows[i].id;
		p = h2o_http2_encode32u(p, rows[i].value);
	}
	(*buf)->size += H2FRAME_HEAD_LEN + f.len;
}

static ssize_t tap_preface(struct h2conn *h, const uint8_t *src, size_t len, const char **err)
{
	size_t at = h2engine_conn(h)->_write.buf->size;
	ssize_t r = pass(h, src, len, err);

	if (r <= 0)
		return r;
	h->standard = h->inner;
	h2engine_conn(h)->_write.buf->size = at; /* h2o has just queued its own SETTINGS */
	put_settings(h);
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
	r = h2o_hpack_parse_headers(scratch, &h2engine_conn(h)->_input_header_table, p, len, NULL,
				    &dummy_len, NULL, err);
	h2wipe_later(&scratch->headers);
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

/* RFC 7540 5.3.1. Priorities are not looked at but for this, which no client of good will sends. */
static bool depends_on_itself(const struct h2frame *f, const uint8_t *p, const char **err)
{
	uint32_t on = (p[0] & 0x7fu) << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];

	if (on != f->stream)
		return false;
	*err = "a stream depends on itself";
	return true;
}

/*
 * A new stream. h2o is told that the request ends here, so that it dispatches
 * at once and the body stays ours; and that it depends on nothing.
 */
static ssize_t open_stream(struct h2conn *h, const struct h2frame *f, uint8_t *src,
			   const char **err)
{
	uint8_t *p = src + H2FRAME_HEAD_LEN;
	size_t at = f->flags & H2_PADDED ? 1 : 0;
	bool has_priority = f->flags & H2_HAS_PRIORITY && f->len >= at + 4;

	if (has_priority && depends_on_itself(f, p + at, err))
		return H2O_HTTP2_ERROR_PROTOCOL;
	if (!h2conn_add(h, f->stream, f->flags & H2_END_STREAM)) {
		*err = "out of memory";
		return H2O_HTTP2_ERROR_INTERNAL;
	}
	src[4] |= H2_END_STREAM;
	if (has_priority)
		memset(p + at, 0, 4);
	h->head_id = f->stream;
	h->head_ms = now_of(h);
	return 0;
}

static void pin_windows(struct h2conn *h)
{
	h2o_http2_stream_t *stream;

	kh_foreach_value(h2engine_conn(h)->streams, stream, {
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
		if ((f->stream & 1) && f->stream > h2engine_conn(h)->pull_stream_ids.max_open)
			return open_stream(h, f, src, err);
		if (f->stream & 1)
			return tap_trailers(h, f, src + H2FRAME_HEAD_LEN, err);
		return 0;
	case H2_PRIORITY:
		if (f->len != 5 || f->stream == 0)
			return 0; /* h2o has the right error */
		return depends_on_itself(f, src + H2FRAME_HEAD_LEN, err) ? H2O_HTTP2_ERROR_PROTOCOL
									 : taken;
	case H2_WINDOW_UPDATE:
		stream = f->stream ? h2o_http2_conn_get_stream(h2engine_conn(h), f->stream) : NULL;
		/* update_stream_output_window asserts on a finished stream */
		return stream && stream->state == H2O_HTTP2_STREAM_STATE_END_STREAM ? taken : 0;
	case H2_SETTINGS:
		if (!(f->flags & H2_ACK))
			pin_windows(h); /* the same assertion */
		return 0;
	case H2_PING:
		return h2conn_pinged(h, f->flags & H2_ACK, err);
	case H2_RST_STREAM:
		return h2conn_reset(h, f->stream, err);
	default:
		return f->type > H2_CONTINUATION ? taken : 0; /* h2o prints a line for each */
	}
}

static uint64_t errors_of(const struct h2conn *h)
{
	const uint64_t *v = h2engine_conn(h)->super.ctx->http2.events.protocol_level_errors;
	uint64_t n = 0;

	for (size_t i = 0; i < H2O_HTTP2_ERROR_MAX; i++)
		n += v[i];
	return n;
}

/* The header block is whole: h2o has called our handler, refused, or answered by itself. */
static void head_done(struct h2conn *h)
{
	struct h2stream *s = h2conn_find(h, h->head_id);
	h2o_http2_stream_t *stream = h2o_http2_conn_get_stream(h2engine_conn(h), h->head_id);

	h->head_id = 0;
	if (!s || s->bound)
		return;
	if (stream) {
		h2open_unheard(s, stream);
		return;
	}
	h2conn_remove(h, s);
	h2stream_free(s);
}

static void after_settings(struct h2conn *h)
{
	h2o_hpack_header_table_t *table = &h2engine_conn(h)->_output_header_table;
	uint32_t size = h2engine_conn(h)->peer_settings.header_table_size;

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
/* --- the tap --- */

static ssize_t take_frame(struct h2conn *h, uint8_t *src, size_t len, const char **err)
{
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
		r = tap_frame(h, &f, src, err);
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

static inline bool has_had_its_share(struct h2conn *h, struct loop *l)
{
	uint32_t n = ++l->n_frames;

	if (h->turn != l->turn) {
		h->turn = l->turn;
		h->n_frames = 0;
	}
	return ++h->n_frames > (n > TURN_FRAMES ? SHARE_MIN : SHARE_MAX);
}

/* Nothing more is read until what lies in the buffer has had its turn. */
static ssize_t wait_a_turn(struct h2conn *h)
{
	if (!h->c->waits) {
		h2o_socket_dont_read(h->c->sock, 1);
		conn_wait(h->c);
	}
	return H2O_HTTP2_ERROR_INCOMPLETE;
}

void h2x_go_on(struct conn *c)
{
	h2o_socket_t *sock = c->sock;

	if (!h2x_alive(c))
		return;
	h2o_socket_dont_read(sock, 0);
	sock->_cb.read(sock, NULL); /* may free the connection */
}

/*
 * No frame was taken. At a fault h2o would close at once, and lose the GOAWAY to what it has not
 * read or not written yet: from then on all that comes is dropped.
 */
static ssize_t took_none(struct h2conn *h, uint8_t *p, size_t len, ssize_t r, const char **err)
{
	if (r == H2O_HTTP2_ERROR_INCOMPLETE)
		return r;
	explicit_bzero(p, len);
	if (!h->fault_ms && (r == H2O_HTTP2_ERROR_PROTOCOL_CLOSE_IMMEDIATELY || !h->standard))
		return r;
	if (!h->fault_ms)
		h2conn_fault(h, (int)r, *err ? *err : "");
	h2conn_drop(h, len);
	return (ssize_t)len;
}

/* Frames carry passwords and tokens: wiped as soon as they are read (h2wipe.c does the rest). */
static ssize_t tap(h2o_http2_conn_t *conn, const uint8_t *src, size_t len, const char **err)
{
	struct h2conn *h = ((struct conn *)conn->sock->on_close.data)->protocol;
	uint8_t *p = (uint8_t *)(uintptr_t)src;
	ssize_t r;

	if (has_had_its_share(h, h->c->loop))
		return wait_a_turn(h);
	r = h->fault_ms ? 0 : take_frame(h, p, len, err);
	if (r <= 0)
		return took_none(h, p, len, r, err);
	explicit_bzero(p, (size_t)r);
	return r;
}

/* --- the connection --- */
void h2x_window_update(struct h2conn *h, uint32_t id, uint32_t n)
{
	h2o_http2_encode_window_update_frame(&h2engine_conn(h)->_write.buf, id, (int32_t)n);
	h2o_http2_conn_request_write(h2engine_conn(h));
}

bool h2x_alive(const struct conn *c)
{
	return ((h2o_socket_t *)c->sock)->_cb.read != NULL;
}

uint32_t h2x_last_id(const struct h2conn *h)
{
	return h2engine_conn(h)->pull_stream_ids.max_open;
}

bool h2x_writing(const struct h2conn *h)
{
	return h2engine_conn(h)->_write.buf_in_flight != NULL;
}

bool h2x_nothing_to_write(const struct h2conn *h)
{
	return !h2x_writing(h) && h2engine_conn(h)->_write.buf->size == 0;
}

void h2x_goaway(struct h2conn *h, uint32_t last_id, int error, const char *words)
{
	if (h2engine_conn(h)->state != H2O_HTTP2_CONN_STATE_OPEN)
		return;
	h2o_http2_encode_goaway_frame(&h2engine_conn(h)->_write.buf, last_id, error,
				      h2o_iovec_init(words, strlen(words)));
	h2o_http2_conn_request_write(h2engine_conn(h));
}

void h2x_ping(struct h2conn *h, const uint8_t bytes[8])
{
	h2o_http2_encode_ping_frame(&h2engine_conn(h)->_write.buf, 0, bytes);
	h2o_http2_conn_request_write(h2engine_conn(h));
}

void h2x_closed(struct h2conn *h, uint32_t stream)
{
	h2o_http2__encode_rst_stream_frame(&h2engine_conn(h)->_write.buf, stream, H2_STREAM_CLOSED);
	h2o_http2_conn_request_write(h2engine_conn(h));
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
	h->inner = (void (*)(void))h2engine_conn(h)->_read_expect;
	h2engine_conn(h)->_read_expect = tap;
	if (input->size == 0) {
		h2o_buffer_dispose(&input);
		return 0;
	}
	h2o_buffer_dispose(&sock->input);
	sock->input = input;
	sock->_cb.read(sock, NULL); /* may free the connection */
	return 0;
}
