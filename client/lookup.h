/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host name being looked up. getaddrinfo blocks, so it runs on a thread of
 * its own that the I/O thread never waits for: whoever lets go last frees.
 */
#ifndef QM_LOOKUP_H
#define QM_LOOKUP_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct lookup;

/* wake_fd: an eventfd, duplicated here and written to when the answer is there. Addresses in
 * text are answered at once. -ENOMEM, -EAGAIN (no thread). */
int lookup_start(const char *host, uint16_t port, int wake_fd, struct lookup **ret_lookup)
	_must_check_;
/* Is the answer there? */
bool lookup_done(const struct lookup *l);
/* Owned by the lookup; NULL: failed, see lookup_why. */
const struct addrinfo *lookup_answer(const struct lookup *l);
const char *lookup_why(const struct lookup *l);
void lookup_free(struct lookup *l);

#endif
