/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/muster.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

const uint32_t muster_bucket_ms[MUSTER_BUCKETS] = {5,   10,   25,   50,   100,   250,
						   500, 1000, 2500, 5000, 10000, UINT32_MAX};

void muster_done(struct muster *m)
{
	for (size_t i = 0; i < m->n_slots; i++)
		free(m->slots[i]);
	free(m->slots);
	free(m->marks);
	*m = (struct muster){0};
}

/* --- by id --- */

/* Ids end in random bytes. */
static size_t first_slot(const struct muster *m, const struct uuid *id)
{
	uint64_t hash;

	memcpy(&hash, id->b + sizeof(id->b) - sizeof(hash), sizeof(hash));
	return hash & (m->n_slots - 1);
}

static struct muster_node **slot_of(const struct muster *m, const struct uuid *id)
{
	size_t i = first_slot(m, id);

	while (m->slots[i] && !uuid_equal(&m->slots[i]->id, id))
		i = (i + 1) & (m->n_slots - 1);
	return &m->slots[i];
}

struct muster_node *muster_find(const struct muster *m, const struct uuid *id)
{
	return m->n_slots ? *slot_of(m, id) : NULL;
}

struct muster_node *muster_next(const struct muster *m, size_t *at)
{
	while (*at < m->n_slots) {
		struct muster_node *n = m->slots[(*at)++];

		if (n)
			return n;
	}
	return NULL;
}

/* Never more than half full, so that a search ends soon. */
static int make_room(struct muster *m)
{
	struct muster bigger = *m;
	struct muster_node *n;
	size_t at = 0;

	if (m->n_slots >= 2 * (m->n_nodes + 1))
		return 0;
	bigger.n_slots = m->n_slots ? 2 * m->n_slots : 8;
	bigger.slots = calloc(bigger.n_slots, sizeof(struct muster_node *));
	if (!bigger.slots)
		return -1;
	while ((n = muster_next(m, &at)))
		*slot_of(&bigger, &n->id) = n;
	free(m->slots);
	m->slots = bigger.slots;
	m->n_slots = bigger.n_slots;
	return 0;
}

struct muster_node *muster_add(struct muster *m, const struct uuid *id)
{
	struct muster_node *n = muster_find(m, id);

	if (n || make_room(m))
		return n;
	n = calloc(1, sizeof(*n));
	if (!n)
		return NULL;
	n->id = *id;
	*slot_of(m, id) = n;
	m->n_nodes++;
	return n;
}

/* --- what all have --- */

uint64_t muster_has(const struct muster *m, const struct muster_node *n)
{
	/* Before an epoch is known, any one of a report may be right. */
	return !m->epoch || n->epoch == m->epoch ? n->applied : 0;
}

uint32_t muster_count(const struct muster *m, uint64_t generation)
{
	const struct muster_node *n;
	uint32_t count = 0;
	size_t at = 0;

	/* What people ask for most is on its way or everywhere. */
	if (m->n_live && m->low >= generation)
		return m->n_live;
	while ((n = muster_next(m, &at)))
		count += n->online && muster_has(m, n) >= generation;
	return count;
}

uint64_t muster_low(const struct muster *m)
{
	return m->n_live ? m->low : 0;
}

static void count_anew(struct muster *m)
{
	const struct muster_node *n;
	size_t at = 0;

	m->n_live = m->n_low = 0;
	m->low = 0;
	while ((n = muster_next(m, &at))) {
		uint64_t has = muster_has(m, n);

		if (!n->online)
			continue;
		if (!m->n_live++ || has < m->low) {
			m->low = has;
			m->n_low = 0;
		}
		m->n_low += has == m->low;
	}
}

/*
 * One node counts no more with what it had, or counts with what it has. Only when the last
 * of those that have least moves on, all are looked at: once for each generation.
 */
static void count_out(struct muster *m, uint64_t had)
{
	m->n_live--;
	m->n_low -= had == m->low;
}

static void count_in(struct muster *m, uint64_t has)
{
	if (!m->n_live++ || has < m->low) {
		m->low = has;
		m->n_low = 0;
	}
	m->n_low += has == m->low;
}

static void settle(struct muster *m, struct muster_times *times)
{
	uint64_t now = clock_boot_ms();

	if (m->n_live && !m->n_low)
		count_anew(m);
	for (size_t i = 0; m->marks && m->n_live && i < MUSTER_MARKS; i++) {
		struct muster_mark *mark = &m->marks[i];
		size_t bucket = 0;

		if (!mark->generation || mark->generation > m->low || mark->elapsed_ms)
			continue;
		mark->elapsed_ms = now > mark->at_ms ? (uint32_t)(now - mark->at_ms) : 1;
		if (mark->unseen)
			continue;
		while (mark->elapsed_ms > muster_bucket_ms[bucket])
			bucket++;
		times->n[bucket]++;
		times->count++;
		times->sum_ms += mark->elapsed_ms;
	}
}

void muster_online(struct muster *m, struct muster_node *n, bool online, struct muster_times *times)
{
	uint64_t has = muster_has(m, n), low = muster_low(m);

	if (n->online != online) {
		n->online = online;
		n->turned_ms = clock_wall_ms();
		if (online)
			count_in(m, has);
		else
			count_out(m, has);
	}
	n->heard_ms = clock_boot_ms();
	if (muster_low(m) > low || !m->n_low)
		settle(m, times);
}

void muster_applied(struct muster *m, struct muster_node *n, uint64_t epoch, uint64_t generation,
		    struct muster_times *times)
{
	uint64_t had = muster_has(m, n), low = muster_low(m);

	if (n->applied != generation || n->epoch != epoch) {
		n->since_ms = clock_wall_ms();
		n->differs = LAG_FITS;
	}
	n->epoch = epoch;
	n->applied = generation;
	n->heard_ms = clock_boot_ms();
	if (n->online && muster_has(m, n) != had) {
		count_out(m, had);
		count_in(m, muster_has(m, n));
	}
	if (muster_low(m) > low || !m->n_low)
		settle(m, times);
}

void muster_remove(struct muster *m, const struct uuid *id)
{
	struct muster_node *n = muster_find(m, id), **slots = m->slots;
	struct muster_times ignored = {0};
	size_t n_slots = m->n_slots;

	if (!n)
		return;
	if (n->online)
		muster_online(m, n, false, &ignored);
	*slot_of(m, id) = NULL;
	m->n_nodes--;
	/* Others were put behind it: rare enough to put all of them anew. */
	m->slots = calloc(n_slots, sizeof(struct muster_node *));
	if (!m->slots) {
		/* Without memory it stays where it was, and is forgotten in all but name. */
		m->slots = slots;
		*slot_of(m, id) = n;
		m->n_nodes++;
		return;
	}
	for (size_t i = 0; i < n_slots; i++) {
		if (slots[i])
			*slot_of(m, &slots[i]->id) = slots[i];
	}
	free(slots);
	free(n);
}

/* --- publications --- */

void muster_touch(struct muster *m)
{
	if (!m->touched_ms)
		m->touched_ms = clock_boot_ms();
}

void muster_load(struct muster *m, uint64_t epoch, uint64_t generation)
{
	m->generation = generation;
	if (m->epoch == epoch)
		return;
	m->epoch = epoch;
	count_anew(m);
}

void muster_publish(struct muster *m, uint64_t epoch, uint64_t generation)
{
	if (!m->marks)
		m->marks = calloc(MUSTER_MARKS, sizeof(*m->marks));
	/* Without memory nothing is known of the time it took. */
	if (generation != m->generation && m->marks) {
		m->marks[m->next_mark] = (struct muster_mark){
			.generation = generation,
			.at_ms = m->touched_ms ? m->touched_ms : clock_boot_ms(),
			.wall_ms = clock_wall_ms(),
			.unseen = !m->n_live,
		};
		m->next_mark = (m->next_mark + 1) % MUSTER_MARKS;
	}
	m->touched_ms = 0;
	muster_load(m, epoch, generation);
}

const struct muster_mark *muster_mark(const struct muster *m, uint64_t generation)
{
	const struct muster_mark *found = NULL;
	bool older = false;

	for (size_t i = 0; m->marks && i < MUSTER_MARKS; i++) {
		const struct muster_mark *mark = &m->marks[i];

		if (mark->generation >= generation &&
		    (!found || mark->generation < found->generation))
			found = mark;
		older = older || (mark->generation && mark->generation < generation);
	}
	/* Without an older one the memory may have begun after it. */
	return found && (older || found->generation == generation) ? found : NULL;
}

/* --- who lags --- */

/* When the first publication was made that it does not have. */
static int64_t behind_since(const struct muster *m, uint64_t has)
{
	const struct muster_mark *first = NULL;

	for (size_t i = 0; m->marks && i < MUSTER_MARKS; i++) {
		const struct muster_mark *mark = &m->marks[i];

		if (mark->generation > has && (!first || mark->generation < first->generation))
			first = mark;
	}
	return first ? first->wall_ms : 0;
}

struct lag muster_lag(const struct muster *m, const struct muster_node *n, uint64_t generation)
{
	uint64_t now = clock_boot_ms(), silent_ms = now > n->heard_ms ? now - n->heard_ms : 0;
	struct lag lag = {.node_id = n->id, .state = LAG_CURRENT, .generation = muster_has(m, n)};

	if (!n->online) {
		lag.state = LAG_OFFLINE;
		lag.since_ms = n->turned_ms;
	} else if (lag.generation < generation) {
		lag.state = silent_ms > LAG_SILENT_MS ? LAG_SILENT : LAG_BEHIND;
		if (lag.state == LAG_BEHIND && !n->reported_ms)
			lag.state = LAG_JOINING;
		lag.silent_s = (uint32_t)(silent_ms / 1000);
		lag.since_ms = behind_since(m, lag.generation);
		/* A node that came later did not lag before. */
		if (n->turned_ms > lag.since_ms)
			lag.since_ms = n->turned_ms;
	} else if (n->differs) {
		lag.state = LAG_DIFFERS;
		lag.differs = n->differs;
		lag.since_ms = n->since_ms;
	} else if (n->failed) {
		lag.state = LAG_REFUSED;
		lag.since_ms = n->failed_since_ms;
		lag.failed = n->failed;
		lag.failed_id = n->failed_id;
		lag.failed_errno = n->failed_errno;
	}
	return lag;
}
