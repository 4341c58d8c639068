/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The state of devices as people see it, and what it is made from: the last
 * handshake, bytes, which key. A table by device id; not locked: the replica
 * does that.
 */
#ifndef QM_PILL_H
#define QM_PILL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "server/peers/member.h"

#define PILL_CONNECTED_MS (180 * 1000)
#define PILL_RECENT_RX_MS (30 * 1000)
#define PILL_IDLE_MS (10 * 60 * 1000)
/* A node new on the interface: WireGuard tries every 5 s, and three tries are evidence. */
#define PILL_FIRST_SHAKE_MS (15 * 1000)

/* Numbers as enum DeviceStatus of device.proto. */
enum pill {
	PILL_WAITING = 1,
	PILL_CONNECTED,
	PILL_IDLE,
	PILL_OFFLINE,
	PILL_NOT_APPLIED,
	PILL_UNKNOWN,
	PILL_SUSPENDED,
};

struct pill_row {
	struct uuid device_id;
	uint32_t key_version; /* that shook hands */
	int64_t handshake_ms; /* wall time; 0: never with that key */
	int64_t last_rx_ms;   /* when rx_bytes last grew; 0: never */
	uint64_t rx_bytes, tx_bytes;
	enum pill told;   /* what the last report said */
	bool is_unsent;   /* changed since the last report */
	bool is_node;     /* another node, which no report tells of but by pill_is_unreached */
	int64_t since_ms; /* wall time it was first seen on the interface; nodes only */
};

struct pill_table {
	struct pill_row *rows; /* by device_id */
	size_t n, cap;
};

void pill_table_done(struct pill_table *t);
/* Finds or adds; NULL: out of memory. Valid until the next put. */
struct pill_row *pill_put(struct pill_table *t, const struct uuid *device_id);
const struct pill_row *pill_get(const struct pill_table *t, const struct uuid *device_id);
void pill_remove(struct pill_table *t, const struct uuid *device_id);

struct pill_view {
	const struct member *device;
	const struct pill_row *row; /* NULL: nothing known */
	bool applied;               /* its home has it on its interface, as far as known */
	bool home_down;
	int64_t now_ms;
};

enum pill pill_of(const struct pill_view *v);
/*
 * A node that there is no way to: tunnels between nodes are kept alive. One that is new has
 * PILL_FIRST_SHAKE_MS for its first handshake.
 */
bool pill_is_unreached(const struct pill_row *row, int64_t now_ms);
/* Handshake or traffic, whichever is later; 0: never. */
int64_t pill_last_seen_ms(const struct pill_row *row);

#endif
