/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When each device was last seen, as its home tells: kept in memory, written
 * every few minutes, passed on to nodes where somebody looks. Any thread.
 */
#ifndef QM_PRESENCE_H
#define QM_PRESENCE_H

#include "quazzar/mesh/v1/agent.pb-c.h"
#include "quazzar/mesh/v1/device.pb-c.h"
#include "server/cp/cp.h"

struct presence;

struct presence_status {
	int64_t handshake_ms; /* wall time; 0: never */
	int64_t rx_at_ms;     /* when rx last grew; 0: never */
	uint64_t rx, tx;
	uint32_t key_version;
};

int presence_new(struct cp *cp, struct presence **ret_presence) _must_check_;
void presence_free(struct presence *p);

/* What a node says of its devices; relays it. */
void presence_report(struct presence *p, const struct uuid *tenant, const struct uuid *node,
		     Pb__PeerStatus *const *statuses, size_t n);
/* Zero when never seen. */
void presence_get(struct presence *p, const struct uuid *tenant, const struct uuid *device,
		  struct presence_status *ret);
void presence_forget(struct presence *p, const struct uuid *tenant, const struct uuid *device);
/* Devices that a status is remembered of. */
size_t presence_count(struct presence *p);
/*
 * A DeviceStatusUpdate with these statuses, without any the homes that are away, and the
 * generation all have; NULL: out of memory.
 */
struct frame *presence_update(struct cp *cp, const struct uuid *tenant,
			      Pb__PeerStatus *const *statuses, size_t n);
/*
 * All statuses of the tenant in parts: the part from *at on, 0 for the first, which moves to the
 * next one, or to 0 behind the last. Only the last one is full and has homes and convergence.
 */
struct frame *presence_part(struct cp *cp, const struct uuid *tenant, size_t *at);
/* What the pill shows. */
Pb__DeviceStatus presence_pill(const struct presence_status *s, int64_t now_ms);
/* Writes what changed. */
void presence_flush(struct presence *p);

#endif
