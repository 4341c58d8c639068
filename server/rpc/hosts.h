/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whom a listener serves, and under which names: a list of hosts against the request's
 * authority, networks against the peer's address. Pure.
 */
#ifndef QM_HOSTS_H
#define QM_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/cidr.h"

/*
 * Is the authority one of the hosts (blanks between them; "[fd00::1]" in brackets), by
 * itself or with this port? Case does not count, everything else does.
 */
bool hosts_name(const char *hosts, uint16_t port, const char *authority);
/* "localhost", "127.0.0.1" or "[::1]", with any port. */
bool hosts_loopback(const char *authority);
/* Is the peer in one of the networks? One of family 0 holds nobody; all of it: everybody. */
bool hosts_from(const struct cidr *from, size_t n, const struct sockaddr *peer);

#endif
