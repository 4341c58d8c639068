/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which node has applied which generation, in memory, and the calls that wait
 * for it: an answer to a change leaves when the device's home has it, or all
 * live nodes, or nobody is there who could, or the time is up. Any thread.
 */
#ifndef QM_PROGRESS_H
#define QM_PROGRESS_H

#include "quazzar/mesh/v1/agent.pb-c.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"
#include "server/cp/cp.h"
#include "server/cp/muster.h"

struct progress;

struct progress *progress_new(struct cp *cp);
void progress_free(struct progress *p);

/* --- what the hub and reports say --- */

/* What the store has at the start, before any stream. */
void progress_load(struct progress *p, const struct uuid *tenant, uint64_t epoch,
		   uint64_t generation);
/* The tenant's epoch as somebody read it: what was applied of an older one counts as nothing. */
void progress_epoch(struct progress *p, const struct uuid *tenant, uint64_t epoch);
/* A node exists, and is not online. */
void progress_know(struct progress *p, const struct uuid *tenant, const struct uuid *node);
void progress_online(struct progress *p, const struct uuid *tenant, const struct uuid *node,
		     bool online);
/* All that are known of a tenant; freed by the caller. */
int progress_nodes(struct progress *p, const struct uuid *tenant, struct uuid **ret_nodes,
		   size_t *ret_n) _must_check_;
/* Something was committed that the hub will publish: time counts from here. */
void progress_touched(struct progress *p, const struct uuid *tenant);
void progress_published(struct progress *p, const struct uuid *tenant, uint64_t epoch,
			uint64_t generation);
/*
 * A report arrived; wakes who waited for it. differs: what of it is not as it was
 * published.
 */
void progress_report(struct progress *p, const struct uuid *tenant, const struct uuid *node,
		     const Pb__ReportRequest *report, enum lag_differs differs);
void progress_forget(struct progress *p, const struct uuid *tenant, const struct uuid *node);

/* --- what answers need --- */

/* False: never heard of since this start (ret zeroed but for id). */
bool progress_get(struct progress *p, const struct uuid *tenant, const struct uuid *node,
		  struct muster_node *ret);
/* Where a node is with a generation. */
struct lag progress_lag(struct progress *p, const struct uuid *tenant, const struct uuid *node,
			uint64_t generation);
/* Live nodes that have a generation, of so many. */
void progress_count(struct progress *p, const struct uuid *tenant, uint64_t generation,
		    uint32_t *ret_applied, uint32_t *ret_live);
/* Newest generation that every live node has; 0: none is live. */
uint64_t progress_converged(struct progress *p, const struct uuid *tenant);
/* Ms from commit to the last live node; 0: not converged or not remembered. */
uint32_t progress_elapsed(struct progress *p, const struct uuid *tenant, uint64_t generation);
/* Copies ids of nodes known and not online; at most cap, their number. */
size_t progress_down(struct progress *p, const struct uuid *tenant, struct uuid *ret, size_t cap);

/* --- looks at whole tenants, for census.c --- */

/* Under the lock: fn does not block. */
void progress_look(struct progress *p, const struct uuid *tenant,
		   void (*fn)(void *arg, const struct muster *m), void *arg);
/* False: enough. */
typedef bool (*progress_look_fn)(void *arg, const struct uuid *tenant, const struct muster *m);
void progress_look_all(struct progress *p, progress_look_fn fn, void *arg);
/* How long publications took, of all tenants since the start. */
struct muster_times progress_times(struct progress *p);

/* --- answers that wait --- */

struct progress_wait {
	uint64_t generation;
	struct uuid home;
	uint32_t wait_ms;                /* 0: for the home alone, apply_wait at most */
	Pb__Device *ret_device;          /* in the answer; may be NULL */
	Pb__DeviceStatus status;         /* of that device when its home has it */
	void (*done)(struct call *call); /* just before the answer leaves; may be NULL */
};

/*
 * Sets the answer's headers and returns 0, or parks the call until there is
 * something to say.
 */
int progress_answer(struct call *call, const struct progress_wait *wait);
/* The headers of a change that answers at once: generation and how many have it. */
void progress_header(struct call *call, const struct uuid *tenant, uint64_t generation);

#endif
