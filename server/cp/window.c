/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ages are differences of CLOCK_BOOTTIME within one boot, of wall time across
 * boots. A stamp from the future (the wall clock was set back over a reboot)
 * counts as made now and is written so: it can hold a user up for one period,
 * never for ever.
 *
 * In the store a stamp is 32 bytes: boot id, boottime (u64 BE), wall (i64 BE).
 */
#include "server/cp/window.h"

#include <string.h>

#include "base/clock.h"
#include "base/err.h"

enum { STAMP_LEN = 32 };

_Static_assert(WINDOW_MAX_STAMPS *STAMP_LEN <= WINDOW_ROW_MAX, "a full window fits its row");

struct window_stamp window_now(void)
{
	struct window_stamp now = {.boot_ms = clock_boot_ms(), .wall_ms = clock_wall_ms()};

	if (uuid_parse(clock_boot_id(), &now.boot_id))
		now.boot_id = (struct uuid){0};
	return now;
}

static bool same_boot(const struct window_stamp *stamp, const struct window_stamp *now)
{
	return uuid_equal(&stamp->boot_id, &now->boot_id) && !uuid_is_nil(&now->boot_id);
}

static int64_t age(const struct window_stamp *stamp, const struct window_stamp *now)
{
	if (same_boot(stamp, now))
		return (int64_t)(now->boot_ms - stamp->boot_ms);
	return now->wall_ms - stamp->wall_ms;
}

/* Room comes when so many of the newest have become too old, in whichever order they lie. */
static uint64_t wait_of(int64_t *ages, size_t n, const struct window_rule *rule)
{
	for (size_t i = 1; i < n; i++) {
		int64_t a = ages[i];
		size_t at = i;

		for (; at > 0 && ages[at - 1] > a; at--)
			ages[at] = ages[at - 1];
		ages[at] = a;
	}
	return rule->period_ms - (uint64_t)ages[rule->limit - 1];
}

uint64_t window_judge(struct window *w, const struct window_rule *rule,
		      const struct window_stamp *now)
{
	int64_t ages[WINDOW_MAX_STAMPS];
	size_t kept = 0;

	for (size_t i = 0; i < w->n; i++) {
		int64_t a = age(&w->stamps[i], now);

		if (a >= (int64_t)rule->period_ms)
			continue;
		w->stamps[kept] = w->stamps[i];
		/* Within a boot it is of a call that began later and was faster. */
		if (a < 0 && !same_boot(&w->stamps[i], now)) {
			w->stamps[kept] = *now;
			w->rewritten = true;
			a = 0;
		}
		ages[kept++] = a;
	}
	w->n = kept;
	return kept < rule->limit ? 0 : wait_of(ages, kept, rule);
}

static void put64(uint8_t *p, uint64_t v)
{
	for (int i = 7; i >= 0; i--, v >>= 8)
		p[i] = (uint8_t)v;
}

static uint64_t get64(const uint8_t *p)
{
	uint64_t v = 0;

	for (int i = 0; i < 8; i++)
		v = v << 8 | p[i];
	return v;
}

static int load(struct txn *txn, const struct window_ask *ask, struct window *ret)
{
	uint8_t bytes[WINDOW_ROW_MAX];
	size_t len;
	int r;

	r = window_row_get(txn, &ask->tenant, &ask->user, bytes, &len);
	if (r)
		return err_trace(r);
	*ret = (struct window){.n = len / STAMP_LEN};
	if (ret->n > WINDOW_MAX_STAMPS)
		ret->n = WINDOW_MAX_STAMPS;
	for (size_t i = 0; i < ret->n; i++) {
		const uint8_t *p = bytes + i * STAMP_LEN;

		memcpy(ret->stamps[i].boot_id.b, p, 16);
		ret->stamps[i].boot_ms = get64(p + 16);
		ret->stamps[i].wall_ms = (int64_t)get64(p + 24);
	}
	return 0;
}

static int save(struct txn *txn, const struct window_ask *ask, const struct window *w)
{
	uint8_t bytes[WINDOW_MAX_STAMPS * STAMP_LEN];

	for (size_t i = 0; i < w->n; i++) {
		uint8_t *p = bytes + i * STAMP_LEN;

		memcpy(p, w->stamps[i].boot_id.b, 16);
		put64(p + 16, w->stamps[i].boot_ms);
		put64(p + 24, (uint64_t)w->stamps[i].wall_ms);
	}
	return window_row_put(txn, &ask->tenant, &ask->user, bytes, w->n * STAMP_LEN);
}

int window_admit(struct txn *txn, const struct window_ask *ask, struct window *ret_window,
		 uint64_t *ret_retry_ms)
{
	uint64_t retry_ms;
	int r;

	r = load(txn, ask, ret_window);
	if (r)
		return err_trace(r);
	retry_ms = window_judge(ret_window, &ask->rule, &ask->now);
	if (retry_ms) {
		*ret_retry_ms = retry_ms;
		return ERR_RATE_LIMITED;
	}
	ret_window->stamps[ret_window->n++] = ask->now;
	return save(txn, ask, ret_window);
}

int window_settle(struct txn *txn, const struct window_ask *ask, const struct window *w)
{
	return w->rewritten ? save(txn, ask, w) : 0;
}
