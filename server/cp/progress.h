/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which node has applied which generation, in memory, and the calls that wait
 * for it: an answer to a change leaves when the device's home has it, or all
 * live nodes, or the time is up. Any thread.
 */
#ifndef QM_PROGRESS_H
#define QM_PROGRESS_H

#include "quazzar/mesh/v1/agent.pb-c.h"
#include "quazzar/mesh/v1/mesh.pb-c.h"
#include "server/cp/cp.h"

struct progress;

struct progress_node {
	struct uuid id;
	bool online;
	uint64_t epoch, applied; /* 0: nothing yet */
	int64_t since_ms;        /* wall time: applied since */
	int64_t reported_ms;     /* last report; 0: none since this start */
	uint32_t failed;
	uint32_t listen_port;
	char backend[33], forwarding[301], dns_status[201];
};

struct progress *progress_new(struct cp *cp);
void progress_free(struct progress *p);

/* --- what the hub and reports say --- */

/* It exists, and is not online: before any stream, at the start. */
void progress_know(struct progress *p, const struct uuid *tenant, const struct uuid *node);
void progress_online(struct progress *p, const struct uuid *tenant, const struct uuid *node,
		     bool online);
void progress_published(struct progress *p, const struct uuid *tenant, uint64_t epoch,
			uint64_t generation);
/* A report arrived; wakes who waited for it. */
void progress_report(struct progress *p, const struct uuid *tenant, const struct uuid *node,
		     const Pb__ReportRequest *report);
void progress_forget(struct progress *p, const struct uuid *tenant, const struct uuid *node);

/* --- what answers need --- */

/* False: never heard of since this start (ret zeroed but for id). */
bool progress_get(struct progress *p, const struct uuid *tenant, const struct uuid *node,
		  struct progress_node *ret);
/* Live nodes that have a generation, of so many. */
void progress_count(struct progress *p, const struct uuid *tenant, uint64_t generation,
		    uint32_t *ret_applied, uint32_t *ret_live);
#define PROGRESS_DNS_MAX 201
/*
 * Mesh DNS by the live nodes: what they all say, "degraded: …" where they differ,
 * "off" without one.
 */
void progress_dns(struct progress *p, const struct uuid *tenant, char ret[PROGRESS_DNS_MAX]);
/* Newest generation that every live node has; 0: none is live. */
uint64_t progress_converged(struct progress *p, const struct uuid *tenant);
/* Ms from commit to the last live node; 0: not converged or not remembered. */
uint32_t progress_elapsed(struct progress *p, const struct uuid *tenant, uint64_t generation);
/* Copies ids of nodes known and not online; at most cap, their number. */
size_t progress_down(struct progress *p, const struct uuid *tenant, struct uuid *ret, size_t cap);

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

#endif
