/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection in use: a dial, an HTTP/2 session on it, and the calls that
 * it carries. Owned by the channel's I/O thread.
 */
#ifndef QM_CARRIER_H
#define QM_CARRIER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/dial.h"
#include "client/h2session.h"
#include "client/qcall.h"

struct carrier {
	struct dial *dial;
	struct h2session *h2;
	struct qcall_list calls; /* those with a stream */
	size_t n_calls;
	bool more;     /* to read, without asking poll */
	bool heard;    /* any byte at all */
	bool proven;   /* its SETTINGS are here: a gRPC server, most likely */
	bool draining; /* takes no more calls */
	bool calm;     /* it complained about our pings */
	uint64_t proven_due, heard_at, ping_due;
	uint32_t keepalive_ms;
	char why[512];
	void (*ended)(void *arg, struct qm_call *call, enum qcall_end end);
	void *arg;
	LIST_ENTRY(carrier) link;
};

struct carrier_options {
	struct dial_options dial;
	const char *authority, *user_agent;
	uint32_t keepalive_ms;
	/* The call has left the carrier. */
	void (*ended)(void *arg, struct qm_call *call, enum qcall_end end);
	void *arg;
};

int carrier_new(const struct carrier_options *options, uint64_t now_ms,
		struct carrier **ret_carrier) _must_check_;
/* Its calls must be gone (carrier_abandon). */
void carrier_free(struct carrier *c);
/* Streams that may be opened now. */
size_t carrier_room(const struct carrier *c);
/* -ENOMEM, -ENOTCONN. */
int carrier_start(struct carrier *c, struct qm_call *call, uint64_t timeout_ms, uint64_t now_ms)
	_must_check_;
/* Takes a call away; its stream is reset. */
void carrier_drop(struct carrier *c, struct qm_call *call);
/* Its caller reads again, or has sent something. */
void carrier_resume(struct carrier *c, struct qm_call *call);
/* Connects, reads, writes, pings. < 0: it is over, c->why says why. */
int carrier_step(struct carrier *c, uint64_t now_ms) _must_check_;
/* Ends all its calls as lost or untouched. */
void carrier_abandon(struct carrier *c);
/* What to wait for, DIAL_MAX_FDS at most. */
nfds_t carrier_poll(const struct carrier *c, struct pollfd *ret_fds);
uint64_t carrier_due(const struct carrier *c);

#endif
