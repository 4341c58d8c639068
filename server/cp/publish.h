/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the store holds, as frames for agent streams: encoded and signed once,
 * however many streams take them.
 */
#ifndef QM_PUBLISH_H
#define QM_PUBLISH_H

#include "quazzar/mesh/v1/agent.pb-c.h"
#include "server/cp/cp.h"
#include "server/cp/keyring.h"

/* What the signature of a head covers begins with this. */
#define PUBLISH_HEAD_MAGIC "qmesh-head/1"
#define PUBLISH_CHUNK 256
#define PUBLISH_MAX_ITEMS 4096

struct publish_frames {
	struct frame **frames;
	size_t n;
	uint64_t epoch, generation;
	char kid[KEYRING_KID_ROOM]; /* by which their heads are signed, if there are any */
};

void publish_frames_done(struct publish_frames *f);
/*
 * From one generation to the stored one: no frame when nothing is newer, one,
 * or too_big when a snapshot says it better.
 */
int publish_delta(struct cp *cp, const struct uuid *tenant, uint64_t from,
		  struct publish_frames *ret, bool *ret_too_big) _must_check_;
/* All members in chunks, read in one transaction. ERR_NOT_FOUND: no such tenant. */
int publish_snapshot(struct cp *cp, const struct uuid *tenant, struct publish_frames *ret)
	_must_check_;
/* The stored generation alone. */
int publish_generation(struct cp *cp, const struct uuid *tenant, uint64_t *ret_epoch,
		       uint64_t *ret_generation) _must_check_;
/* Sessions that ended early and would still be good. */
int publish_revocations(struct cp *cp, const struct uuid *tenant, struct frame **ret) _must_check_;
/* The node's Keys, with its share of K_psk; members in the arena. NULL: out of memory. */
Pb__Keys *publish_keys(struct cp *cp, struct arena *arena, const struct uuid *node);
/* The same as the stream's first event; wiped when freed. */
struct frame *publish_keys_frame(struct cp *cp, const struct uuid *node);

#endif
