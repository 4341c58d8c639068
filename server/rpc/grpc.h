/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The gRPC door (grpc/grpc doc/PROTOCOL-HTTP2.md): unary calls and server
 * streams over HTTP/2, protobuf, no compression. Its owner is the struct
 * services * whose methods it serves.
 */
#ifndef QM_GRPC_H
#define QM_GRPC_H

#include "base/status.h"
#include "server/rpc/exchange.h"

extern const struct door grpc_door;

/* grpc-timeout -> ms, at least 1; -EINVAL. */
int grpc_timeout_parse(const char *s, uint64_t *ret_ms) _must_check_;

/* How gRPC and gRPC-Web tell a status: the values of their trailers; NULL: without that one. */
struct grpc_words {
	char code[3];  /* grpc-status */
	char *message; /* grpc-message */
	char *details; /* grpc-status-details-bin */
};

void grpc_words_init(struct grpc_words *w, const struct status *st);
void grpc_words_done(struct grpc_words *w);

#endif
