/* SPDX-License-Identifier: Apache-2.0 */
/* A table by node id; who never asked too much has a row all the same, 100 bytes of it. */
#include "server/cp/manners.h"

#include <pthread.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/limits.h"
#include "server/cp/mismatch.h"
#include "server/cp/quota.h"

enum { BUCKETS = 4096 };

struct row {
	struct uuid node;
	struct quota hellos, reports, certificates;
	uint64_t reports_from_ms; /* it was told to come again then */
	struct mismatch mismatch;
	struct row *next;
};

struct manners {
	pthread_mutex_t lock;
	struct row *buckets[BUCKETS];
	size_t n_differing;
};

struct manners *manners_new(void)
{
	struct manners *m = calloc(1, sizeof(*m));

	if (m)
		pthread_mutex_init(&m->lock, NULL);
	return m;
}

void manners_free(struct manners *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < BUCKETS; i++) {
		for (struct row *row = m->buckets[i], *next; row; row = next) {
			next = row->next;
			free(row);
		}
	}
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* Ids end in random bytes. */
static struct row **bucket(struct manners *m, const struct uuid *node)
{
	return &m->buckets[(size_t)(node->b[14] << 8 | node->b[15]) % BUCKETS];
}

/* NULL: out of memory. */
static struct row *row_of(struct manners *m, const struct uuid *node)
{
	struct row **at = bucket(m, node);
	struct row *row = *at;

	while (row && !uuid_equal(&row->node, node))
		row = row->next;
	if (row)
		return row;
	row = calloc(1, sizeof(*row));
	if (row) {
		row->node = *node;
		row->next = *at;
		*at = row;
	}
	return row;
}

uint32_t manners_weight(size_t n_devices)
{
	return (uint32_t)(n_devices / LIMIT_REPORT_DEVICES);
}

static uint64_t admit_report(struct row *row, uint64_t now)
{
	return now < row->reports_from_ms
		       ? row->reports_from_ms - now
		       : quota_take(&row->reports, 1, LIMIT_RATE(NODE_REPORTS), now);
}

/* One that is refused was read for nothing: until it may come again, itself counted, none is. */
static uint64_t admit_devices(struct row *row, uint32_t n, uint64_t now)
{
	uint64_t wait = quota_take(&row->reports, n, LIMIT_RATE(NODE_REPORTS), now);

	if (!wait)
		return 0;
	wait += 1000 / LIMIT_NODE_REPORTS_PER_S;
	row->reports_from_ms = now + wait;
	return wait;
}

uint64_t manners_admit(struct manners *m, const struct uuid *node, enum manners_ask ask, uint32_t n)
{
	uint64_t now = clock_boot_ms(), wait = 0;
	struct row *row;

	pthread_mutex_lock(&m->lock);
	row = row_of(m, node);
	if (row && ask == MANNERS_HELLO)
		wait = quota_take(&row->hellos, n, LIMIT_RATE(NODE_HELLOS), now);
	else if (row && ask == MANNERS_CERTIFICATE)
		wait = quota_take(&row->certificates, n, LIMIT_RATE(NODE_CERTIFICATES), now);
	else if (row && ask == MANNERS_DEVICES)
		wait = admit_devices(row, n, now);
	else if (row)
		wait = admit_report(row, now);
	pthread_mutex_unlock(&m->lock);
	return wait;
}

bool manners_digest(struct manners *m, const struct uuid *node, bool differs, uint64_t generation)
{
	bool resync = false;
	struct row *row;

	pthread_mutex_lock(&m->lock);
	row = row_of(m, node);
	if (row) {
		m->n_differing -= row->mismatch.alarm;
		if (differs)
			resync = mismatch_note(&row->mismatch, generation, clock_boot_ms());
		else
			mismatch_settle(&row->mismatch);
		m->n_differing += row->mismatch.alarm;
	}
	pthread_mutex_unlock(&m->lock);
	return resync;
}

size_t manners_differing(struct manners *m)
{
	size_t n;

	pthread_mutex_lock(&m->lock);
	n = m->n_differing;
	pthread_mutex_unlock(&m->lock);
	return n;
}

void manners_forget(struct manners *m, const struct uuid *node)
{
	pthread_mutex_lock(&m->lock);
	for (struct row **at = bucket(m, node); *at; at = &(*at)->next) {
		struct row *row = *at;

		if (uuid_equal(&row->node, node)) {
			*at = row->next;
			m->n_differing -= row->mismatch.alarm;
			free(row);
			break;
		}
	}
	pthread_mutex_unlock(&m->lock);
}
