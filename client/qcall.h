/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call of the client, from qm_start to done. Made by any thread; after it
 * is in the channel's inbox only the I/O thread touches it, but for the fields
 * marked otherwise. Counted: the caller's handle, the inbox, the I/O thread.
 */
#ifndef QM_QCALL_H
#define QM_QCALL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

#include "base/frame.h"
#include "base/status.h"
#include "client/mdlist.h"
#include "client/outbox.h"
#include "client/qmesh.h"

#define QCALL_MAX_HEADERS 128
#define QCALL_MAX_HEADER_BYTES 32768

/* Where the I/O thread has it. */
enum qcall_place {
	QCALL_NEW,     /* in the inbox */
	QCALL_PENDING, /* waits for a connection with room */
	QCALL_WAITING, /* waits for retry_at */
	QCALL_OPEN,    /* has a stream */
	QCALL_PARKED,  /* has ended, but messages wait for qm_call_read */
	QCALL_ENDED,
};

/* How a stream ended. */
enum qcall_end {
	QCALL_FINAL,     /* status says it */
	QCALL_REFUSED,   /* the server says that it did nothing, and may say so again */
	QCALL_UNTOUCHED, /* the order of events proves that it did nothing */
	QCALL_LOST,      /* the connection went away under it */
};

/* What a compressed message would be. */
enum qcall_encoding { ENCODING_IDENTITY, ENCODING_GZIP, ENCODING_FOREIGN };

/* grpc-retry-pushback-ms: the server's word on another try. */
#define QCALL_PUSHBACK_NONE (-1)
#define QCALL_PUSHBACK_NEVER (-2)

struct channel;
struct carrier;

struct qm_call {
	atomic_uint refs;
	struct channel *channel; /* counted */
	/* The request; never changes. */
	char *path;
	struct mdlist out; /* values in their form on the wire; wiped */
	struct qm_handler handler;
	void *arg;
	bool idempotent, gzip, one_answer, secret;
	uint64_t deadline; /* CLOCK_MONOTONIC ms; 0: none */
	/* Has a lock of its own. */
	struct outbox requests;
	/* Under the channel's lock. */
	bool in_inbox, cancel_asked;
	TAILQ_ENTRY(qm_call) inbox_link;
	/* Any thread. */
	atomic_bool read_on, ended;
	/* The I/O thread's word, which stands until it delivers again: read_on may change
	 * meanwhile. */
	bool held;
	/* The I/O thread's. */
	enum qcall_place place;
	TAILQ_ENTRY(qm_call) link;
	struct carrier *carrier;
	int32_t stream_id;
	bool headers_sent;
	unsigned tries, n_resent;
	uint64_t retry_at; /* also: not before */
	/* The answer. */
	struct frame_reader reader;
	size_t held_len; /* bytes not yet given back to the stream's window */
	unsigned http_status;
	bool got_headers, is_grpc, committed, has_grpc_status, trailing;
	enum qcall_encoding encoding;
	size_t n_messages;
	struct text inflated; /* the last message that came compressed */
	unsigned grpc_status;
	int64_t pushback_ms;
	char *grpc_message;
	uint8_t *details;
	size_t details_len;
	struct mdlist md; /* of the block being read */
	struct status status;
};

TAILQ_HEAD(qcall_list, qm_call);

/* What a call is made of; everything is copied. */
struct qcall_spec {
	const char *path;
	const void *request; /* unless requests are sent one by one */
	size_t len;
	const struct qm_call_options *options; /* may be NULL */
	const struct qm_handler *handler;
	void *arg;
	enum qm_kind kind;
	uint32_t delay_ms; /* goes out after so long */
};

/* The one way in of all calls; see qm_start. */
int qmesh_submit(struct qm_client *client, const struct qcall_spec *spec, struct qm_call **ret_call)
	_must_check_;
/* Where nothing may block. */
bool qmesh_is_io_thread(const struct qm_client *client);

/* Validates path and metadata. -EINVAL, -ENOMEM. */
int qcall_new(const struct qcall_spec *spec, struct qm_call **ret_call) _must_check_;
void qcall_unref(struct qm_call *call);
CLEANUP_DEFINE(struct qm_call, qcall_unref);

/* Forgets an earlier try. max_message: bytes of one message at most. */
void qcall_reset(struct qm_call *call, size_t max_message);
/* CLOCK_MONOTONIC in ms, as in deadline and retry_at. */
uint64_t qcall_now_ms(void);

/* What the stream brings. 0, or 1: the call must end now, status is set. */
int qcall_header(struct qm_call *call, const char *name, size_t name_len, const char *value,
		 size_t value_len) _must_check_;
int qcall_headers_end(struct qm_call *call, bool end_stream) _must_check_;
int qcall_data(struct qm_call *call, const uint8_t *p, size_t len) _must_check_;
/* Hands over whole messages while reading is on. */
int qcall_deliver(struct qm_call *call) _must_check_;
/* Whole messages are waiting for qm_call_read. */
bool qcall_has_waiting(const struct qm_call *call);
/* The same as qcall_deliver after the end of the stream; true: some are still waiting. */
bool qcall_deliver_rest(struct qm_call *call);

/* Last: trailing metadata, then done, once. */
void qcall_finish(struct qm_call *call);

/* "250m": what goes into grpc-timeout; ret must hold 16. */
void qcall_timeout_text(uint64_t timeout_ms, char *ret);

#endif
