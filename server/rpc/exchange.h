/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request and its answer, HTTP/1.1 or HTTP/2, free of h2o types.
 * Doors (gRPC here; REST, SSE, static files in gateway/) are written against
 * this. Everything runs on the loop that owns the connection.
 *
 * Life: door->open (head complete), door->data any number of times,
 * door->end once if the request ended well, door->gone once, always last.
 * A door answers with exchange_head, exchange_write*, exchange_finish; or
 * exchange_reset. After gone the exchange is no longer there.
 */
#ifndef QM_EXCHANGE_H
#define QM_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/arena.h"
#include "base/frame.h"

struct conn;
struct listener;
struct exchange;
struct exchange_ops;
struct loop;
struct status;
struct timer;

struct header {
	const char *name; /* lower case */
	const char *value;
	size_t value_len;
};

struct door {
	const char *name; /* for logs: "grpc", "rest" */
	/* Is this request for me? Asked in the order of server_add_door. */
	bool (*claims)(const struct exchange *x);
	void (*open)(struct exchange *x, void *owner);
	/*
	 * Instead of open: the transport refuses it with this HTTP status, the door tells why as
	 * its clients read it. NULL, or false: they get the transport's JSON.
	 */
	bool (*refuse)(struct exchange *x, void *owner, unsigned http, const struct status *why);
	/* Body bytes; the door takes all of them. exchange_pause holds back more. */
	void (*data)(struct exchange *x, const uint8_t *p, size_t len);
	void (*end)(struct exchange *x);
	/* All queued bytes went to the engine: room for more. May be NULL. */
	void (*drained)(struct exchange *x);
	/* Peer reset, connection lost, or all done. Last call. */
	void (*gone)(struct exchange *x);
};

/* Read-only for doors, but for user. */
struct exchange {
	const char *method;           /* "POST" */
	const char *scheme;           /* "https" or "http" */
	const char *authority;        /* :authority or Host; "" if none */
	const char *path;             /* without the query, as sent (not decoded) */
	const char *query;            /* after '?', or NULL */
	const struct header *headers; /* pseudo headers left out; repeated ones stay in order */
	size_t n_headers;
	unsigned http_major; /* 1 or 2 */
	bool tls;
	bool body_expected; /* the request has or may have a body */
	bool body_endless;  /* set by a door whose request is a stream: it may take its time */
	const struct listener *listener;
	struct sockaddr_storage peer;
	const char *peer_text; /* "192.0.2.1", "unix:0" (uid) */
	bool peer_is_operator; /* Unix socket, uid 0 or group qmesh-admin */
	struct loop *loop;
	const struct conn *conn;        /* to compare */
	const struct exchange_ops *ops; /* the transport's */
	const struct door *door;
	void *user; /* the door's own */
};

/* First value of a header (lower-case name) or NULL. NUL-terminated. */
const char *exchange_header(const struct exchange *x, const char *name);

/*
 * Starts the answer. Names in lower case; no content-length needed: HTTP/1.1
 * gets it when the whole body follows in one exchange_finish, else chunks.
 */
void exchange_head(struct exchange *x, unsigned status, const struct header *headers, size_t n);
/*
 * Queues body bytes: copied. exchange_write_frame shares the frame instead.
 * The answer to a HEAD is written as that to a GET; its body does not leave.
 */
void exchange_write(struct exchange *x, const void *p, size_t len);
void exchange_write_frame(struct exchange *x, struct frame *f);
/*
 * Ends the answer, with trailers over HTTP/2 (n may be 0). Before exchange_head
 * it is trailers-only: status 200 and these headers in one block.
 */
void exchange_finish(struct exchange *x, const struct header *trailers, size_t n);
/* The queued body bytes are secret: wiped after they were written. */
void exchange_mark_secret(struct exchange *x);
/* Ends it with RST_STREAM (HTTP/2 error code) or by closing (HTTP/1.1). */
void exchange_reset(struct exchange *x, uint32_t code);
/* Bytes queued and not yet taken by the engine. */
size_t exchange_queued(const struct exchange *x);
/* Holds back (on) or asks for (off) more body bytes. */
void exchange_pause(struct exchange *x, bool on);
/* Runs t->fn on this loop after ms; the door clears it before gone. -ENOMEM. */
int exchange_timer_set(struct exchange *x, struct timer *t, uint64_t ms) _must_check_;
void exchange_timer_clear(struct exchange *x, struct timer *t);

#endif
