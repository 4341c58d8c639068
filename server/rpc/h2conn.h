/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP/2 connection as we see it: its streams, windows, patience and
 * drain. Free of engine types; h2x.c ties it to h2o.
 */
#ifndef QM_H2CONN_H
#define QM_H2CONN_H

#include "server/rpc/guard.h"
#include "server/rpc/h2stream.h"

#define H2CONN_BUCKETS 64
#define H2CONN_CLOSED 16

struct h2conn {
	struct conn *c;
	void *engine;           /* h2o_http2_conn_t */
	void (*inner)(void);    /* what h2o would have as reader now */
	void (*standard)(void); /* its reader between header blocks; NULL before the preface */
	struct h2stream *streams[H2CONN_BUCKETS]; /* chains by id */
	size_t n_streams;
	uint32_t closed[H2CONN_CLOSED]; /* ids of late, which the peer had ended, by id */
	struct guard guard;
	int64_t window; /* what the peer may still send */
	uint32_t owed;
	uint32_t head_id; /* stream whose header block is being received */
	uint64_t head_ms;
	uint64_t part_ms; /* since when a frame lacks its rest; 0: none does */
	uint64_t busy_ms; /* last time there was a stream */
	uint64_t pinged_ms;
	uint32_t turn, n_frames; /* what it has had of the loop's present turn */
	bool pinged;
	bool table_shrunk; /* our next block must say so (RFC 7541 4.2) */
	bool output_ended;
	uint64_t fault_ms; /* when the peer's fault ended it; 0: it did not */
	size_t n_dropped;  /* bytes that came since */
	struct timer look; /* whether the last words are out */
};

/* --- h2conn.c --- */
extern const struct conn_ops h2conn_ops;
struct h2conn *h2conn_new(struct conn *c);
struct h2stream *h2conn_find(const struct h2conn *h, uint32_t id);
/* NULL out of memory. */
struct h2stream *h2conn_add(struct h2conn *h, uint32_t id, bool peer_ended);
/* Out of the table; the caller frees it. */
void h2conn_remove(struct h2conn *h, struct h2stream *s);
/* These answer with the length eaten or a negative enum h2_code; *ret_words for GOAWAY. */
ssize_t h2conn_calm(struct h2conn *h, const char *words, const char **ret_words);
/* A PING or the answer to ours. 0: it is to be answered by the engine. */
ssize_t h2conn_pinged(struct h2conn *h, bool answer, const char **ret_words);
/* RST_STREAM: dear only for a call that was still to be answered. 0: go on. */
ssize_t h2conn_reset(struct h2conn *h, uint32_t stream, const char **ret_words);
/*
 * The peer made a fault: its calls end, GOAWAY is the last it gets, and what still comes is
 * dropped (h2conn_drop), for a time, so that GOAWAY is not lost to a reset.
 */
void h2conn_fault(struct h2conn *h, int error, const char *words);
void h2conn_drop(struct h2conn *h, size_t len);
ssize_t h2conn_stream_error(struct h2conn *h, struct h2stream *s, uint32_t code, ssize_t eaten,
			    const char **ret_words);
ssize_t h2conn_data(struct h2conn *h, const struct h2frame *f, const uint8_t *payload,
		    const char **ret_words);

/* --- h2x.c: what only the engine can do --- */
/* h2o frees its connection before a TLS goodbye is out: nothing may be asked of it then. */
bool h2x_alive(const struct conn *c);
uint32_t h2x_last_id(const struct h2conn *h);
bool h2x_writing(const struct h2conn *h);
bool h2x_nothing_to_write(const struct h2conn *h);
void h2x_window_update(struct h2conn *h, uint32_t id, uint32_t n);
/* error: 0 or a negative enum h2_code. */
void h2x_goaway(struct h2conn *h, uint32_t last_id, int error, const char *words);
void h2x_ping(struct h2conn *h, const uint8_t bytes[8]);
/* RST_STREAM(STREAM_CLOSED) for a frame behind the stream's end. */
void h2x_closed(struct h2conn *h, uint32_t stream);
void h2x_go_on(struct conn *c);

#endif
