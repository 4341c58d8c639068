/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Judges one HTTP/2 connection frame by frame, before the engine sees it:
 * counts what is cheap to send and dear to serve. Free of engine types.
 */
#ifndef QM_GUARD_H
#define QM_GUARD_H

#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "server/rpc/h2frame.h"

/* So many at once, so many more each second. */
struct bucket {
	uint32_t tokens; /* in thousandths */
	uint32_t burst, per_s;
	uint64_t at_ms;
};

enum guard_event {
	GUARD_RESET,
	GUARD_STREAM_ERROR,
	GUARD_PING,
	GUARD_SETTINGS,
	GUARD_PRIORITY,
	GUARD_WINDOW_UPDATE,
	GUARD_EMPTY_DATA,
	GUARD_UNKNOWN,
	GUARD_STALE,
	GUARD_N_EVENTS,
};

struct guard {
	struct bucket buckets[GUARD_N_EVENTS];
	/* The header block being received. */
	struct h2fields fields;
	uint32_t block_len;
	uint32_t n_continuations;
	/* Keepalive: the last PING, and how many came too soon since we sent anything. */
	uint64_t pinged_ms;
	unsigned strikes;
};

void guard_init(struct guard *g, uint64_t now_ms);
/* What the peer did wrong, in words for GOAWAY(ENHANCE_YOUR_CALM), or NULL. */
const char *guard_frame(struct guard *g, const struct h2frame *f, const uint8_t *payload,
			uint64_t now_ms);
/* Counts an event that shows only later, e.g. a stream error. Words or NULL. */
const char *guard_count(struct guard *g, enum guard_event event, uint64_t now_ms);
/* A PING to be answered; with or without streams. Words or NULL. */
const char *guard_ping(struct guard *g, bool has_streams, uint64_t now_ms);
/* HEADERS or DATA went out: earns a ping, for what follows may be a probe of bandwidth. */
void guard_sent(struct guard *g);
/* The block that came last is over the limits of a head, though it was let through: refuse it. */
bool guard_head_too_large(const struct guard *g);
/* The peer earned window updates: by a request, by data it was sent. */
void guard_earn(struct guard *g, uint32_t n);
/* A call was answered: the peer may give up another one. */
void guard_answered(struct guard *g);

#endif
