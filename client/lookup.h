/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A host name being looked up, IPv6 and IPv4 side by side. getaddrinfo blocks,
 * so each runs on a thread of its own that the I/O thread never waits for:
 * whoever lets go last frees.
 */
#ifndef QM_LOOKUP_H
#define QM_LOOKUP_H

#include <netdb.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cleanup.h"

struct lookup;

enum lookup_family { LOOKUP_V6, LOOKUP_V4, LOOKUP_FAMILIES };

/* wake_fd: an eventfd, duplicated here and written to when an answer is there. Addresses in
 * text are answered at once. -ENOMEM, -EAGAIN (no thread). */
int lookup_start(const char *host, uint16_t port, int wake_fd, struct lookup **ret_lookup)
	_must_check_;
/* Is the answer there? */
bool lookup_done(const struct lookup *l, enum lookup_family family);
/* After lookup_done. Owned by the lookup; NULL: there are none. */
const struct addrinfo *lookup_answer(const struct lookup *l, enum lookup_family family);
/* When both are done and none has an address. */
const char *lookup_why(const struct lookup *l);
void lookup_free(struct lookup *l);

#endif
