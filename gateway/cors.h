/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages of other sites that may call us: the operator's list of exact origins
 * and nothing else. They may carry a bearer token; a cookie is never taken
 * from them, so no answer ever allows credentials. Read-only: any thread.
 */
#ifndef QM_CORS_H
#define QM_CORS_H

#include <stdbool.h>

#include "base/cleanup.h"
#include "gateway/answer.h"
#include "server/rpc/exchange.h"

struct cors;

/*
 * "https://app.example, http://localhost:5173". -EINVAL when one is no origin,
 * said in the log. NULL or empty: *ret is NULL, which all below take for none.
 */
int cors_new(const char *origins, struct cors **ret) _must_check_;
void cors_free(struct cors *c);
CLEANUP_DEFINE(struct cors, cors_free);

/* The request names one Origin and it is in the list. */
bool cors_allows(const struct cors *c, const struct exchange *x);
/* Sends the head, with what lets a page of a listed origin read it. */
void cors_head(const struct cors *c, struct exchange *x, unsigned http, struct answer *a);
/* Answers a preflight (whole); false: x is none. methods: "GET, POST". */
bool cors_preflight(const struct cors *c, struct exchange *x, const char *methods);

#endif
