/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One connection to a target, from the name to encrypted bytes: look-up, the
 * race of its addresses, TLS. Non-blocking; driven by the I/O thread.
 */
#ifndef QM_DIAL_H
#define QM_DIAL_H

#include <poll.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/cleanup.h"
#include "client/qtls.h"
#include "client/race.h"
#include "client/target.h"

#define DIAL_MAX_FDS RACE_MAX

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
/* What to wait for, DIAL_MAX_FDS at most; once it is open the one socket. */
nfds_t dial_poll(const struct dial *d, struct pollfd *ret_fds);
/* When dial_step must run at the latest. */
uint64_t dial_due(const struct dial *d);
/* Plain words on why it failed. */
const char *dial_why(const struct dial *d);
/* As read(2) and write(2), -errno instead of errno, -EAGAIN: not now. */
ssize_t dial_read(struct dial *d, void *p, size_t len);
ssize_t dial_write(struct dial *d, const void *p, size_t len);

#endif
