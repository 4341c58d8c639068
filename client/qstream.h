/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call as a pipe, for threads that may block: send, receive, one after the
 * other or from two threads. Messages are taken from the server as they are
 * received here; 64 KiB and one message at most wait in between.
 */
#ifndef QM_QSTREAM_H
#define QM_QSTREAM_H

#include "client/qmesh.h"

#ifdef __cplusplus
extern "C" {
#endif

struct qm_stream;

/* Any kind. Errors as qm_start; -EINVAL on the client's I/O thread. */
int qm_stream_open(struct qm_client *client, const char *path, enum qm_kind kind,
		   const struct qm_call_options *options, struct qm_stream **ret_stream);
/* Cancels the call if it is not over; no other thread may use the stream any more. */
void qm_stream_free(struct qm_stream *s);
/*
 * One request (copied), after the ones before it have gone far enough: blocks.
 * QM_UNARY and QM_SERVER_STREAM end with the first. -EPIPE: the call is over
 * (see qm_stream_status) or was ended; -EINVAL, -ENOMEM.
 */
int qm_stream_send(struct qm_stream *s, const void *request, size_t len);
/* No more requests. */
void qm_stream_end(struct qm_stream *s);
/* Blocks. 1: a message, the caller frees *ret_p; 0: there are no more; -ENOMEM. */
int qm_stream_receive(struct qm_stream *s, uint8_t **ret_p, size_t *ret_len);
/*
 * Any thread; who waits is woken and finds the end. What was not received is dropped, and the
 * call is CANCELLED, unless its end was told already: by receive, or by status.
 */
void qm_stream_cancel(struct qm_stream *s);
/* How the call came out: blocks until it is over and drops what was not received. */
const struct status *qm_stream_status(struct qm_stream *s);
/* Initial metadata: blocks until it is here or the call is over. Lives as long as s. */
const struct qm_md *qm_stream_headers(struct qm_stream *s, size_t *ret_n);
/* Trailing metadata, complete after qm_stream_receive said 0 or qm_stream_status. */
const struct qm_md *qm_stream_trailers(struct qm_stream *s, size_t *ret_n);

#ifdef __cplusplus
}
#endif
#endif
