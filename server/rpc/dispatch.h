/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one place every call passes. Guards in this order: budgets ->
 * authenticate -> audience and role -> cheap user limits -> licence -> admit
 * -> decode with bounds -> handler -> encode -> finished hook. Nothing of the
 * request is parsed before the guards.
 */
#ifndef QM_DISPATCH_H
#define QM_DISPATCH_H

#include "server/rpc/call.h"
#include "server/rpc/exchange.h"
#include "server/rpc/service.h"

/*
 * A door makes a call for a method it found, on the exchange's loop. The door
 * keeps one reference until it was told done. NULL when out of memory.
 * The request id is taken from x-request-id when that is 1-32 of
 * [A-Za-z0-9_-], else made.
 */
struct call *call_new(struct services *s, const struct method *method, struct exchange *x,
		      const struct call_door *door, void *door_data, uint64_t timeout_ms);
/* May it be a request id? */
bool dispatch_id_ok(const char *id);
/* Runs the guards and the handler; door->message and door->done follow, maybe at once. */
void dispatch(struct services *s, struct call *call);
/* The peer went away: handlers and waiters hear of it at once. */
void dispatch_cancel(struct call *call, enum err why);
/* All frames the door was given went to the engine. */
void call_drained(struct call *call);
/* What call_header gathered, for the door's head; values live as long as the call. */
const struct header *call_headers(const struct call *call, size_t *ret_n);
/* What call_trailer gathered, for the door's end. */
const struct header *call_trailers(const struct call *call, size_t *ret_n);

#endif
