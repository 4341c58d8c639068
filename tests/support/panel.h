/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole Control Panel in the test's own process, called over loopback: real
 * store, real handlers, real guards and credentials, a door made here instead
 * of a socket. For tests that must reach under it: faults of disk and memory.
 */
#ifndef QM_PANEL_H
#define QM_PANEL_H

#include <pthread.h>

#include "server/cp/cp.h"
#include "server/rpc/dispatch.h"

#define PANEL_ANSWER_MAX (1 << 20)

struct panel {
	char dir[64];
	struct cp_conf conf;
	struct cp *cp;
	struct services *services;
};

/* Who calls: a bearer token, or the operator. */
struct panel_who {
	const char *token;
	bool is_operator;
	const char *idempotency_key;
};

/* One call's end, and the bytes of its last message. Reused from call to call. */
struct panel_answer {
	pthread_mutex_t lock;
	pthread_cond_t ended;
	/* Of a stream: each message, on the thread that sends it, under the lock. */
	void (*on_message)(void *arg, const uint8_t *p, size_t len);
	void *arg;
	struct call *call;
	const ProtobufCMessage *in;
	unsigned n_messages, n_done;
	enum err err;
	enum grpc_code code;
	char words[300];
	uint64_t retry_ms; /* of its RetryInfo; 0: none */
	size_t len;
	uint8_t bytes[PANEL_ANSWER_MAX];
};

/* A directory of its own, configuration by default but for what hinders a test. -errno. */
int panel_init(struct panel *p) _must_check_;
/* Starts it on what the directory holds. */
int panel_open(struct panel *p) _must_check_;
void panel_close(struct panel *p);
/* Closed; the directory goes. */
void panel_done(struct panel *p);

void panel_answer_init(struct panel_answer *a);
/* Waits for the end. -ENOMEM when there was no memory for the call itself. */
int panel_call(struct panel *p, const struct panel_who *who, const struct method *method,
	       const void *in, struct panel_answer *ret) _must_check_;
/* Starts a stream; panel_cut ends it, or it ends itself. in is held on to. */
int panel_stream(struct panel *p, const struct panel_who *who, const struct method *method,
		 const void *in, struct panel_answer *ret) _must_check_;
bool panel_is_over(struct panel_answer *a);
void panel_cut(struct panel_answer *a);

#endif
