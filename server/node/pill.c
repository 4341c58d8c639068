/* SPDX-License-Identifier: Apache-2.0 */
/* Device states. Pure; a sorted array because ids arrive in order of birth. */
#include "server/node/pill.h"

#include <string.h>

void pill_table_done(struct pill_table *t)
{
	free(t->rows);
	*t = (struct pill_table){0};
}

static size_t lower_bound(const struct pill_table *t, const struct uuid *id)
{
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(t->rows[middle].device_id.b, id->b, sizeof(id->b)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static bool is_at(const struct pill_table *t, size_t i, const struct uuid *id)
{
	return i < t->n && uuid_equal(&t->rows[i].device_id, id);
}

struct pill_row *pill_put(struct pill_table *t, const struct uuid *device_id)
{
	size_t i = lower_bound(t, device_id);

	if (is_at(t, i, device_id))
		return &t->rows[i];
	if (t->n == t->cap) {
		size_t cap = t->cap ? t->cap * 2 : 16;
		struct pill_row *rows = reallocarray(t->rows, cap, sizeof(*rows));

		if (!rows)
			return NULL;
		t->rows = rows;
		t->cap = cap;
	}
	memmove(t->rows + i + 1, t->rows + i, (t->n - i) * sizeof(*t->rows));
	t->n++;
	t->rows[i] = (struct pill_row){.device_id = *device_id};
	return &t->rows[i];
}

const struct pill_row *pill_get(const struct pill_table *t, const struct uuid *device_id)
{
	size_t i = lower_bound(t, device_id);

	return is_at(t, i, device_id) ? &t->rows[i] : NULL;
}

void pill_remove(struct pill_table *t, const struct uuid *device_id)
{
	size_t i = lower_bound(t, device_id);

	if (!is_at(t, i, device_id))
		return;
	memmove(t->rows + i, t->rows + i + 1, (t->n - i - 1) * sizeof(*t->rows));
	t->n--;
}

/* The overlap of a rotation: either key that the record still names is the device's own. */
static bool is_present_key(const struct member *device, uint32_t key_version)
{
	return key_version && (key_version == device->device.active.key_version ||
			       key_version == device->device.pending.key_version);
}

enum pill pill_of(const struct pill_view *v)
{
	const struct pill_row *row = v->row;
	int64_t age;

	if (v->device->suspended)
		return PILL_SUSPENDED;
	if (v->home_down)
		return PILL_UNKNOWN;
	if (!v->applied)
		return PILL_NOT_APPLIED;
	if (!row || !row->handshake_ms || !is_present_key(v->device, row->key_version))
		return PILL_WAITING;
	age = v->now_ms - row->handshake_ms;
	if (age <= PILL_CONNECTED_MS ||
	    (row->last_rx_ms && v->now_ms - row->last_rx_ms <= PILL_RECENT_RX_MS))
		return PILL_CONNECTED;
	return age <= PILL_IDLE_MS ? PILL_IDLE : PILL_OFFLINE;
}

int64_t pill_last_seen_ms(const struct pill_row *row)
{
	if (!row)
		return 0;
	return row->handshake_ms > row->last_rx_ms ? row->handshake_ms : row->last_rx_ms;
}

bool pill_is_unreached(const struct pill_row *row, int64_t now_ms)
{
	return row && row->is_node && now_ms - row->handshake_ms > PILL_CONNECTED_MS &&
	       now_ms - row->since_ms > PILL_FIRST_SHAKE_MS;
}
