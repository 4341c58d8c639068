/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gRPC-Web (grpc/grpc doc/PROTOCOL-WEB.md) for pages, over HTTP/1.1 and
 * HTTP/2: binary or as base64 text, the trailers in a last message with flag
 * 0x80. On the same paths as gRPC; the owner is the struct web.
 */
#ifndef QM_GRPCWEB_H
#define QM_GRPCWEB_H

#include "server/rpc/exchange.h"

extern const struct door grpcweb_door;

#endif
