/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether the stream still says what the Control Panel has: each answer to a
 * report tells its newest list. A stream that goes on bringing lists is sound
 * however many newer ones there are by then; one that does not bring what was
 * told is broken, and a store that has less than the node had before it asked
 * went back. Values only.
 */
#ifndef QM_SILENCE_H
#define QM_SILENCE_H

#include <stdbool.h>
#include <stdint.h>

#define SILENCE_MS 5000

struct silence_at {
	uint64_t epoch, generation;
};

/* Zeroed at first. */
struct silence {
	struct silence_at told; /* what the stream should have brought */
	uint64_t since_ms;      /* boot time; 0: it owes nothing */
	bool went_back;
};

enum silence_verdict {
	SILENCE_NONE,
	SILENCE_WATCH, /* from now on: look again in SILENCE_MS */
	SILENCE_OWES,  /* since less than that */
	SILENCE_BROKEN /* ask for all; what was noted is forgotten */
};

/* had: before the report was sent; told: by its answer; has: now. */
enum silence_verdict silence_note(struct silence *s, struct silence_at had, struct silence_at told,
				  struct silence_at has, uint64_t now_ms);

#endif
