/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A tenant's streams and what they are given: changes as they are committed,
 * what a stream lacks when it begins or was behind, as little of it as can be.
 * A stream whose node does not read is given nothing more until it has read;
 * then one message tells what it missed. All of it belongs to the hub's
 * thread, which alone calls this.
 */
#ifndef QM_ROOM_H
#define QM_ROOM_H

#include "server/cp/eventlog.h"
#include "server/cp/keyring.h"
#include "server/cp/publish.h"
#include "server/cp/tally.h"

struct rooms;
struct room;

struct stream {
	struct call *call;
	struct room *room;
	struct uuid node;
	int64_t expires_ms;
	uint64_t interest_until_ms;
	size_t status_at; /* of presence's parts, the one to send next; 0: none */
	/* The list its node has once it has read all that was sent; 0: none. */
	uint64_t epoch, sent;
	size_t queued_bytes; /* sent since the queue was last empty */
	bool behind;         /* given nothing more until its queue is empty */
	uint64_t failed_ms;  /* it could not be given what it lacks; 0: never */
	struct stream *prev, *next, *next_same;
};

#define ROOM_DELTAS 4

struct room {
	struct rooms *all;
	struct uuid tenant;
	uint64_t epoch, published; /* 0: not looked up yet */
	bool must_publish;         /* the store did not answer */
	uint64_t failed_ms;        /* when it was asked again last */
	struct stream *streams;
	size_t n_streams;
	char kid[KEYRING_KID_ROOM]; /* by which what follows is signed */
	struct eventlog log;
	struct publish_frames snapshot;
	uint64_t snapshot_used_ms;
	struct publish_frames deltas[ROOM_DELTAS]; /* from each generation below to the newest */
	uint64_t delta_from[ROOM_DELTAS];
	size_t next_delta;
	struct frame *revocations; /* in full, as of then */
	uint64_t revocations_ms;
	uint64_t liveness_due_ms, liveness_sent_ms; /* 0: none due */
	bool liveness_to_all;                       /* else to those that show interest */
	uint64_t census_ms, census_mark;            /* who is up to date, as looked at last */
	uint64_t asked_until_ms;                    /* nodes are asked for statuses; 0: never */
	struct room *next;
};

/* --- all of them --- */

struct rooms *rooms_new(struct cp *cp);
/* Gives up the calls of streams that are left. */
void rooms_free(struct rooms *rooms);
CLEANUP_DEFINE(struct rooms, rooms_free);
/* NULL: there is none, or no memory to make it. */
struct room *rooms_get(struct rooms *rooms, const struct uuid *tenant, bool make);
void rooms_each(struct rooms *rooms, void (*fn)(struct room *room, void *arg), void *arg);
/* The node's stream or NULL. */
struct stream *rooms_stream(struct rooms *rooms, const struct uuid *tenant,
			    const struct uuid *node);
size_t rooms_streams(const struct rooms *rooms);
/* Streams whose node does not read. */
size_t rooms_behind(const struct rooms *rooms);
/* Brings up to date who has read by now, tells who is away; every turn of the hub. */
void rooms_turn(struct rooms *rooms);

/* --- one --- */

struct cp *room_cp(const struct room *room);
/* Takes the call. NULL: out of memory, the call is still the caller's. */
struct stream *room_enter(struct room *room, struct call *call, const struct uuid *node);
void room_leave(struct stream *stream);
/* What was committed goes to all streams; -errno: later, nothing is lost. */
int room_publish(struct room *room);
/* Keys, revocations, and what its list lacks. */
int room_greet(struct stream *stream) _must_check_;
/* False: the stream is behind, and is told when it has read. */
bool room_send(struct stream *stream, struct frame *frame);
void room_send_all(struct room *room, struct frame *frame);
/* Other keys than before: to each stream its own. */
void room_tell_keys(struct room *room);
/* Which CAs are live; nodes whose certificate is of another one ask for one. */
void room_tell_cas(struct room *room);
/* Who is away and what all have, soon. */
void room_tell_liveness(struct room *room);
/* Who is up to date, soon, to nodes that show interest. */
void room_tell_convergence(struct room *room);
/* Sessions ended: what was made of them before is old. */
void room_forget_revocations(struct room *room);

#endif
