/* SPDX-License-Identifier: Apache-2.0 */
#include "server/node/silence.h"

static bool is_before(struct silence_at a, struct silence_at b)
{
	return a.epoch < b.epoch || (a.epoch == b.epoch && a.generation < b.generation);
}

enum silence_verdict silence_note(struct silence *s, struct silence_at had, struct silence_at told,
				  struct silence_at has, uint64_t now_ms)
{
	bool back = is_before(told, had);

	if (!back && !is_before(has, told)) {
		*s = (struct silence){0};
		return SILENCE_NONE;
	}
	/* Anew, or it has brought meanwhile what it owed. */
	if (!s->since_ms || s->went_back != back || (!back && !is_before(has, s->told))) {
		*s = (struct silence){.told = told, .since_ms = now_ms, .went_back = back};
		return SILENCE_WATCH;
	}
	if (now_ms - s->since_ms < SILENCE_MS)
		return SILENCE_OWES;
	*s = (struct silence){0};
	return SILENCE_BROKEN;
}
