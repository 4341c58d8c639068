/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The messages of a caller who streams, between the door and the handler's
 * receiver. All on the call's loop; the public part is call.h's.
 */
#ifndef QM_INFLOW_H
#define QM_INFLOW_H

#include "server/rpc/call_queue.h"

/* May a message be given now? If not, door->receive says when to ask again. */
bool inflow_ready(struct call *call);
/* A message, inflated: decoded, checked, handed to the receiver. May end the call. */
void inflow_message(struct call *call, const void *p, size_t len);
/* The caller has half-closed. May end the call. */
void inflow_end(struct call *call);

/* --- for call.c --- */
/* What the caller was sent is on its way. */
void inflow_drained(struct live *l);
void inflow_done(struct live *l);

#endif
