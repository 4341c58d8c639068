/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node whose list is not the one published: one resync for a generation that
 * differs; when that did not help, the alarm and one more after ever longer
 * pauses, whatever generations it reports. Pure.
 */
#ifndef QM_MISMATCH_H
#define QM_MISMATCH_H

#include <stdbool.h>
#include <stdint.h>

#define MISMATCH_SETTLE_MS 5000
#define MISMATCH_PAUSE_MS 60000
#define MISMATCH_PAUSE_MAX_MS 3600000

struct mismatch {
	uint64_t generation, resynced_ms; /* of the last resync */
	uint64_t pause_ms;                /* until the next one; 0: there was none yet */
	bool wrong, alarm;                /* now; and a resync did not help */
};

/* True: resync it now. */
bool mismatch_note(struct mismatch *m, uint64_t generation, uint64_t now_ms);
/* Its list is right again. */
void mismatch_settle(struct mismatch *m);

#endif
