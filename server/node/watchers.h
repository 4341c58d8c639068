/* SPDX-License-Identifier: Apache-2.0 */
/* Open WatchState streams, and the version that grows with each change. */
#ifndef QM_WATCHERS_H
#define QM_WATCHERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "server/rpc/call.h"

struct node;
struct watchers;

enum { WATCH_STATE = 1, WATCH_DEVICES = 2, WATCH_NODES = 4 };

struct watchers *watchers_new(struct node *n); /* NULL: out of memory */
void watchers_free(struct watchers *w);
/* From any thread but with no lock of the replica held. */
void watchers_publish(struct watchers *w, unsigned topics);
/* Takes a reference; the stream ends with its call. Sends at once if version is not the present. */
int watchers_add(struct watchers *w, struct call *call, uint64_t version) _must_check_;
size_t watchers_count(struct watchers *w);
/* Ends streams whose session was revoked. */
void watchers_end_revoked(struct watchers *w);

#endif
