/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/wallmark.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "server/store/licence_row.h"

static int read_latest(struct txn *txn, void *ctx)
{
	struct licence_row row;
	int r = licence_row_get(txn, &row);

	if (!r)
		*(int64_t *)ctx = row.latest_ms;
	return r;
}

static int write_latest(struct txn *txn, void *ctx)
{
	return licence_row_keep_time(txn, *(int64_t *)ctx);
}

int wallmark_init(struct wallmark *w, struct store *store)
{
	int64_t latest = 0;
	int r = store_read(store, read_latest, &latest);

	if (r)
		return err_trace(r);
	w->store = store;
	w->offset_ms = 0;
	w->since_ms = 0;
	atomic_store(&w->latest_ms, latest);
	if (clock_wall_ms() + WALLMARK_HOUR_MS < latest)
		log_warn("licence", "the clock is behind a time that was here already: licences "
				    "count by that");
	return 0;
}

int64_t wallmark_now_ms(const struct wallmark *w)
{
	int64_t now = clock_wall_ms(), latest = atomic_load(&w->latest_ms);

	return now > latest ? now : latest;
}

void wallmark_tick(struct wallmark *w)
{
	int64_t wall = clock_wall_ms();
	uint64_t boot = clock_boot_ms();

	if (!w->since_ms || llabs(wall - (int64_t)boot - w->offset_ms) > WALLMARK_JUMP_MS) {
		w->since_ms = boot;
		w->offset_ms = wall - (int64_t)boot;
		return;
	}
	if (boot - w->since_ms < WALLMARK_HOUR_MS)
		return;
	/* Slow drift is no jump; the next hour is measured by itself. */
	w->since_ms = boot;
	w->offset_ms = wall - (int64_t)boot;
	if (wall <= atomic_load(&w->latest_ms))
		return;
	atomic_store(&w->latest_ms, wall);
	if (store_write(w->store, write_latest, NULL, &wall))
		log_warn("licence", "the time could not be kept; tried again in an hour");
}
