/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/misdeeds.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "server/cp/audit.h"

/* So many nodes and kinds are told in a minute; who comes later is counted by the metrics alone. */
enum { MISDEEDS_MAX = 1024 };

struct misdeed {
	struct uuid tenant, node;
	const char *action, *words;
	char name[129], address[64];
	int64_t first_ms;
	uint64_t n;
};

struct misdeeds {
	pthread_mutex_t lock;
	struct misdeed all[MISDEEDS_MAX];
	size_t n;
};

struct misdeeds *misdeeds_new(void)
{
	struct misdeeds *m = calloc(1, sizeof(*m));

	if (m)
		pthread_mutex_init(&m->lock, NULL);
	return m;
}

void misdeeds_free(struct misdeeds *m)
{
	if (!m)
		return;
	pthread_mutex_destroy(&m->lock);
	free(m);
}

/* NULL: there is no room for one more. */
static struct misdeed *find(struct misdeeds *m, const struct call *call, const char *action)
{
	struct misdeed *d;

	for (size_t i = 0; i < m->n; i++) {
		d = &m->all[i];
		if (uuid_equal(&d->node, &call->caller.node_id) && !strcmp(d->action, action))
			return d;
	}
	if (m->n == MISDEEDS_MAX)
		return NULL;
	d = &m->all[m->n++];
	*d = (struct misdeed){.tenant = call->caller.tenant_id,
			      .node = call->caller.node_id,
			      .action = action,
			      .first_ms = clock_wall_ms()};
	snprintf(d->name, sizeof(d->name), "%s", call->caller.name);
	snprintf(d->address, sizeof(d->address), "%s", call->caller.address);
	return d;
}

void misdeeds_note(struct misdeeds *m, const struct call *call, const char *action,
		   const char *words)
{
	struct misdeed *d;

	pthread_mutex_lock(&m->lock);
	d = find(m, call, action);
	if (d) {
		d->n++;
		d->words = words;
	}
	pthread_mutex_unlock(&m->lock);
}

struct batch {
	size_t n;
	struct misdeed all[];
};

static int write_all(struct txn *txn, void *ctx)
{
	const struct batch *b = ctx;
	int r = 0;

	for (size_t i = 0; !r && i < b->n; i++) {
		const struct misdeed *d = &b->all[i];
		struct audit_row row = {
			.tenant = d->tenant, .time_ms = d->first_ms, .object_id = d->node};

		snprintf(row.actor, sizeof(row.actor), "%s", d->name);
		snprintf(row.action, sizeof(row.action), "%s", d->action);
		snprintf(row.object, sizeof(row.object), "%s (%llu)", d->words,
			 (unsigned long long)d->n);
		snprintf(row.origin, sizeof(row.origin), "%s", d->address);
		r = audit_end(txn, &row, 0);
		/* Its tenant may be gone. */
		r = r == ERR_NOT_FOUND ? 0 : r;
	}
	return err_trace(r);
}

void misdeeds_flush(struct cp *cp)
{
	struct misdeeds *m = cp->misdeeds;
	_cleanup_(freep) struct batch *b = NULL;

	pthread_mutex_lock(&m->lock);
	b = m->n ? malloc(sizeof(*b) + m->n * sizeof(m->all[0])) : NULL;
	if (b) {
		b->n = m->n;
		memcpy(b->all, m->all, m->n * sizeof(m->all[0]));
		m->n = 0;
	}
	pthread_mutex_unlock(&m->lock);
	if (!b)
		return;
	if (store_write(cp->store, write_all, NULL, b))
		log_warn("audit", "what nodes did wrong could not be written");
	for (size_t i = 0; i < b->n; i++)
		log_warn("audit", "%s by node %s from %s: %s, %llu times within a minute",
			 b->all[i].action, b->all[i].name, b->all[i].address, b->all[i].words,
			 (unsigned long long)b->all[i].n);
}
