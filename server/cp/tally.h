/* SPDX-License-Identifier: Apache-2.0 */
/* How often what happened in peer distribution since the start. Any thread. */
#ifndef QM_TALLY_H
#define QM_TALLY_H

#include <stdatomic.h>

#include "base/text.h"

enum tally_row {
	TALLY_EVENTS,         /* changes encoded and signed */
	TALLY_SENT,           /* times that one of them was handed to a stream */
	TALLY_SNAPSHOTS,      /* lists encoded and signed as a whole */
	TALLY_SNAPSHOTS_SENT, /* streams that were given one */
	TALLY_DELTAS,         /* changes since an older generation, made from the store */
	TALLY_CURRENT,        /* streams that began with the newest list */
	TALLY_RESUMED,        /* streams that went on from an older one */
	TALLY_HEADS_BAD,      /* hellos with a head that is not ours */
	TALLY_HEADS_AHEAD,    /* hellos that prove the store is behind: a new epoch */
	TALLY_HELLOS_LATER,   /* hellos that were asked to come again */
	TALLY_RESYNC_QUEUE,   /* streams brought up to date: their node did not read */
	TALLY_RESYNC_EPOCH,   /* ... the tenant's log began anew */
	TALLY_RESYNC_GAP,     /* ... a change did not follow what they had */
	TALLY_RESYNC_DIGEST,  /* ... their node's list is not the one published */
	TALLY_DIGEST_BAD,     /* reports with a wrong list digest */
	TALLY_INSPECTED,      /* interfaces whose peers were worked out here, to compare */
	TALLY_INTERFACE_BAD,  /* reports of an interface with other peers */
	TALLY_REPORTS_LATER,  /* reports that came too often */
	TALLY_MAX
};

struct tally {
	atomic_uint_fast64_t n[TALLY_MAX];
};

static inline void tally_add(struct tally *t, enum tally_row row, uint64_t n)
{
	atomic_fetch_add_explicit(&t->n[row], n, memory_order_relaxed);
}

/* "name value\n" of each. */
void tally_print(struct tally *t, struct text *out);

#endif
