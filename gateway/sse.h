/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-sent events: a server stream for EventSource. Each message is an
 * event "changed" whose id is its version; Last-Event-ID says which one the
 * page has. A comment every 15 s keeps the way open. A session has at most
 * four; a fifth ends the oldest.
 */
#ifndef QM_SSE_H
#define QM_SSE_H

#include "base/cleanup.h"
#include "server/rpc/call.h"

#define SSE_TYPE "text/event-stream"
#define SSE_MAX_PER_SESSION 4

struct rest;
struct sse_table;

/* The streams of one server, by session; locked, any thread. */
int sse_table_new(struct sse_table **ret) _must_check_;
void sse_table_free(struct sse_table *t);

/* Before the call is dispatched, on its loop. -ENOMEM. */
int sse_start(struct rest *r) _must_check_;
/* The client is gone: before x is. */
void sse_gone(struct rest *r);

extern const struct call_door sse_call_door;

#endif
