/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer of a translating door: its headers gathered, then sent whole.
 * Values are borrowed until the head is sent. On the exchange's loop.
 */
#ifndef QM_ANSWER_H
#define QM_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "server/rpc/exchange.h"

#define ANSWER_MAX_HEADERS 48
#define ANSWER_REQUEST_ID_MAX 33

struct answer {
	struct header headers[ANSWER_MAX_HEADERS];
	size_t n;
};

/* value NULL: nothing is added. */
void answer_add(struct answer *a, const char *name, const char *value);
/* A handler's header: what it says of caches stands in place of our no-store. */
void answer_own(struct answer *a, const char *name, const char *value);
/* What every answer of the API carries; request_id may be NULL. */
void answer_init_api(struct answer *a, const char *content_type, const char *request_id);
/* Head, body and end. A HEAD request gets no body. */
void answer_send(struct exchange *x, unsigned http, const struct answer *a, const void *body,
		 size_t len);
/* google.rpc.Status as JSON with the HTTP status given; adds Retry-After and WWW-Authenticate. */
void answer_status(struct exchange *x, unsigned http, const struct status *s,
		   const char *request_id, const char *allow);
/* Errors of the transport, outside the table: 404 of a path, 405, 406, 415. Makes a request id. */
void answer_refuse(struct exchange *x, unsigned http, const char *allow, const char *fmt, ...)
	_printf_(4, 5);
/* May "application/json" be sent, by the Accept header? */
bool answer_accepts(const struct exchange *x, const char *type);

#endif
