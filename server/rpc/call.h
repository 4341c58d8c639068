/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One call from arrival to answer, whatever door it came through. A handler is
 *
 *   int fn(struct call *call, const In *in, Out *out)      unary
 *   int fn(struct call *call, const In *in)                server stream
 *   int fn(struct call *call, Out *out)                    client stream
 *   int fn(struct call *call)                              messages both ways
 *
 * It returns 0 (answer out), < 0 (-errno: INTERNAL), > 0 (enum err, best by
 * call_fail) or CALL_PARKED: somebody calls call_finish later, from any
 * thread. in and out live in the call's arena: handlers free nothing.
 */
#ifndef QM_CALL_H
#define QM_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/frame.h"
#include "base/log.h"
#include "base/method.h"
#include "base/status.h"
#include "base/text.h"

struct call;
struct exchange;
struct header;

/* Returned by a handler: the answer comes by call_finish. */
#define CALL_PARKED 0x10000
/* Bytes of an Idempotency-Key. */
#define CALL_IDEMPOTENCY_KEY_MAX 128

/* Who calls. Filled by the daemon's authenticate hook; tenant and ids come from the credential
 * only. */
struct caller {
	enum audience audience; /* AUDIENCE_PUBLIC until proven otherwise */
	struct uuid tenant_id;
	struct uuid user_id;    /* USER */
	struct uuid session_id; /* USER */
	struct uuid node_id;    /* AGENT, and USER through a node */
	enum role role;         /* USER */
	char name[129];         /* user or node */
	char token[65];         /* name of the service token that speaks for the user; "": none */
	bool via_agent;         /* a person's call that a node passed on */
	bool pass_on;           /* only the Control Panel knows who it is */
	int64_t expires_at_ms;  /* wall time; 0: never */
	char address[64];       /* of the person or node; a trusted node may name its client's */
	bool names_client;      /* and did: address is not the node's own */
};

/* How a call's results leave; a door fills one. All run on the call's loop but encode. */
struct call_door {
	const char *name;
	/*
	 * Request bytes -> message in call->arena. Runs after the guards. 0, enum err
	 * with call->status set, -ENOMEM.
	 */
	int (*decode)(struct call *call, ProtobufCMessage **ret_in);
	/* Message -> bytes as this door writes them; on whatever thread the handler ran. */
	int (*encode)(struct call *call, const ProtobufCMessage *msg, struct frame **ret_frame);
	/* One message of a stream, or the answer of a unary call. Takes the reference. */
	void (*message)(struct call *call, struct frame *frame);
	/* Last: call->status tells how it ended. */
	void (*done)(struct call *call);
	/* The handler takes messages (again); NULL in doors without client streams. */
	void (*receive)(struct call *call);
	/*
	 * A server stream passed the guards and its handler parked it: what is silent from here
	 * on may be shown as accepted. NULL: not this door's matter.
	 */
	void (*accepted)(struct call *call);
};

struct call {
	struct arena arena;
	const struct method *method;
	void *owner; /* as given to service_add: struct cp *, struct node * */
	struct caller caller;
	struct status status; /* of a refusal */
	struct log_ctx log;
	char request_id[33];
	uint64_t deadline_ms; /* clock_boot_ms; 0: none */
	const struct call_door *door;
	/* NULL in loopback calls of tests, or once gone. On the loop only: elsewhere use caller,
	 * peer_is_operator and call_metadata. */
	struct exchange *exchange;
	bool peer_is_operator; /* uid 0 or group qmesh-admin on the daemon's own socket */
	bool shares_frames;    /* set by the door: frames as gRPC writes them will do */
	bool agents_only;      /* set by the REST door: an address that only nodes may use */
	void *door_data;
	const char *
		session_cookie; /* set by the REST door: a session when there is no authorization */
	ProtobufCMessage *in;   /* NULL when the caller streams */
	bool zipped;            /* the message at hand came compressed */
	ProtobufCMessage *out;  /* one answer: initialised before the handler runs */
	void *user;             /* the handler's own, across parking */
};

/* --- for handlers --- */

/* Sets the refusal's words; returns e. */
int call_fail(struct call *call, enum err e, const char *fmt, ...) _printf_(3, 4);
/* FIELD_INVALID that names the field and the rule. */
int call_field(struct call *call, const char *field, const char *fmt, ...) _printf_(3, 4);
/* A refusal from elsewhere, with its details; returns its enum err, ERR_INTERNAL if it has none. */
int call_fail_status(struct call *call, const struct status *status);
/* Zeroed memory that lives as long as the call. */
#define call_alloc(call, len) arena_alloc(&(call)->arena, (len))
/* Request metadata or HTTP header (lower-case name), or NULL. */
const char *call_metadata(const struct call *call, const char *name);
/* One that says who calls, or which call it is, and came twice or is no such thing; NULL: none. */
const char *call_metadata_fault(const struct call *call, const char **ret_rule);
/* All of it, repeated names in the order they came. */
const struct header *call_metadata_all(const struct call *call, size_t *ret_n);
/* Metadata of the answer (initial, or HTTP header); copied. Before the first message. */
int call_header(struct call *call, const char *name, const char *fmt, ...) _printf_(3, 4);
/* The same behind the last message. Before call_finish. */
int call_trailer(struct call *call, const char *name, const char *fmt, ...) _printf_(3, 4);
/* The request as protobuf bytes, packed in the arena: what a node passes on. */
int call_request_bytes(struct call *call, const uint8_t **ret_p, size_t *ret_len) _must_check_;
/* Ms left until the deadline; UINT64_MAX: none. */
uint64_t call_remaining_ms(const struct call *call);

/* --- client streams: the handler asks for messages and returns CALL_PARKED --- */

/*
 * Both run on the call's loop and must not block. message: 0 for the next one,
 * anything else ends the call with it; msg is gone afterwards. half_closed: no
 * more messages come; its result is as a handler's.
 */
struct call_receiver {
	int (*message)(struct call *call, const ProtobufCMessage *msg, void *arg);
	int (*half_closed)(struct call *call, void *arg);
};

/* Messages come once the handler has returned. Once per call. -ENOMEM. */
int call_receive(struct call *call, const struct call_receiver *receiver, void *arg) _must_check_;
/*
 * Takes no more messages (on), or again (off); from any thread. Not needed for
 * a caller who does not read what he is sent: he is not read from either.
 */
void call_hold(struct call *call, bool on);

/* --- parked calls and streams; from any thread --- */

struct call *call_ref(struct call *call);
void call_unref(struct call *call);
CLEANUP_DEFINE(struct call, call_unref);
/* Ends a parked call or a stream. r as a handler returns it; once, later ones are ignored. */
void call_finish(struct call *call, int r);
/* Answers a parked unary call with protobuf bytes from elsewhere (decoded, encoded by the door). */
void call_finish_bytes(struct call *call, const void *p, size_t len);
/* Sends a message on a server stream. 0, ERR_CANCELLED when it is over; what does not encode ends
 * it. */
int call_send(struct call *call, const ProtobufCMessage *msg);
/* Sends a frame shared with other streams (with its 5 bytes); takes no reference. */
int call_send_frame(struct call *call, struct frame *frame);
/* Frames sent and not yet taken by the engine. */
size_t call_queued(struct call *call);
/*
 * fn runs once on the call's loop when the caller went away or the deadline
 * passed, or when the call ended. At once if it already did. Must not block.
 */
void call_on_end(struct call *call, void (*fn)(struct call *call, void *arg), void *arg);
/* fn runs on the call's loop after ms, unless the call ended first. One at a time per call. */
void call_after(struct call *call, uint64_t ms, void (*fn)(struct call *call, void *arg),
		void *arg);
bool call_is_over(struct call *call);

#endif
