/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nodes of one tenant and what each has applied: who is live, the newest
 * generation that all of them have, when each publication was everywhere, and
 * who lags since when and why. A report costs the same however many nodes
 * there are. Values only: its owner has the lock.
 */
#ifndef QM_MUSTER_H
#define QM_MUSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/text.h"
#include "server/peers/lag.h"

enum { MUSTER_MARKS = 256, MUSTER_UNREACHED = 16, MUSTER_REFUSED = 16 };

/* A peer that an interface refused. */
struct muster_refused {
	struct uuid id;
	uint32_t error;
};

struct muster_node {
	struct uuid id;
	bool online;
	enum lag_differs differs; /* what is not as that generation makes it */
	uint64_t epoch, applied;  /* 0: nothing yet */
	int64_t since_ms;         /* wall time: applied since */
	int64_t reported_ms;      /* last report; 0: none since this start */
	int64_t turned_ms;        /* online or offline since; 0: not seen since this start */
	int64_t failed_since_ms;
	uint64_t heard_ms; /* boot time of the last report, or of the stream's start */
	uint32_t failed;   /* peers that its interface refused, the first of them: */
	struct uuid failed_id;
	uint32_t failed_errno;
	struct muster_refused refused[MUSTER_REFUSED];
	uint32_t n_refused;
	struct uuid unreached[MUSTER_UNREACHED]; /* nodes without a way between them */
	uint32_t n_unreached;
	int64_t clock_off_ms; /* its clock minus ours */
	bool lease_over;
	uint32_t listen_port;
	char backend[33], forwarding[301], dns_status[201], https_status[201];
	char overlap[201];
};

/* A generation that was published here: when, and how long until all had it. */
struct muster_mark {
	uint64_t generation, at_ms; /* boot time of the commit */
	int64_t wall_ms;
	uint32_t elapsed_ms; /* 0: not yet */
	bool unseen;         /* no node was there to take it */
};

/* How long publications took until the last live node had them. */
enum { MUSTER_BUCKETS = 12 };
extern const uint32_t muster_bucket_ms[MUSTER_BUCKETS]; /* at most; the last: any */

struct muster_times {
	uint64_t n[MUSTER_BUCKETS], count, sum_ms;
};

struct muster {
	uint64_t epoch, generation; /* as published last; 0: not known */
	struct muster_node **slots; /* by id, open addressing */
	size_t n_slots, n_nodes;
	uint32_t n_live, n_low;
	uint64_t low; /* what every live node has; n_low of them have no more */
	uint64_t touched_ms;
	struct muster_mark *marks; /* MUSTER_MARKS of them from the first publication on */
	size_t next_mark;
};

void muster_done(struct muster *m);

struct muster_node *muster_find(const struct muster *m, const struct uuid *id);
/* The node, known from now on; NULL: out of memory. */
struct muster_node *muster_add(struct muster *m, const struct uuid *id);
void muster_remove(struct muster *m, const struct uuid *id);
/* The next node; *at is 0 first. NULL: there are no more. */
struct muster_node *muster_next(const struct muster *m, size_t *at);

/* What it has of the tenant's present epoch. */
uint64_t muster_has(const struct muster *m, const struct muster_node *n);
/* Live nodes that have a generation. */
uint32_t muster_count(const struct muster *m, uint64_t generation);
/* Newest generation that every live node has; 0: none, or nobody is live. */
uint64_t muster_low(const struct muster *m);

/* Each of these may end marks: their times are added to times. */
void muster_online(struct muster *m, struct muster_node *n, bool online,
		   struct muster_times *times);
void muster_applied(struct muster *m, struct muster_node *n, uint64_t epoch, uint64_t generation,
		    struct muster_times *times);
/* A commit that will be published; the first one since the last publication counts. */
void muster_touch(struct muster *m);
void muster_publish(struct muster *m, uint64_t epoch, uint64_t generation);
/* What was published before this start. */
void muster_load(struct muster *m, uint64_t epoch, uint64_t generation);

/* The publication that carried a generation, NULL: not remembered. */
const struct muster_mark *muster_mark(const struct muster *m, uint64_t generation);
/* Where a node is with a generation. */
struct lag muster_lag(const struct muster *m, const struct muster_node *n, uint64_t generation);

#endif
