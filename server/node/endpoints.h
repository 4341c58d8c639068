/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where other nodes are reached: what their records say, as addresses. An
 * endpoint is set when the record's is new and left alone otherwise, because
 * WireGuard learns better ones. Names are resolved on a thread of their own, and
 * again each half minute: another address counts as new.
 */
#ifndef QM_ENDPOINTS_H
#define QM_ENDPOINTS_H

#include <stdbool.h>

#include "base/text.h"
#include "server/wg/wglist.h"

struct endpoints;

/* resolved runs on the resolver's thread when a name got an address: apply again. */
struct endpoints *endpoints_new(void (*resolved)(void *arg), void *arg);
void endpoints_free(struct endpoints *e); /* waits for a look-up under way */
CLEANUP_DEFINE(struct endpoints, endpoints_free);

/*
 * The endpoint of a node's record: *ret (family 0 while a name is looked up),
 * and whether it has to be set on a peer that is there already. known: what
 * the interface has was set from this same record (a list from the cache).
 */
void endpoints_look(struct endpoints *e, const struct uuid *node_id, const char *text, bool known,
		    struct wg_endpoint *ret, bool *ret_is_new);
/* Nodes that were not looked at since the last call are forgotten: nobody asks for their names. */
void endpoints_sweep(struct endpoints *e);
/* All names are asked for at once. */
void endpoints_refresh(struct endpoints *e);
/* The one that is_new was told for is on the interface. */
void endpoints_was_set(struct endpoints *e, const struct uuid *node_id);

#endif
