/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the I/O thread of a client does: its connections, and every call on its
 * way from the inbox to its end. Only that thread touches it; callbacks of
 * calls run inside, with no lock held.
 */
#ifndef QM_ENGINE_H
#define QM_ENGINE_H

#include <poll.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/carrier.h"
#include "client/pin.h"
#include "client/qcall.h"

#define ENGINE_MAX_CARRIERS 8
#define ENGINE_MAX_FDS (ENGINE_MAX_CARRIERS * DIAL_MAX_FDS)

/* Borrowed for the engine's life. */
struct engine_options {
	const struct target *target;
	struct qtls *tls; /* NULL unless TARGET_TLS */
	const char *server_name, *user_agent, *authority;
	size_t max_message;
	uint32_t connect_ms, keepalive_ms;
	int wake_fd;
};

struct engine {
	struct engine_options o;
	struct pin_set pins;   /* of the next connection */
	uint32_t keepalive_ms; /* grows when a server complains */
	LIST_HEAD(, carrier) carriers;
	struct carrier *current;            /* where new calls go */
	struct qcall_list pending, waiting; /* for a connection, for their time */
	struct qcall_list parked;           /* ended, but for messages not yet read */
	uint32_t backoff_ms;
	uint64_t redial_at;
	char why[512]; /* of the last failure to connect */
	uint64_t now;
	size_t n_secret; /* calls under way that hold secrets */
	bool secret;     /* one of them is, or was in this round */
};

void engine_init(struct engine *e, const struct engine_options *options);
/* A call that is new, cancelled, has something to send or reads again. */
void engine_attend(struct engine *e, struct qm_call *call, bool cancel);
/* Reads, writes, looks at clocks, places what waits. */
void engine_round(struct engine *e);
/* When the next round must be, if nothing happens before; CLOCK_MONOTONIC ms. */
uint64_t engine_due(const struct engine *e);
/* What to wait for; ret_fds holds ENGINE_MAX_FDS. */
nfds_t engine_poll(const struct engine *e, struct pollfd *ret_fds);
/* The client is being freed: every call ends, every connection too. */
void engine_end(struct engine *e);

#endif
