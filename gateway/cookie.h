/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session cookie. Cookies know no ports, so its name holds the one in the
 * Host header: two daemons on one host do not sign each other out. Over TLS it
 * is __Host-qmesh-PORT, which no other host and no clear-text page can set.
 */
#ifndef QM_COOKIE_H
#define QM_COOKIE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/arena.h"
#include "server/rpc/exchange.h"

#define COOKIE_NAME_MAX 32

/* The name for this request's host and scheme; "" where there are no cookies (Unix socket). */
void cookie_name(const struct exchange *x, char ret[COOKIE_NAME_MAX]);
/* Its value in the arena; NULL: none, or several that differ. */
const char *cookie_find(const struct exchange *x, const char *name, struct arena *arena);
/* The Set-Cookie line for a session; max_age_s 0 clears it. NULL when out of memory. */
char *cookie_line(const char *name, const char *value, int64_t max_age_s, struct arena *arena);

#endif
