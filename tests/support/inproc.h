/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls of nodes to a Control Panel in the same process: real guards and
 * handlers, and a stream whose frames wait in memory until the test takes them,
 * as they would in a socket. Frames arrive from the hub's thread.
 */
#ifndef QM_INPROC_H
#define QM_INPROC_H

#include "base/frame.h"
#include "base/status.h"
#include "server/rpc/service.h"

struct inproc_stream;

struct inproc_who {
	const char *bearer; /* "Bearer …"; NULL: nobody */
	const char *address;
};

/* A message as it goes out. */
struct inproc_request {
	const void *p;
	size_t len;
};

struct inproc_reply {
	struct status status;
	uint8_t *bytes; /* heap; NULL unless the code is 0 */
	size_t len;
};

/* Waits for the end. 0: the reply is filled. -ENOMEM. */
int inproc_unary(struct services *s, const char *path, const struct inproc_who *who,
		 const struct inproc_request *in, struct inproc_reply *ret_reply);
int inproc_open(struct services *s, const char *path, const struct inproc_who *who,
		const struct inproc_request *in, struct inproc_stream **ret);
/* The next frame, or NULL; the caller's reference. */
struct frame *inproc_take(struct inproc_stream *st);
size_t inproc_waiting(struct inproc_stream *st);
/* The most that ever waited. */
size_t inproc_most(struct inproc_stream *st);
/* The Control Panel ended it; how, into *ret_status (done by the caller). */
bool inproc_over(struct inproc_stream *st, struct status *ret_status);
/* The peer goes away, whatever still waits. Frees. */
void inproc_close(struct inproc_stream *st);

#endif
