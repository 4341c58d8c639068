/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a target, from the name to encrypted bytes: look-up, the
 * addresses in order, TLS. Non-blocking; driven by the I/O thread.
 */
#ifndef QM_DIAL_H
#define QM_DIAL_H

#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "client/qtls.h"
#include "client/target.h"

struct dial;

enum dial_state { DIAL_UNDER_WAY, DIAL_OPEN, DIAL_FAILED };

struct dial_options {
	const struct target *target; /* outlives the dial */
	struct qtls *tls;            /* outlives the dial; NULL unless TARGET_TLS */
	const char *server_name;     /* outlives the dial */
	struct pin_set pins;
	uint32_t connect_ms; /* for all of it */
	int wake_fd;         /* written to when a look-up is done */
};

/* Starts; failures show in dial_step. -ENOMEM. */
int dial_new(const struct dial_options *options, uint64_t now_ms, struct dial **ret_dial)
	_must_check_;
void dial_free(struct dial *d);
/* Goes on after poll; cheap to call too often. */
enum dial_state dial_step(struct dial *d, uint64_t now_ms);
/* For poll: -1 while there is no socket. */
int dial_fd(const struct dial *d);
short dial_events(const struct dial *d);
/* When dial_step must run at the latest. */
uint64_t dial_due(const struct dial *d);
/* Plain words on why it failed. */
const char *dial_why(const struct dial *d);
/* As read(2) and write(2), -errno instead of errno, -EAGAIN: not now. */
ssize_t dial_read(struct dial *d, void *p, size_t len);
ssize_t dial_write(struct dial *d, const void *p, size_t len);

#endif
