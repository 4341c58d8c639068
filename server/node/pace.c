/* SPDX-License-Identifier: Apache-2.0 */
#include "server/node/pace.h"

static uint64_t at_most(uint64_t ms, uint64_t max)
{
	return ms < max ? ms : max;
}

uint64_t pace_within(uint64_t span_ms, uint16_t dice)
{
	return span_ms * dice / UINT16_MAX;
}

uint64_t pace_failed(struct pace *p, uint64_t hint_ms, uint16_t dice)
{
	uint64_t ms =
		at_most((uint64_t)PACE_MIN_MS << (p->failures < 7 ? p->failures : 7), PACE_MAX_MS);

	p->failures++;
	ms = ms / 2 + pace_within(ms / 2, dice);
	hint_ms = at_most(hint_ms, PACE_HINT_MAX_MS);
	return ms > hint_ms ? ms : hint_ms;
}

uint64_t pace_lost(struct pace *p, uint64_t hint_ms, uint16_t dice)
{
	uint64_t spread = pace_within(at_most(p->spread_ms, PACE_HINT_MAX_MS), dice);
	uint64_t ms = pace_failed(p, hint_ms, dice);

	return ms > spread ? ms : spread;
}

void pace_well(struct pace *p)
{
	p->failures = 0;
}

uint64_t pace_resync(struct pace *p, uint64_t now_ms)
{
	uint64_t pause = 0;

	if (p->resyncs && now_ms > p->resync_ms + PACE_RESYNC_REST_MS)
		p->resyncs = 0;
	if (p->resyncs)
		pause = at_most((uint64_t)PACE_RESYNC_MS << (p->resyncs < 10 ? p->resyncs - 1 : 9),
				PACE_RESYNC_MAX_MS);
	p->resyncs++;
	p->resync_ms = now_ms + pause;
	return pause;
}
