/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How long the link waits before it tries again: growing pauses after failures,
 * what the Control Panel asked for where that is longer, a come-back at random
 * within the spread it told, and growing pauses between resyncs that do not
 * help. Values only; dice are 0 .. 65535.
 */
#ifndef QM_PACE_H
#define QM_PACE_H

#include <stdint.h>

#define PACE_MIN_MS 200
#define PACE_MAX_MS 15000
/* A hint beyond it is not believed: the node would be away for no reason that anybody sees. */
#define PACE_HINT_MAX_MS 300000
#define PACE_RESYNC_MS 1000
#define PACE_RESYNC_MAX_MS 300000
/* Resyncs so far apart have nothing to do with each other. */
#define PACE_RESYNC_REST_MS 60000

struct pace {
	unsigned failures, resyncs;
	uint32_t spread_ms; /* as told last */
	uint64_t resync_ms; /* when the last one was to be, boot time */
};

/* A call failed, or a stream that never stood ended. hint_ms: RetryInfo, 0: none. */
uint64_t pace_failed(struct pace *p, uint64_t hint_ms, uint16_t dice);
/* A stream that stood is lost: maybe every node's. */
uint64_t pace_lost(struct pace *p, uint64_t hint_ms, uint16_t dice);
/* A report was answered. */
void pace_well(struct pace *p);
/* Ms until the next resync: 0 for the first one. */
uint64_t pace_resync(struct pace *p, uint64_t now_ms);
/* 0 .. span_ms. */
uint64_t pace_within(uint64_t span_ms, uint16_t dice);

#endif
