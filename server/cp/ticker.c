/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/ticker.h"

#include <pthread.h>
#include <time.h>

#include "base/clock.h"
#include "server/cp/denials.h"
#include "server/cp/headsign.h"
#include "server/cp/keydesk.h"
#include "server/cp/licensing.h"
#include "server/cp/misdeeds.h"
#include "server/cp/presence.h"
#include "server/cp/rotation.h"
#include "server/cp/unheard.h"
#include "server/store/replay_row.h"
#include "server/store/session_row.h"
#include "server/store/tenant_row.h"
#include "server/store/token_row.h"

enum { PERIOD_S = 1, PRUNE_MS = 3600000, KEEP_GENERATIONS = 10000 };

struct ticker {
	struct cp *cp;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t woken;
	bool closing;
	uint64_t next_flush_ms, next_prune_ms, next_denials_ms;
};

struct prune {
	struct uuid after;
	struct tenant_row tenant;
	bool found;
	int64_t now_ms;
};

static int keep(void *arg, const struct tenant_row *row)
{
	struct prune *p = arg;

	p->tenant = *row;
	p->found = true;
	return 0;
}

static int prune_one(struct txn *txn, void *ctx)
{
	struct prune *p = ctx;
	int r;

	p->found = false;
	r = tenant_row_list(txn, &p->after, 1, keep, p);
	if (r || !p->found || p->tenant.generation <= KEEP_GENERATIONS)
		return r;
	return tenant_row_prune(txn, &p->tenant.id, p->tenant.generation - KEEP_GENERATIONS);
}

static int prune_aged(struct txn *txn, void *ctx)
{
	struct prune *p = ctx;
	int r;

	r = session_row_prune(txn, p->now_ms);
	if (!r)
		r = token_row_prune(txn, p->now_ms);
	return r ? r : replay_row_prune(txn, p->now_ms);
}

static void prune(struct cp *cp)
{
	struct prune p = {.now_ms = clock_wall_ms()};

	if (store_write(cp->store, prune_aged, NULL, &p))
		log_warn("ticker", "old sessions and keys of calls could not be removed");
	do {
		if (store_write(cp->store, prune_one, NULL, &p)) {
			log_warn("ticker", "old generations could not be removed");
			return;
		}
		p.after = p.tenant.id;
	} while (p.found);
}

static void run(struct ticker *t)
{
	uint64_t now = clock_boot_ms();
	int r;

	r = rotation_lapse(t->cp);
	if (r)
		log_warn("ticker", "rotations that are over could not be ended: %d", r);
	unheard_tell(t->cp);
	licensing_tick(t->cp->licensing);
	headsign_tick(t->cp->headsign);
	keydesk_tick(t->cp);
	if (now >= t->next_flush_ms) {
		t->next_flush_ms = now + t->cp->conf.presence_flush_ms;
		presence_flush(t->cp->presence);
	}
	if (now >= t->next_denials_ms) {
		t->next_denials_ms = now + DENIALS_PERIOD_MS;
		denials_flush(t->cp);
		misdeeds_flush(t->cp);
	}
	if (now >= t->next_prune_ms) {
		t->next_prune_ms = now + PRUNE_MS;
		prune(t->cp);
	}
}

static void *ticker_main(void *arg)
{
	struct ticker *t = arg;
	bool closing = false;

	while (!closing) {
		struct timespec until;

		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += PERIOD_S;
		pthread_mutex_lock(&t->lock);
		if (!t->closing)
			pthread_cond_timedwait(&t->woken, &t->lock, &until);
		closing = t->closing;
		pthread_mutex_unlock(&t->lock);
		if (!closing)
			run(t);
	}
	presence_flush(t->cp->presence);
	denials_flush(t->cp);
	misdeeds_flush(t->cp);
	return NULL;
}

int ticker_new(struct cp *cp, struct ticker **ret_ticker)
{
	struct ticker *t = calloc(1, sizeof(*t));
	pthread_condattr_t attr;
	int r;

	if (!t)
		return -ENOMEM;
	t->cp = cp;
	t->next_flush_ms = clock_boot_ms() + cp->conf.presence_flush_ms;
	pthread_mutex_init(&t->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&t->woken, &attr);
	pthread_condattr_destroy(&attr);
	run(t);
	r = pthread_create(&t->thread, NULL, ticker_main, t);
	if (r) {
		free(t);
		return err_origin(-r);
	}
	*ret_ticker = t;
	return 0;
}

void ticker_free(struct ticker *t)
{
	if (!t)
		return;
	pthread_mutex_lock(&t->lock);
	t->closing = true;
	pthread_cond_signal(&t->woken);
	pthread_mutex_unlock(&t->lock);
	pthread_join(t->thread, NULL);
	pthread_cond_destroy(&t->woken);
	pthread_mutex_destroy(&t->lock);
	free(t);
}
