/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP/2 stream as an exchange: its queue, windows and header blocks. Free
 * of engine types; h2x.c binds it to h2o. Made when HEADERS arrive, freed when
 * the engine lets go of the request.
 */
#ifndef QM_H2STREAM_H
#define QM_H2STREAM_H

#include "server/rpc/core.h"
#include "server/rpc/outq.h"

struct h2conn;

struct h2stream {
	struct exchange x;
	struct h2stream *next; /* in the connection's table */
	struct h2conn *h;
	void *engine;        /* h2o_http2_stream_t; NULL before binding and after the end */
	void *generator[2];  /* h2o_generator_t: h2o's way to ask us for more */
	struct h2head *head; /* what x points into */
	uint32_t id;
	/* request */
	struct outq held;            /* body bytes that came while paused */
	int64_t window;              /* what the peer may still send */
	uint32_t owed;               /* taken, not yet credited */
	uint64_t received, expected; /* body bytes; UINT64_MAX: not announced */
	/* answer */
	struct outq out;
	uint8_t *trailers; /* encoded block; NULL: END_STREAM on the last DATA */
	size_t trailers_len;
	uint64_t born_ms, moved_ms; /* moved: the queue was empty or got shorter */
	bool bound, opened, peer_ended, end_told, paused;
	bool head_sent, finished, ended, gone_told, bodyless;
	bool waits; /* finished, but its end is held back for the request's */
	bool lied;  /* more came than announced when it was finished: the end is PROTOCOL_ERROR */
};

/* --- h2stream.c --- */
extern const struct exchange_ops h2stream_ops;
/*
 * Is the body other than its content-length said? Never once the answer is finished: Go's client
 * ends its request where it stands when it sees one, and a reset would hide it.
 */
bool h2stream_lied(const struct h2stream *s, bool at_end);
/* Body bytes of a DATA frame; what the door does with them is its affair. -ENOMEM. */
int h2stream_data(struct h2stream *s, const uint8_t *p, size_t len) _must_check_;
/* The door took n body bytes: the peer may send as many more. */
void h2stream_credit(struct h2stream *s, size_t n);
/* More came than its content-length said, behind the finished answer, which goes out all the same.
 */
bool h2stream_overran(const struct h2stream *s);
/* The peer's last byte is in. */
void h2stream_end(struct h2stream *s);
/* Tells the door, once. */
void h2stream_gone(struct h2stream *s);
/* Memory for one, not zeroed; the loop keeps a few, because malloc keeps seven. */
struct h2stream *h2stream_alloc(struct loop *l);
void h2stream_free(struct h2stream *s);

/* --- h2send.c --- */
/* Writes the block as HEADERS; with end it also ends the stream. */
void h2send_headers(struct h2stream *s, const uint8_t *block, size_t len, bool end);
/* There is something to send: body, or the end. */
void h2send_kick(struct h2stream *s);
void h2send_reset(struct h2stream *s, uint32_t code);
/* Nothing more of it is sent, and no word about it: the connection ends, which says it all. */
void h2send_drop(struct h2stream *s);

#endif
