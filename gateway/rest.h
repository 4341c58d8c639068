/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One request through the REST door: JSON and URL in, a call, JSON out. It
 * lives in its call's arena, so a worker may still encode into it when the
 * client is gone. Everything but decode and encode runs on the exchange's loop.
 */
#ifndef QM_REST_H
#define QM_REST_H

#include "gateway/cookie.h"
#include "gateway/export.h"
#include "gateway/router.h"
#include "server/rpc/call.h"
#include "server/rpc/exchange.h"
#include "server/rpc/service.h"

struct sse;
struct sse_table;

struct rest {
	struct exchange *x; /* NULL once gone */
	struct call *call;
	struct services *services;
	const struct route *route;
	struct router_match match;
	bool dispatched;

	/* Of the request, copied: the exchange may be gone when they are read. */
	const char *path, *query;
	char cookie_name[COOKIE_NAME_MAX];
	uint8_t *body;
	size_t body_len, body_cap;

	/* Of the answer. */
	enum export_form form;
	char *set_cookie, *link;
	struct frame *frame; /* unary: the body */

	struct sse_table *streams;
	struct sse *sse; /* of an event stream */
};

/* The path has a route: makes the call, or answers a refusal. x->user is the rest, or NULL. */
void rest_open(struct exchange *x, struct services *services, struct sse_table *streams,
	       const struct router_match *match);
void rest_data(struct rest *r, const uint8_t *p, size_t len);
void rest_end(struct rest *r);
void rest_drained(struct rest *r);
void rest_gone(struct rest *r);

/* For sse.c: the refusal of a call as an answer; whole. */
void rest_answer_failure(struct rest *r);
/* For sse.c: the request's message from body, path and query. call_door.decode. */
int rest_decode(struct call *call, ProtobufCMessage **ret_in);

#endif
