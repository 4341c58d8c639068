/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connect (connectrpc.com/docs/protocol), over HTTP/1.1 and HTTP/2: unary
 * calls as plain POSTs of protobuf or JSON, or GETs where a method changes
 * nothing; streams of enveloped messages. It has what is left of the methods'
 * paths once the gRPC doors took theirs, so an OPTIONS, a wrong verb and a
 * wrong content-type end here too. The owner is the struct web.
 */
#ifndef QM_CONNECT_H
#define QM_CONNECT_H

#include <stdbool.h>
#include <stdint.h>

#include "server/rpc/exchange.h"

extern const struct door connect_door;

/* Connect-Timeout-Ms: at most ten digits, at least 1 ms; -EINVAL. */
int connect_timeout_parse(const char *s, uint64_t *ret_ms) _must_check_;

#endif
