/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What stands in the URL, put into the request's message: variables of the
 * path, parameters of the query. A parameter that the message does not have,
 * comes twice or is already given elsewhere is refused by name. Runs where
 * the call is decoded.
 */
#ifndef QM_BIND_H
#define QM_BIND_H

#include <protobuf-c/protobuf-c.h>

#include "gateway/router.h"
#include "server/rpc/call.h"

/* All: 0, ERR_FIELD_INVALID with call->status filled, -ENOMEM. */
int bind_path(struct call *call, const struct router_match *match, ProtobufCMessage *msg)
	_must_check_;
/*
 * query may be NULL. Beside the message's own fields: wait, a duration, for
 * wait_ms. With a body only that one is read.
 */
int bind_query(struct call *call, const struct route *route, const struct router_match *match,
	       const char *query, ProtobufCMessage *msg) _must_check_;
/* "<path?query&page_token=token>; rel=\"next\"" in the arena; NULL out of memory. */
char *bind_next_link(const char *path, const char *query, const char *token, struct arena *arena);
/* "5s", "1.5s", "500ms"; -EINVAL. */
int bind_wait_ms(const char *s, uint64_t *ret_ms) _must_check_;

#endif
