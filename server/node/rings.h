/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traffic history of our own devices in memory: 1 s steps for a minute, 1 min
 * for an hour, 15 min for a day. Devices without traffic take no room.
 */
#ifndef QM_RINGS_H
#define QM_RINGS_H

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "server/peers/members.h"

struct rings;

#define RINGS_MAX_SAMPLES 100

struct rings_sample {
	int64_t time_ms; /* start of the step */
	uint64_t rx_bytes, tx_bytes;
};

struct rings *rings_new(void); /* NULL: out of memory */
void rings_free(struct rings *r);
/* Counters as the interface has them now. */
void rings_add(struct rings *r, const struct uuid *device_id, uint64_t rx_bytes, uint64_t tx_bytes);
/* Drops those of members that are gone. */
void rings_prune(struct rings *r, const struct members *list);
/* window "1m", "1h" or "24h"; oldest first. Count, or -EINVAL for another window. */
int rings_read(struct rings *r, const struct uuid *device_id, const char *window,
	       struct rings_sample ret[RINGS_MAX_SAMPLES]);

#endif
