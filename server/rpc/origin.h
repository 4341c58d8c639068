/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Does this request come from a page of the same site? Browsers say so in headers that a page
 * cannot forge; other clients send none and need none, unless a cookie is their credential. Pure.
 */
#ifndef QM_ORIGIN_H
#define QM_ORIGIN_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "server/rpc/exchange.h"

/* GET, HEAD and OPTIONS change nothing. */
bool origin_is_safe(const char *method);
/*
 * For requests that change something, sign-in among them. by_cookie: the
 * credential came by itself. 0, ERR_CROSS_SITE; *ret_why in plain words.
 */
int origin_check(const struct exchange *x, bool by_cookie, const char **ret_why) _must_check_;

#endif
