/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The transport's part of a call: what crosses from any thread to the call's
 * loop, and how a call ends exactly once. The public part is call.h's.
 */
#ifndef QM_CALL_QUEUE_H
#define QM_CALL_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/rpc/core.h"
#include "server/rpc/dispatch.h"
#include "server/rpc/lane.h"

#define CALL_MAX_HEADERS 16
#define CALL_MAX_ON_END 4

struct queued_frame {
	struct queued_frame *next;
	struct frame *frame;
};

struct inflow;

struct live {
	struct call call; /* first: a struct call * is a struct live * */
	atomic_uint refs;
	struct services *services;
	struct server *server; /* NULL in loopback calls */
	struct loop *loop;     /* NULL in loopback calls: everything runs where it is called */
	struct live *prev, *next;
	handler_fn fn;
	struct lane_job job;
	struct loop_note note;
	struct timer deadline, after, session;
	void (*after_fn)(struct call *call, void *arg);
	void *after_arg;
	uint64_t after_ms;
	struct header *metadata; /* of the request, in the arena */
	size_t n_metadata;
	struct header headers[CALL_MAX_HEADERS]; /* of the answer, in the arena */
	size_t n_headers;
	struct header *trailers; /* CALL_MAX_HEADERS of them, or NULL; in the arena */
	size_t n_trailers;
	struct inflow *inflow; /* of a call whose handler takes messages; inflow.c's */

	pthread_mutex_t lock; /* what follows */
	struct queued_frame *head, **tail;
	size_t n_queued;    /* waiting for the loop */
	size_t n_engine;    /* with the door since it was last drained */
	bool posted;        /* the note is on its way */
	bool running;       /* a thread is inside the guards or the handler */
	bool finished;      /* the result stands; nothing more is queued */
	bool cancelled;     /* nobody waits for an answer */
	bool delivering;    /* the loop is at it */
	bool ended;         /* the door was told */
	bool audited;       /* the finished hook was told */
	bool listed;        /* in loop->calls */
	bool after_asked;   /* after_* are to be taken over by the loop */
	bool session_asked; /* the end of the caller's session is to be waited for */
	bool receive_asked; /* the door is to give messages */
	bool accept_asked;  /* the door is to hear that a stream was accepted */
	int result;
	struct {
		void (*fn)(struct call *call, void *arg);
		void *arg;
	} on_end[CALL_MAX_ON_END];
	size_t n_on_end;
	bool on_end_told;
};

static inline struct live *live_of(const struct call *call)
{
	return (struct live *)(uintptr_t)call;
}

/* On its loop: what is done there now may be secret. */
static inline void call_queue_secret(const struct live *l)
{
	if (l->loop)
		l->loop->secret |= l->call.method->policy.secret;
}

/* Zeroed, from what the loop keeps; NULL out of memory. loop may be NULL. */
struct live *call_queue_alloc(struct loop *loop);
/* At the loop's end. */
void call_queue_free_spare(struct loop *loop);
/* Something under the lock waits for the loop. */
void call_queue_wake(struct live *l);
/* Guards and handler are through, and the handler parked or not; the loop takes what is there. */
void call_queue_ran(struct live *l, bool parked);
/* Ends it without asking the handler: cancelled, deadline, drain. On the loop. */
void call_queue_cut(struct live *l, enum err why);
/* In the loop's list, for drain; its deadline runs. */
void call_queue_add(struct live *l);
/* Drain: ends streams (or all calls) of a loop, or of one of its connections, on that loop. */
void call_queue_end(struct loop *loop, bool streams_only, const struct conn *only);

/* --- call_clock.c --- */

/* The deadline runs. On the loop. */
void call_clock_start(struct live *l);
void call_clock_stop(struct live *l);
/* A person's stream ends with the session it was opened with. After the guards, on their thread. */
void call_clock_session(struct live *l);
/* Timers that were asked for are set. On the loop, under the lock. */
void call_clock_arm(struct live *l);

#endif
