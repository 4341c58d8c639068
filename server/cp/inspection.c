/* SPDX-License-Identifier: Apache-2.0 */
/* A table by node id, and the list of the tenant that was looked at last. */
#include "server/cp/inspection.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "server/peers/view.h"
#include "server/store/member_row.h"

enum { BUCKETS = 4096 };

struct row {
	struct uuid node;
	uint64_t epoch, generation; /* of what is expected; 0: of none */
	struct digest expected;
	uint64_t wrong_since_ms; /* boot time; 0: it is right */
	struct row *next;
};

struct inspection {
	struct cp *cp;
	pthread_mutex_t lock; /* guards all but list */
	struct row *buckets[BUCKETS];
	uint64_t next_ms;
	bool busy; /* and list is that thread's */
	struct list {
		struct uuid tenant;
		uint64_t epoch, generation;
		struct members *members;
	} list;
};

struct inspection *inspection_new(struct cp *cp)
{
	struct inspection *i = calloc(1, sizeof(*i));

	if (!i)
		return NULL;
	i->cp = cp;
	pthread_mutex_init(&i->lock, NULL);
	return i;
}

void inspection_free(struct inspection *i)
{
	if (!i)
		return;
	for (size_t b = 0; b < BUCKETS; b++) {
		for (struct row *row = i->buckets[b], *next; row; row = next) {
			next = row->next;
			free(row);
		}
	}
	members_free(i->list.members);
	pthread_mutex_destroy(&i->lock);
	free(i);
}

/* The place of a node's row, or where it would be. Ids end in random bytes. */
static struct row **find(struct inspection *i, const struct uuid *node)
{
	struct row **at = &i->buckets[(size_t)(node->b[14] << 8 | node->b[15]) % BUCKETS];

	while (*at && !uuid_equal(&(*at)->node, node))
		at = &(*at)->next;
	return at;
}

/* NULL: out of memory. */
static struct row *row_of(struct inspection *i, const struct uuid *node)
{
	struct row **at = find(i, node);

	if (!*at && (*at = calloc(1, sizeof(**at))))
		(*at)->node = *node;
	return *at;
}

void inspection_forget(struct inspection *i, const struct uuid *node)
{
	struct row **at, *row;

	pthread_mutex_lock(&i->lock);
	at = find(i, node);
	row = *at;
	if (row)
		*at = row->next;
	free(row);
	pthread_mutex_unlock(&i->lock);
}

/* --- looking --- */

static int put(void *arg, const struct uuid *id, const uint8_t *record, size_t len)
{
	(void)id;
	return members_put(arg, record, len);
}

static int load(struct txn *txn, void *ctx)
{
	struct list *list = ctx;
	struct tenant_row tenant;
	int r = tenant_row_get(txn, &list->tenant, &tenant);

	if (r)
		return r;
	list->epoch = tenant.epoch;
	list->generation = tenant.generation;
	return member_row_since(txn, &list->tenant, 0, put, list->members);
}

static bool has_list(struct inspection *i, const struct tenant_row *t)
{
	struct list *list = &i->list;

	if (list->members && uuid_equal(&list->tenant, &t->id) && list->epoch == t->epoch &&
	    list->generation == t->generation)
		return true;
	members_free(list->members);
	*list = (struct list){.tenant = t->id, .members = members_new()};
	if (list->members && !store_read(i->cp->store, load, list))
		return list->epoch == t->epoch && list->generation == t->generation;
	members_free(TAKE(list->members));
	return false;
}

/* By the thread that is busy, without the lock. */
static bool work_out(struct inspection *i, const struct tenant_row *t, const struct uuid *node,
		     struct digest *ret)
{
	struct view view;

	if (!has_list(i, t) || view_make(i->list.members, node, NULL, &view))
		return false;
	*ret = view.digest;
	view_done(&view);
	return true;
}

/* With the lock, which is let go meanwhile. */
static void look(struct inspection *i, const struct tenant_row *t, const struct uuid *node)
{
	uint64_t began = clock_boot_ms(), took;
	struct digest expected;
	struct row *row;
	bool done;

	if (i->busy || began < i->next_ms)
		return;
	i->busy = true;
	pthread_mutex_unlock(&i->lock);
	done = work_out(i, t, node, &expected);
	pthread_mutex_lock(&i->lock);
	i->busy = false;
	took = clock_boot_ms() - began;
	i->next_ms = began + (took + 1) * INSPECTION_SHARE;
	row = done ? row_of(i, node) : NULL;
	if (!row)
		return;
	row->epoch = t->epoch;
	row->generation = t->generation;
	row->expected = expected;
	tally_add(&i->cp->tally, TALLY_INSPECTED, 1);
}

/* What is refused, or promoted ahead of the log, is known and another matter. */
static bool is_comparable(const struct tenant_row *t, const Pb__ReportRequest *report)
{
	return report->epoch == t->epoch && report->applied_generation == t->generation &&
	       !report->n_failed && !report->n_promoted && report->device_digest.len == DIGEST_LEN;
}

bool inspection_differs(struct inspection *i, const struct tenant_row *tenant,
			const struct uuid *node, const Pb__ReportRequest *report)
{
	uint64_t now = clock_boot_ms();
	bool differs = false;
	struct row *row;

	if (!is_comparable(tenant, report))
		return false;
	pthread_mutex_lock(&i->lock);
	row = *find(i, node);
	if (!row || row->epoch != tenant->epoch || row->generation != tenant->generation)
		look(i, tenant, node);
	row = *find(i, node);
	if (row && row->epoch == tenant->epoch && row->generation == tenant->generation) {
		if (!memcmp(report->device_digest.data, row->expected.b, DIGEST_LEN))
			row->wrong_since_ms = 0;
		else if (!row->wrong_since_ms)
			row->wrong_since_ms = now;
		differs = row->wrong_since_ms && now - row->wrong_since_ms >= INSPECTION_SETTLE_MS;
	}
	pthread_mutex_unlock(&i->lock);
	return differs;
}
