/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last events of one tenant as they were published, encoded and signed: a
 * stream that begins at one of their generations goes on from there. Entries
 * follow each other without a gap; the oldest go when there are too many or
 * too large ones. Belongs to the hub's thread.
 */
#ifndef QM_EVENTLOG_H
#define QM_EVENTLOG_H

#include "base/frame.h"
#include "base/limits.h"

struct eventlog_entry {
	uint64_t from, to;
	struct frame *frame;
};

struct eventlog {
	struct eventlog_entry *ring; /* LIMIT_EVENT_LOG of them, or NULL */
	size_t first, n, bytes;
};

/* Empty afterwards. */
void eventlog_done(struct eventlog *l);
/*
 * Takes a reference. An event that does not begin where the last one ended
 * makes the log begin anew. Out of memory it is left empty.
 */
void eventlog_add(struct eventlog *l, uint64_t from, uint64_t to, struct frame *frame);
/* Which entry a list at this generation needs first. False: the log begins later. */
bool eventlog_find(const struct eventlog *l, uint64_t generation, size_t *ret_at);
/* 0 .. n - 1, the oldest first. */
const struct eventlog_entry *eventlog_at(const struct eventlog *l, size_t i);

#endif
