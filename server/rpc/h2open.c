/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request begins and ends: h2o has decoded a head and calls the handler, the
 * head becomes an exchange, the exchange finds its door; and whatever ends the
 * request, our record of it ends then.
 */
#include "base/limits.h"
#include "server/rpc/h2engine.h"
#include "server/rpc/h2head.h"

/* --- the end --- */

static void on_end(struct h2stream *s)
{
	h2conn_remove(s->h, s);
	s->engine = NULL;
	h2stream_free(s);
}

/* Whatever ends a request that our handler took comes by here, and by on_dispose otherwise. */
static void on_stop(h2o_generator_t *generator, h2o_req_t *req)
{
	(void)req;
	on_end(h2engine_owner(generator));
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

void h2open_unheard(struct h2stream *s, h2o_http2_stream_t *stream)
{
	*(struct h2stream **)h2o_mem_alloc_shared(&stream->req.pool, sizeof(s), on_dispose) = s;
	bind_stream(s, stream);
}

/* --- the beginning --- */

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
	const h2o_iovec_t none = {.base = NULL}, *authority = &req->input.authority;
	size_t n = req->headers.size;
	size_t line = path->len + authority->len + method->len + 3, total = line;
	struct h2head *head;
	bool good, too_large;

	h2wipe_later(&req->headers);
	for (size_t i = 0; i < n; i++) {
		total += req->headers.entries[i].name->len + req->headers.entries[i].value.len + 2;
	}
	too_large = total > LIMIT_HEAD_BYTES || guard_head_too_large(&s->h->guard);
	if (too_large) { /* a bomb is not even copied */
		n = 0;
		total = line;
	}
	if (authority->base == req->conn->hosts[0]->authority.hostport.base)
		authority = &none; /* h2o's own name, where the peer gave none */
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
	if (too_large)
		return 431;
	return good ? (int)h2head_check(&s->x) : 400;
}

/* An empty :path (RFC 9113 8.3.1) is no request that an answer could be about. */
static void refuse_stream(struct h2stream *s)
{
	s->h->c->had_request = true;
	s->h->c->loop->server->count.refused++;
	h2send_reset(s, H2_PROTOCOL_ERROR);
}

int h2open_request(void *handler, void *request)
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
	*generator = (h2o_generator_t){.proceed = h2send_proceed, .stop = on_stop};
	h2o_start_response(req, generator);
	if (s->x.path[0] == '\0' && !s->x.query) {
		refuse_stream(s);
		return 0;
	}
	s->opened = true;
	guard_earn(&h->guard, 4);
	if (status == 0)
		exchange_begin(&s->x, c);
	else
		exchange_refuse(&s->x, c, (unsigned)status);
	if (s->peer_ended && s->expected != UINT64_MAX && s->expected > 0)
		h2send_reset(s, H2_PROTOCOL_ERROR);
	else if (s->peer_ended)
		h2stream_end(s);
	return 0;
}
