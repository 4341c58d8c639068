/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 by libnghttp2; see h2session.h. The user data of a stream is its call
 * and is set to NULL before the call is let go, so a late frame finds nobody.
 */
#include "client/h2session.h"

#include <errno.h>
#include <malloc.h>
#include <nghttp2/nghttp2.h>
#include <string.h>

/* Receive windows: what a paused stream may pile up, and what all may. */
#define STREAM_WINDOW (256 * 1024)
#define CONNECTION_WINDOW (4 * 1024 * 1024)
/* Beyond this the out buffer waits for the socket. */
#define OUT_FULL (64 * 1024)
/* Before the server's SETTINGS are here nobody knows its limit. */
#define STREAMS_AT_MOST 1000
/* What h2session_open adds to a call's metadata. */
#define OWN_HEADERS_MAX 11

struct h2session {
	nghttp2_session *ng;
	struct h2session_options o;
	size_t n_streams;
	bool no_more;
	uint8_t *out;
	size_t out_len, out_off, out_cap;
};

/* nghttp2's memory holds header blocks, so tokens: wiped when it is freed. */
static void *mem_malloc(size_t len, void *arg)
{
	(void)arg;
	return malloc(len);
}

static void mem_free(void *p, void *arg)
{
	(void)arg;
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

static void *mem_calloc(size_t n, size_t len, void *arg)
{
	(void)arg;
	return calloc(n, len);
}

static void *mem_realloc(void *p, size_t len, void *arg)
{
	size_t old = p ? malloc_usable_size(p) : 0;
	void *q;

	if (len <= old && p)
		return p;
	q = malloc(len);
	if (!q)
		return NULL;
	if (old > 0)
		memcpy(q, p, old);
	mem_free(p, arg);
	return q;
}

static int reserve(struct h2session *s, size_t more)
{
	size_t need, cap = s->out_cap ? s->out_cap : 16384;
	uint8_t *p;

	if (s->out_off > 0 && s->out_len + more > s->out_cap) {
		memmove(s->out, s->out + s->out_off, s->out_len - s->out_off);
		s->out_len -= s->out_off;
		s->out_off = 0;
	}
	need = s->out_len + more;
	if (need <= s->out_cap)
		return 0;
	while (cap < need)
		cap *= 2;
	p = malloc(cap);
	if (!p)
		return -ENOMEM;
	if (s->out) {
		memcpy(p, s->out, s->out_len);
		explicit_bzero(s->out, s->out_cap);
		free(s->out);
	}
	s->out = p;
	s->out_cap = cap;
	return 0;
}

static void put(struct h2session *s, const void *p, size_t len)
{
	memcpy(s->out + s->out_len, p, len);
	s->out_len += len;
}

static struct qm_call *call_of(struct h2session *s, int32_t stream_id)
{
	return nghttp2_session_get_stream_user_data(s->ng, stream_id);
}

static void forget(struct h2session *s, struct qm_call *call)
{
	nghttp2_session_set_stream_user_data(s->ng, call->stream_id, NULL);
	s->n_streams--;
}

/* The call cannot go on: reset the stream, tell the carrier. */
static void end_broken(struct h2session *s, struct qm_call *call)
{
	h2session_drop(s, call);
	s->o.events->broken(s->o.arg, call);
}

static ssize_t on_send(nghttp2_session *ng, const uint8_t *p, size_t len, int flags, void *arg)
{
	struct h2session *s = arg;

	(void)ng;
	(void)flags;
	if (s->out_len - s->out_off >= OUT_FULL)
		return NGHTTP2_ERR_WOULDBLOCK;
	if (reserve(s, len) < 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	put(s, p, len);
	return (ssize_t)len;
}

static ssize_t on_read_request(nghttp2_session *ng, int32_t stream_id, uint8_t *buf, size_t len,
			       uint32_t *flags, nghttp2_data_source *source, void *arg)
{
	struct qm_call *call = call_of(arg, stream_id);
	bool last;

	(void)ng;
	(void)buf;
	(void)source;
	if (!call)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	len = outbox_ready(&call->requests, len, &last);
	if (len == 0 && !last)
		return NGHTTP2_ERR_DEFERRED;
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (last)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)len;
}

static int on_send_data(nghttp2_session *ng, nghttp2_frame *frame, const uint8_t *head, size_t len,
			nghttp2_data_source *source, void *arg)
{
	struct h2session *s = arg;
	struct qm_call *call = call_of(s, frame->hd.stream_id);
	bool room;

	(void)ng;
	(void)source;
	if (!call)
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	if (s->out_len - s->out_off >= OUT_FULL)
		return NGHTTP2_ERR_WOULDBLOCK;
	if (reserve(s, 9 + len) < 0)
		return NGHTTP2_ERR_CALLBACK_FAILURE;
	put(s, head, 9);
	room = outbox_take(&call->requests, s->out + s->out_len, len);
	s->out_len += len;
	if (room && call->handler.writable)
		call->handler.writable(call->arg);
	return 0;
}

static int on_frame_send(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct qm_call *call;

	(void)ng;
	if (frame->hd.type == NGHTTP2_HEADERS) {
		call = call_of(arg, frame->hd.stream_id);
		if (call)
			call->headers_sent = true;
	}
	return 0;
}

static int on_header(nghttp2_session *ng, const nghttp2_frame *frame, const uint8_t *name,
		     size_t name_len, const uint8_t *value, size_t value_len, uint8_t flags,
		     void *arg)
{
	struct h2session *s = arg;
	struct qm_call *call = call_of(s, frame->hd.stream_id);

	(void)ng;
	(void)flags;
	if (call &&
	    qcall_header(call, (const char *)name, name_len, (const char *)value, value_len) > 0)
		end_broken(s, call);
	return 0;
}

/*
 * The answer is whole although the request is not yet out: the rest of it is
 * of no use to anybody.
 */
static void end_early(struct h2session *s, int32_t stream_id)
{
	struct qm_call *call = call_of(s, stream_id);

	if (!call || outbox_is_over(&call->requests))
		return;
	forget(s, call);
	(void)nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, stream_id, NGHTTP2_NO_ERROR);
	s->o.events->closed(s->o.arg, call, NGHTTP2_NO_ERROR);
}

/* gRPC's word for a keepalive that comes too often (gRFC A8). */
static bool is_too_many_pings(const nghttp2_goaway *goaway)
{
	static const char words[] = "too_many_pings";

	return goaway->error_code == NGHTTP2_ENHANCE_YOUR_CALM &&
	       goaway->opaque_data_len == sizeof(words) - 1 &&
	       memcmp(goaway->opaque_data, words, sizeof(words) - 1) == 0;
}

static int on_frame_recv(nghttp2_session *ng, const nghttp2_frame *frame, void *arg)
{
	struct h2session *s = arg;
	struct qm_call *call;

	(void)ng;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		call = call_of(s, frame->hd.stream_id);
		if (call && qcall_headers_end(call, frame->hd.flags & NGHTTP2_FLAG_END_STREAM) > 0)
			end_broken(s, call);
		break;
	case NGHTTP2_GOAWAY:
		s->no_more = true;
		s->o.events->goaway(s->o.arg, is_too_many_pings(&frame->goaway));
		break;
	case NGHTTP2_SETTINGS:
		if (!(frame->hd.flags & NGHTTP2_FLAG_ACK))
			s->o.events->settings(s->o.arg);
		break;
	default:
		break;
	}
	if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
	    (frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		end_early(s, frame->hd.stream_id);
	return 0;
}

static int on_data(nghttp2_session *ng, uint8_t flags, int32_t stream_id, const uint8_t *p,
		   size_t len, void *arg)
{
	struct h2session *s = arg;
	struct qm_call *call = call_of(s, stream_id);

	(void)flags;
	/* One paused stream must not stop the others. */
	nghttp2_session_consume_connection(ng, len);
	if (!call)
		return 0;
	call->held_len += len;
	if (qcall_data(call, p, len) > 0) {
		end_broken(s, call);
		return 0;
	}
	if (atomic_load(&call->read_on))
		h2session_consume(s, call, len);
	return 0;
}

static int on_stream_close(nghttp2_session *ng, int32_t stream_id, uint32_t h2_error, void *arg)
{
	struct h2session *s = arg;
	struct qm_call *call = call_of(s, stream_id);

	(void)ng;
	if (!call)
		return 0;
	forget(s, call);
	s->o.events->closed(s->o.arg, call, h2_error);
	return 0;
}

static nghttp2_session_callbacks *make_callbacks(void)
{
	nghttp2_session_callbacks *cb;

	if (nghttp2_session_callbacks_new(&cb) != 0)
		return NULL;
	nghttp2_session_callbacks_set_send_callback(cb, on_send);
	nghttp2_session_callbacks_set_send_data_callback(cb, on_send_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(cb, on_frame_send);
	nghttp2_session_callbacks_set_on_header_callback(cb, on_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, on_frame_recv);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, on_stream_close);
	return cb;
}

static int start(struct h2session *s)
{
	static const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, STREAM_WINDOW},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, QCALL_MAX_HEADER_BYTES},
	};
	nghttp2_mem mem = {NULL, mem_malloc, mem_free, mem_calloc, mem_realloc};
	nghttp2_session_callbacks *cb;
	nghttp2_option *option;
	int r;

	cb = make_callbacks();
	if (!cb)
		return -ENOMEM;
	if (nghttp2_option_new(&option) != 0) {
		nghttp2_session_callbacks_del(cb);
		return -ENOMEM;
	}
	nghttp2_option_set_no_auto_window_update(option, 1);
	r = nghttp2_session_client_new3(&s->ng, cb, s, option, &mem);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(cb);
	if (r != 0)
		return -ENOMEM;
	if (nghttp2_submit_settings(s->ng, NGHTTP2_FLAG_NONE, settings,
				    sizeof(settings) / sizeof(settings[0])) != 0 ||
	    nghttp2_session_set_local_window_size(s->ng, NGHTTP2_FLAG_NONE, 0, CONNECTION_WINDOW) !=
		    0)
		return -ENOMEM;
	return 0;
}

int h2session_new(const struct h2session_options *options, struct h2session **ret_session)
{
	_cleanup_(h2session_freep) struct h2session *s = NULL;

	s = calloc(1, sizeof(*s));
	if (!s)
		return -ENOMEM;
	s->o = *options;
	if (start(s) < 0)
		return -ENOMEM;
	*ret_session = TAKE(s);
	return 0;
}

void h2session_free(struct h2session *s)
{
	if (!s)
		return;
	nghttp2_session_del(s->ng);
	if (s->out)
		explicit_bzero(s->out, s->out_cap);
	free(s->out);
	free(s);
}

size_t h2session_room(const struct h2session *s)
{
	size_t most;

	if (s->no_more || !nghttp2_session_check_request_allowed(s->ng))
		return 0;
	most = nghttp2_session_get_remote_settings(s->ng, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
	if (most > STREAMS_AT_MOST)
		most = STREAMS_AT_MOST;
	return s->n_streams < most ? most - s->n_streams : 0;
}

static nghttp2_nv header(const char *name, const char *value, size_t value_len)
{
	/* Credentials stay out of the compression table of both ends. */
	bool secret = strcmp(name, "authorization") == 0 || strcmp(name, "x-qmesh-user") == 0;

	return (nghttp2_nv){(uint8_t *)name, (uint8_t *)value, strlen(name), value_len,
			    secret ? NGHTTP2_NV_FLAG_NO_INDEX : NGHTTP2_NV_FLAG_NONE};
}

int h2session_open(struct h2session *s, struct qm_call *call, uint64_t timeout_ms)
{
	_cleanup_(freep) nghttp2_nv *nv = NULL;
	nghttp2_data_provider body = {.read_callback = on_read_request};
	char timeout[16], attempts[16];
	int32_t id;
	size_t n = 0;

	nv = calloc(call->out.n + OWN_HEADERS_MAX, sizeof(*nv));
	if (!nv)
		return -ENOMEM;
	nv[n++] = header(":method", "POST", 4);
	nv[n++] = header(":scheme", s->o.scheme, strlen(s->o.scheme));
	nv[n++] = header(":path", call->path, strlen(call->path));
	nv[n++] = header(":authority", s->o.authority, strlen(s->o.authority));
	nv[n++] = header("te", "trailers", 8);
	nv[n++] = header("content-type", "application/grpc", 16);
	nv[n++] = header("user-agent", s->o.user_agent, strlen(s->o.user_agent));
	nv[n++] = header("grpc-accept-encoding", "identity,gzip", 13);
	if (call->gzip)
		nv[n++] = header("grpc-encoding", "gzip", 4);
	if (call->tries > 0) {
		snprintf(attempts, sizeof(attempts), "%u", call->tries);
		nv[n++] = header("grpc-previous-rpc-attempts", attempts, strlen(attempts));
	}
	if (timeout_ms > 0) {
		qcall_timeout_text(timeout_ms, timeout);
		nv[n++] = header("grpc-timeout", timeout, strlen(timeout));
	}
	for (size_t i = 0; i < call->out.n; i++)
		nv[n++] =
			header(call->out.v[i].name, call->out.v[i].value, call->out.v[i].value_len);
	id = nghttp2_submit_request(s->ng, NULL, nv, n, &body, call);
	if (id < 0)
		return id == NGHTTP2_ERR_NOMEM ? -ENOMEM : -ENOTCONN;
	call->stream_id = id;
	s->n_streams++;
	return 0;
}

void h2session_drop(struct h2session *s, struct qm_call *call)
{
	forget(s, call);
	/* Out of memory here ends in a session that fails at its next step. */
	(void)nghttp2_submit_rst_stream(s->ng, NGHTTP2_FLAG_NONE, call->stream_id, NGHTTP2_CANCEL);
}

void h2session_wake(struct h2session *s, struct qm_call *call)
{
	/* One that waits for nothing says so; that is no failure. */
	(void)nghttp2_session_resume_data(s->ng, call->stream_id);
}

void h2session_consume(struct h2session *s, struct qm_call *call, size_t len)
{
	if (len > call->held_len)
		len = call->held_len;
	call->held_len -= len;
	/* A stream that is closed already needs no window. */
	(void)nghttp2_session_consume_stream(s->ng, call->stream_id, len);
}

int h2session_ping(struct h2session *s)
{
	return nghttp2_submit_ping(s->ng, NGHTTP2_FLAG_NONE, NULL) == 0 ? 0 : -ENOMEM;
}

int h2session_feed(struct h2session *s, const uint8_t *p, size_t len)
{
	ssize_t n;

	n = nghttp2_session_mem_recv(s->ng, p, len);
	if (n == NGHTTP2_ERR_NOMEM)
		return -ENOMEM;
	return n == (ssize_t)len ? 0 : -EPROTO;
}

int h2session_pull(struct h2session *s, const uint8_t **ret_p, size_t *ret_len)
{
	int r;

	r = nghttp2_session_send(s->ng);
	if (r != 0)
		return r == NGHTTP2_ERR_NOMEM ? -ENOMEM : -EPROTO;
	*ret_p = s->out ? s->out + s->out_off : NULL;
	*ret_len = s->out_len - s->out_off;
	return 0;
}

void h2session_sent(struct h2session *s, size_t len)
{
	explicit_bzero(s->out + s->out_off, len);
	s->out_off += len;
	if (s->out_off == s->out_len)
		s->out_off = s->out_len = 0;
}

bool h2session_wants_write(const struct h2session *s)
{
	return s->out_len > s->out_off || nghttp2_session_want_write(s->ng);
}

bool h2session_is_over(const struct h2session *s)
{
	return s->out_len == s->out_off && !nghttp2_session_want_read(s->ng) &&
	       !nghttp2_session_want_write(s->ng);
}
