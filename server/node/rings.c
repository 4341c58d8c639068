/* SPDX-License-Identifier: Apache-2.0 */
/* Rings of bytes per step; a step without a poll in it is a gap. */
#include "server/node/rings.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

#include "base/clock.h"

#define N_WINDOWS 3
#define MAX_STEPS 96

static const struct {
	const char *name;
	int64_t step_ms;
	size_t n;
} windows[N_WINDOWS] = {
	{"1m", 1000, 60},
	{"1h", 60 * 1000, 60},
	{"24h", 15 * 60 * 1000, 96},
};

struct row {
	struct uuid device_id;
	uint64_t rx_bytes, tx_bytes;
	struct rings_sample *samples[N_WINDOWS]; /* windows[].n each; NULL: no traffic yet */
};

struct rings {
	pthread_mutex_t lock;
	struct row *rows; /* by device_id */
	size_t n, cap;
};

struct rings *rings_new(void)
{
	struct rings *r = calloc(1, sizeof(*r));

	if (r)
		pthread_mutex_init(&r->lock, NULL);
	return r;
}

static void row_done(struct row *row)
{
	for (size_t i = 0; i < N_WINDOWS; i++)
		free(row->samples[i]);
}

void rings_free(struct rings *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < r->n; i++)
		row_done(&r->rows[i]);
	free(r->rows);
	pthread_mutex_destroy(&r->lock);
	free(r);
}

static size_t lower_bound(const struct rings *r, const struct uuid *id)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(r->rows[middle].device_id.b, id->b, sizeof(id->b)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct row *find(struct rings *r, const struct uuid *id)
{
	size_t i = lower_bound(r, id);

	return i < r->n && uuid_equal(&r->rows[i].device_id, id) ? &r->rows[i] : NULL;
}

static struct row *add(struct rings *r, const struct uuid *id)
{
	size_t i = lower_bound(r, id);

	if (r->n == r->cap) {
		size_t cap = r->cap ? r->cap * 2 : 16;
		struct row *rows = reallocarray(r->rows, cap, sizeof(*rows));

		if (!rows)
			return NULL;
		r->rows = rows;
		r->cap = cap;
	}
	memmove(r->rows + i + 1, r->rows + i, (r->n - i) * sizeof(*r->rows));
	r->n++;
	r->rows[i] = (struct row){.device_id = *id};
	return &r->rows[i];
}

static void count(struct row *row, size_t window, int64_t now_ms, uint64_t rx, uint64_t tx)
{
	int64_t step_ms = windows[window].step_ms, start = now_ms - now_ms % step_ms;
	struct rings_sample *s;

	if (!row->samples[window])
		row->samples[window] = calloc(windows[window].n, sizeof(*s));
	if (!row->samples[window])
		return;
	s = &row->samples[window][(size_t)(start / step_ms) % windows[window].n];
	if (s->time_ms != start)
		*s = (struct rings_sample){.time_ms = start};
	s->rx_bytes += rx;
	s->tx_bytes += tx;
}

void rings_add(struct rings *r, const struct uuid *device_id, uint64_t rx_bytes, uint64_t tx_bytes)
{
	int64_t now_ms = clock_wall_ms();
	struct row *row;

	if (!rx_bytes && !tx_bytes)
		return;
	pthread_mutex_lock(&r->lock);
	row = find(r, device_id);
	if (!row) {
		row = add(r, device_id);
		/* What came before we looked belongs to no step. */
		if (row)
			row->rx_bytes = rx_bytes, row->tx_bytes = tx_bytes;
	}
	if (row && (row->rx_bytes != rx_bytes || row->tx_bytes != tx_bytes)) {
		/* Counters that fell belong to a new key or a new interface. */
		uint64_t rx = rx_bytes >= row->rx_bytes ? rx_bytes - row->rx_bytes : rx_bytes;
		uint64_t tx = tx_bytes >= row->tx_bytes ? tx_bytes - row->tx_bytes : tx_bytes;

		for (size_t i = 0; i < N_WINDOWS; i++)
			count(row, i, now_ms, rx, tx);
		row->rx_bytes = rx_bytes;
		row->tx_bytes = tx_bytes;
	}
	pthread_mutex_unlock(&r->lock);
}

void rings_prune(struct rings *r, const struct members *list)
{
	size_t kept = 0;

	pthread_mutex_lock(&r->lock);
	for (size_t i = 0; i < r->n; i++)
		if (members_get(list, &r->rows[i].device_id))
			r->rows[kept++] = r->rows[i];
		else
			row_done(&r->rows[i]);
	r->n = kept;
	pthread_mutex_unlock(&r->lock);
}

static int compare_time(const void *a, const void *b)
{
	const struct rings_sample *x = a, *y = b;

	return x->time_ms < y->time_ms ? -1 : x->time_ms > y->time_ms;
}

int rings_read(struct rings *r, const struct uuid *device_id, const char *window,
	       struct rings_sample ret[RINGS_MAX_SAMPLES])
{
	int64_t oldest;
	size_t w = 0, n = 0;
	struct row *row;

	while (w < N_WINDOWS && strcmp(windows[w].name, window) != 0)
		w++;
	if (w == N_WINDOWS)
		return -EINVAL;
	oldest = clock_wall_ms() - windows[w].step_ms * (int64_t)windows[w].n;
	pthread_mutex_lock(&r->lock);
	row = find(r, device_id);
	for (size_t i = 0; row && row->samples[w] && i < windows[w].n; i++)
		if (row->samples[w][i].time_ms > oldest)
			ret[n++] = row->samples[w][i];
	pthread_mutex_unlock(&r->lock);
	qsort(ret, n, sizeof(*ret), compare_time);
	return (int)n;
}
