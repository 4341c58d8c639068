/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The HTTP/2 side of one connection, on libnghttp2. Turns calls into streams
 * and frames into qcall_* calls; the bytes themselves are the carrier's. Its
 * buffers are wiped: requests and answers hold keys and tokens.
 */
#ifndef QM_H2SESSION_H
#define QM_H2SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "client/qcall.h"

struct h2session;

/* All run inside h2session_feed, _pull or _drop. */
struct h2session_events {
	/* The stream of the call is gone; the session has forgotten the call. */
	void (*closed)(void *arg, struct qm_call *call, uint32_t h2_error);
	/* The call must end now: its status is set, its stream was reset. */
	void (*broken)(void *arg, struct qm_call *call);
	/* No new streams any more; too_many_pings: because of our keepalive. */
	void (*goaway)(void *arg, bool too_many_pings);
	/* The server's first SETTINGS: it does speak HTTP/2. */
	void (*settings)(void *arg);
};

struct h2session_options {
	const char *scheme;
	const char *authority;
	const char *user_agent;
	const struct h2session_events *events;
	void *arg;
};

/* Texts are borrowed for the session's life. -ENOMEM. */
int h2session_new(const struct h2session_options *options, struct h2session **ret_session)
	_must_check_;
void h2session_free(struct h2session *s);
CLEANUP_DEFINE(struct h2session, h2session_free);

/* Streams that may be opened now. */
size_t h2session_room(const struct h2session *s);
/* Opens a stream; timeout_ms 0: none. -ENOMEM, -ENOTCONN. */
int h2session_open(struct h2session *s, struct qm_call *call, uint64_t timeout_ms) _must_check_;
/* Resets the call's stream with CANCEL and forgets the call; no event follows. */
void h2session_drop(struct h2session *s, struct qm_call *call);
/* The call has requests to send, or has ended them. */
void h2session_wake(struct h2session *s, struct qm_call *call);
/* Gives len bytes back to the window of the call's stream. */
void h2session_consume(struct h2session *s, struct qm_call *call, size_t len);
int h2session_ping(struct h2session *s) _must_check_;
/* Bytes from the server. -EPROTO: the connection is beyond use; -ENOMEM. */
int h2session_feed(struct h2session *s, const uint8_t *p, size_t len) _must_check_;
/* Bytes for the server: *ret_p is valid until the next call of anything here. */
int h2session_pull(struct h2session *s, const uint8_t **ret_p, size_t *ret_len) _must_check_;
/* So many of the pulled bytes are sent. */
void h2session_sent(struct h2session *s, size_t len);
bool h2session_wants_write(const struct h2session *s);
/* Nothing will ever come or go any more. */
bool h2session_is_over(const struct h2session *s);

#endif
