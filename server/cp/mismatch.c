/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/mismatch.h"

bool mismatch_note(struct mismatch *m, uint64_t generation, uint64_t now_ms)
{
	uint64_t since = now_ms - m->resynced_ms;
	/* Right in between, and another generation: a new matter. */
	bool is_new = !m->wrong && (!m->pause_ms || generation != m->generation);

	/* What was sent may still be on its way. */
	if (m->pause_ms && since < MISMATCH_SETTLE_MS)
		return false;
	if (is_new) {
		m->pause_ms = MISMATCH_PAUSE_MS;
	} else {
		m->alarm = true;
		if (since < m->pause_ms)
			return false;
		m->pause_ms *= 2;
		if (m->pause_ms > MISMATCH_PAUSE_MAX_MS)
			m->pause_ms = MISMATCH_PAUSE_MAX_MS;
	}
	m->wrong = true;
	m->generation = generation;
	m->resynced_ms = now_ms;
	return true;
}

void mismatch_settle(struct mismatch *m)
{
	m->wrong = m->alarm = false;
}
