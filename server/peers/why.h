/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Why a device is not connected, or not reached: one order of reasons and one
 * set of words, for the Control Panel and for nodes. Each fills in what it
 * knows; a fact that it does not know says nothing. Pure.
 */
#ifndef QM_WHY_H
#define QM_WHY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define WHY_WORDS_LEN 480

/* A clock further off than this is told; handshakes and reports take their time. */
#define WHY_CLOCK_MS 60000

/* How why_facts.blocked begins where rules of others could not be read: nothing is told of it. */
#define WHY_BLOCK_UNKNOWN "unknown: "

/* Strings are borrowed and may be NULL: nothing to tell. */
struct why_facts {
	int64_t now_ms;

	/* The device, by its record. */
	bool suspended, needs_new_config;
	uint32_t newest_key, active_key; /* versions; 0: none */
	int64_t pending_until_ms;        /* of the newest key while the active one holds; 0 */

	/* Its home. */
	const char *home, *endpoint; /* label; host:port */
	bool home_away;              /* not connected to the Control Panel */
	int64_t home_lost_ms;        /* since; 0: not known */
	bool lease_over;             /* it serves no devices */
	uint64_t lease_s;
	const char *not_applied; /* why it has not applied the device's record */
	int failed_errno;        /* its interface refused the device */
	int64_t clock_off_ms;    /* its clock minus the Control Panel's */
	const char *blocked;     /* a rule of others there, with what helps */
	const char *overlap;     /* a route of others there */

	/* What it saw of the device. */
	uint32_t seen_key; /* version that shook hands last; 0: none */
	int64_t handshake_ms, last_rx_ms;

	/* A node that has no way to the home. */
	const char *cut_off;
};

struct why {
	const char *reason; /* UPPER_SNAKE_CASE */
	char evidence[WHY_WORDS_LEN], next_step[WHY_WORDS_LEN];
};

void why_make(const struct why_facts *f, struct why *ret);

#endif
