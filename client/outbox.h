/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests of one call on their way out, each with its frame head. Any
 * thread adds, the I/O thread takes. What was sent is kept while the call may
 * have to be sent again, within a bound.
 */
#ifndef QM_OUTBOX_H
#define QM_OUTBOX_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/cleanup.h"

/* With so many bytes unsent no further message is taken. */
#define OUTBOX_FULL (256 * 1024)
/* A stream that has sent more than this is not sent again. */
#define OUTBOX_KEPT_MAX (256 * 1024)

struct outbox_piece;

struct outbox {
	pthread_mutex_t lock;
	/* Under the lock. */
	TAILQ_HEAD(, outbox_piece) pieces; /* oldest first */
	struct outbox_piece *at;           /* the first with unsent bytes */
	size_t at_sent;                    /* bytes of it that are sent */
	size_t unsent, kept;
	bool gzip, ended, committed, cut, asked;
};

void outbox_init(struct outbox *o, bool gzip);
void outbox_done(struct outbox *o); /* wipes */

/*
 * One message (copied), compressed where that makes it smaller. -EAGAIN: full,
 * outbox_take will tell when there is room; -EPIPE: ended; -EINVAL: over 2 GiB;
 * -ENOMEM.
 */
int outbox_add(struct outbox *o, const void *message, size_t len) _must_check_;
/* Nothing more will be added. */
void outbox_end(struct outbox *o);

/* Bytes that may go now, most at most; *ret_last: nothing comes behind them. */
size_t outbox_ready(struct outbox *o, size_t most, bool *ret_last);
/* Copies out len bytes, no more than were ready. true: one who found it full may go on. */
bool outbox_take(struct outbox *o, uint8_t *to, size_t len);
/* All is sent and the end as well. */
bool outbox_is_over(struct outbox *o);
/* The call will not be sent again. */
void outbox_commit(struct outbox *o);
/* From the beginning once more; false: that is not there any more. */
bool outbox_rewind(struct outbox *o) _must_check_;

#endif
