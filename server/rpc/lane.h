/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Worker threads for what may block on disk or CPU. Made on demand up to a
 * maximum, gone after a minute without work.
 */
#ifndef QM_LANE_H
#define QM_LANE_H

#include <stdbool.h>

#include "base/cleanup.h"

struct lane_pool;

/* Embedded in what it is about; belongs to the lane until fn runs. */
struct lane_job {
	struct lane_job *next;
	void (*fn)(struct lane_job *job);
};

struct lane_pool *lane_new(unsigned max_threads);
/*
 * second: waits behind all others, and such jobs never have every thread: nodes
 * that come back in a storm do not keep people waiting.
 * -ESHUTDOWN after lane_stop; -EAGAIN when the queue is full or no thread can be made.
 */
int lane_post(struct lane_pool *l, struct lane_job *job, bool second) _must_check_;
/* Runs what is queued, then ends all threads. */
void lane_stop(struct lane_pool *l);
void lane_free(struct lane_pool *l);
CLEANUP_DEFINE(struct lane_pool, lane_free);

#endif
