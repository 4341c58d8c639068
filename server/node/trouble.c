/* SPDX-License-Identifier: Apache-2.0 */
#include "server/node/trouble.h"

#include <string.h>

#include "base/clock.h"

void trouble_begin(struct trouble *t)
{
	log_hush(&t->hush);
}

void trouble_end(struct trouble *t, int r, const char *what)
{
	uint64_t now = clock_boot_ms();
	unsigned long long for_s = t->since_ms ? (now - t->since_ms) / 1000 : 0;

	log_hush(NULL);
	if (!r) {
		if (t->since_ms)
			log_info("node", "%s fails no more, after %llu s", what, for_s);
		*t = (struct trouble){0};
		return;
	}
	/* The lines of the try itself said it. */
	if (!t->since_ms)
		t->since_ms = t->said_ms = now;
	if (now - t->said_ms < TROUBLE_SAY_MS)
		return;
	log_warn("node", "%s still fails, for %llu s: %s", what, for_s, strerror(-r));
	t->said_ms = now;
}
