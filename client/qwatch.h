/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A server stream that goes on after a loss. Each message carries a version,
 * the request the last one seen: when the stream ends for a reason that may
 * pass it is opened again after a pause with what was seen, so that no change
 * is lost and none is told twice. WatchState is such a stream (both fields are
 * number 1).
 */
#ifndef QM_QWATCH_H
#define QM_QWATCH_H

#include "client/qmesh.h"

#ifdef __cplusplus
extern "C" {
#endif

struct qm_watch;

struct qm_watch_options {
	const char *path;
	/* The request without its version, encoded; copied. */
	const void *request;
	size_t request_len;
	/* Field numbers (1..2^29-1) of the uint64 version in the request and in each answer. */
	unsigned request_field, answer_field;
	/* The last version seen in an earlier life; 0: none. */
	uint64_t version;
	/* Copied, metadata too. timeout_ms bounds each opening, so 0 is the usual. */
	const struct qm_call_options *call;
	/* Pauses grow from the first to the second, each give or take a fifth; 0: 200 and 15000. */
	uint32_t first_pause_ms, last_pause_ms;
};

/* On the I/O thread; must not block. All but message and done may be NULL. */
struct qm_watch_handler {
	/* A version that was not seen before. Smaller than the last: the server began anew. */
	void (*message)(void *arg, const uint8_t *p, size_t len, uint64_t version);
	/* Last, once: cancelled, or a failure that trying again would not cure. */
	void (*done)(void *arg, const struct status *status);
	/* The stream ended (status->code may be 0) and will be opened again after pause_ms. */
	void (*lost)(void *arg, const struct status *status, uint64_t pause_ms);
	/*
	 * Before each opening but the first: the metadata to send, if the old has aged (a token).
	 * Sets *md and *n, which need to live until it is called again. < 0 ends the watch.
	 */
	int (*renew)(void *arg, const struct qm_md **md, size_t *n);
};

/* Opens at once, or as soon as the server can be reached. Errors as qm_start; -EINVAL: options. */
int qm_watch_start(struct qm_client *client, const struct qm_watch_options *options,
		   const struct qm_watch_handler *handler, void *arg, struct qm_watch **ret_watch);
/* Any thread. done runs with CANCELLED unless it ran already. */
void qm_watch_cancel(struct qm_watch *w);
/* Flow control as qm_call_read; holds over openings. */
void qm_watch_read(struct qm_watch *w, bool on);
/* The last version told. */
uint64_t qm_watch_version(struct qm_watch *w);
/* Gives up the handle, once; the watch goes on until done. */
void qm_watch_release(struct qm_watch *w);

#ifdef __cplusplus
}
#endif
#endif
