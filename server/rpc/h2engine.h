/* SPDX-License-Identifier: Apache-2.0 */
/*
 * h2o's own affairs, which the files of our HTTP/2 side reach into: h2x.c (the
 * tap), h2open.c (a request begins and ends), h2send.c (its answer). Written
 * against 2.2.5 and refusing every other one.
 */
#ifndef QM_H2ENGINE_H
#define QM_H2ENGINE_H

#include <h2o.h>
#include <h2o/http2.h>
#include <h2o/http2_internal.h>

#include "server/rpc/h2conn.h"

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
_Static_assert(sizeof(h2o_generator_t) == sizeof(((struct h2stream *)0)->generator), WRONG_H2O);

static inline h2o_http2_conn_t *h2engine_conn(const struct h2conn *h)
{
	return h->engine;
}

static inline h2o_http2_stream_t *h2engine_stream(const struct h2stream *s)
{
	return s->engine;
}

static inline struct h2stream *h2engine_owner(h2o_generator_t *generator)
{
	return H2O_STRUCT_FROM_MEMBER(struct h2stream, generator, generator);
}

/* --- h2wipe.c --- */
/*
 * Those of the decoded fields that say who calls are wiped when nobody uses them any more: neither
 * the request nor the table of the connection, in which the peer may have put them.
 */
void h2wipe_later(const h2o_headers_t *fields);

/* --- h2open.c --- */
/* A request that h2o answered by itself, because its head was bad: its end is heard of too. */
void h2open_unheard(struct h2stream *s, h2o_http2_stream_t *stream);

/* --- h2send.c --- */
/* The generator's proceed: h2o has taken all there was. */
void h2send_proceed(h2o_generator_t *generator, h2o_req_t *req);

#endif
