/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Something that is tried over and over and fails: what the tries log is said when it is new,
 * then one line a minute says that it still fails, and one that it is over. Between begin and
 * end lines of this thread that were said before in the same trouble are dropped. Belongs to
 * one thread.
 */
#ifndef QM_TROUBLE_H
#define QM_TROUBLE_H

#include <stdint.h>

#include "base/log.h"

#define TROUBLE_SAY_MS 60000

/* Zeroed at first. */
struct trouble {
	struct log_hush hush;
	uint64_t since_ms, said_ms; /* boot time; since_ms 0: there is none */
};

void trouble_begin(struct trouble *t);
/* r: how the try ended, 0 or -errno; what: "the interface". */
void trouble_end(struct trouble *t, int r, const char *what);

#endif
