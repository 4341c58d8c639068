/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libqmesh: gRPC client for Quazzar Mesh on libnghttp2 and OpenSSL. The node
 * and the command line use nothing else. One client is one target: it keeps a
 * connection (made on demand, made again after loss) on an I/O thread of its
 * own; calls may be started from any thread. Typed stubs over this are
 * generated: gen/rpc/stubs.h (qm_create_device and so on). For threads that may
 * block there are streams to read and write: client/qstream.h; for streams that
 * go on after a loss: client/qwatch.h.
 */
#ifndef QMESH_H
#define QMESH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

#ifdef __cplusplus
extern "C" {
#endif

struct qm_client;
struct qm_call;

/* Metadata: lower-case name; "-bin" values are raw bytes here, base64 on the wire. */
struct qm_md {
	const char *name;
	const char *value;
	size_t value_len;
};

/* Zero stands for the default everywhere. */
struct qm_options {
	/* "https://host:port", "http://127.0.0.1:port" (h2c), "unix:/path" (h2c). */
	const char *target;
	/* PEM file of CAs to trust; NULL: the system's, unless a pin is given. */
	const char *ca_file;
	/* SHA-256 of the server's SPKI, 8 at most; when n_pins > 0 the pin alone is the trust. */
	const uint8_t (*pins)[32];
	size_t n_pins;
	/* Name for SNI, :authority and the check of the certificate; NULL: the target's host. */
	const char *server_name;
	/* Bytes of one received message at most, before and after inflating; 0: 4 MiB. */
	size_t max_message;
	/*
	 * PING when nothing was heard for so long while calls are open; the connection is given
	 * up after 10 s more. 0: 20 s. Doubled each time the server says "too_many_pings".
	 */
	uint32_t keepalive_ms;
	/* Look-up, connection, TLS and the server's first frame together at most so long; 0: 10 s.
	 */
	uint32_t connect_ms;
	/* NULL: "libqmesh/VERSION". */
	const char *user_agent;
};

/* 0, -EINVAL (target, ca_file without certificates, over 8 pins), -ENOMEM, -ENOENT (ca_file).
 * Does not connect yet. */
int qm_client_new(const struct qm_options *options, struct qm_client **ret_client);
/* Ends open calls with CANCELLED; callbacks have run when it returns. Never from a callback. */
void qm_client_free(struct qm_client *client);
/* New pins (after a key rotation); used from the next connection on. */
int qm_client_set_pins(struct qm_client *client, const uint8_t (*pins)[32], size_t n);

struct qm_call_options {
	/* Sent as grpc-timeout and enforced here, over all tries; 0: none. */
	uint32_t timeout_ms;
	/* 128 entries and 32 KiB at most. Names of the protocol itself ("grpc-", te, ...) are
	 * refused. */
	const struct qm_md *metadata;
	size_t n_metadata;
	/* May be sent again after a failure that may have reached the server. */
	bool idempotent;
	/* Requests are compressed where that makes them smaller. Answers may always be. */
	bool gzip;
	/* Messages hold secrets: the I/O thread wipes its stack behind them. Stubs know by
	 * themselves. */
	bool secret;
	/* Of qm_open: a client stream. OK without just one answer is UNIMPLEMENTED then. */
	bool one_answer;
};

/* How many messages go out and come back. */
enum qm_kind { QM_UNARY, QM_SERVER_STREAM, QM_CLIENT_STREAM, QM_BIDI };

/* What comes back, on the I/O thread. Must not block. All but done may be NULL. */
struct qm_handler {
	/* Initial metadata; valid during the call. Without trailers below, the trailing one too. */
	void (*metadata)(void *arg, const struct qm_md *md, size_t n);
	/* One message; valid during the call. */
	void (*message)(void *arg, const uint8_t *p, size_t len);
	/*
	 * Last, once. status->code 0: fine, and a kind with one answer had just one. Failure to
	 * reach the server: UNAVAILABLE with err CP_UNREACHABLE.
	 */
	void (*done)(void *arg, const struct status *status);
	/* Trailing metadata, before done. */
	void (*trailers)(void *arg, const struct qm_md *md, size_t n);
	/* After qm_call_send said -EAGAIN: there is room again. */
	void (*writable)(void *arg);
};

/*
 * Starts a unary or server-stream call with one request message (copied).
 * 0 and *ret_call (may be NULL: fire and forget): done will run. -ENOMEM,
 * -EINVAL (path, metadata), -ECANCELED (the client is being freed): done will
 * not run.
 *
 * What goes out again: a call that provably reached nobody (the connection
 * never stood, GOAWAY below its stream: five times; REFUSED_STREAM: once); an
 * idempotent one after UNAVAILABLE or a lost connection, five tries in all with
 * growing pauses, unless grpc-retry-pushback-ms says otherwise or an answer has
 * begun. A connection lost under another call ends in OUTCOME_UNKNOWN.
 */
int qm_start(struct qm_client *client, const char *path, const void *request, size_t len,
	     const struct qm_call_options *options, const struct qm_handler *handler, void *arg,
	     struct qm_call **ret_call);
/*
 * Starts a client-stream or bidi call; requests follow by qm_call_send. Errors
 * as qm_start. Goes out again only while all that was sent is still here
 * (256 KiB).
 */
int qm_open(struct qm_client *client, const char *path, const struct qm_call_options *options,
	    const struct qm_handler *handler, void *arg, struct qm_call **ret_call);
/*
 * One request (copied), any thread. -EAGAIN: 256 KiB wait already, see
 * handler->writable; -EPIPE: the call is over or qm_call_end was called;
 * -EINVAL (over 2 GiB), -ENOMEM.
 */
int qm_call_send(struct qm_call *call, const void *request, size_t len);
/* No more requests. */
void qm_call_end(struct qm_call *call);
/* RST_STREAM(CANCEL); done runs with CANCELLED unless it ran already. */
void qm_call_cancel(struct qm_call *call);
/* Gives up the handle; the call goes on. Every handle from qm_start needs this once. */
void qm_call_release(struct qm_call *call);
/*
 * Flow control: messages are handed over while on; starts on. While off the
 * server may send 256 KiB more, then it waits.
 */
void qm_call_read(struct qm_call *call, bool on);

/* Answer of a blocking unary call; free with qm_reply_done. */
struct qm_reply {
	struct status status;
	uint8_t *message; /* NULL unless status.code is 0 */
	size_t len;
	struct qm_md *metadata; /* initial, then trailing */
	size_t n_metadata, n_initial;
};

/* Blocks. 0: reply filled, the outcome is in reply->status. -ENOMEM, -EINVAL. */
int qm_unary(struct qm_client *client, const char *path, const void *request, size_t len,
	     const struct qm_call_options *options, struct qm_reply *ret_reply);
/* Wipes and frees. */
void qm_reply_done(struct qm_reply *reply);
/* First value of a metadata key or NULL. */
const char *qm_reply_get(const struct qm_reply *reply, const char *name);

#ifdef __cplusplus
}
#endif
#endif
