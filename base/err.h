/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two kinds of failure. Every function that can fail returns int:
 *   0    done
 *   < 0  -errno: something broke; nobody matches on it, forward it with
 *        err_trace(); the caller of the API sees INTERNAL and a request id
 *   > 0  enum err: an answer for the caller, travels unchanged to the door
 * This is the only error table: enum -> reason -> gRPC code -> HTTP status.
 */
#ifndef QM_ERR_H
#define QM_ERR_H

#include <errno.h>

#include "base/cleanup.h"

/* gRPC status codes (grpc/grpc doc/statuscodes.md). */
enum grpc_code {
	GRPC_OK = 0,
	GRPC_CANCELLED = 1,
	GRPC_UNKNOWN = 2,
	GRPC_INVALID_ARGUMENT = 3,
	GRPC_DEADLINE_EXCEEDED = 4,
	GRPC_NOT_FOUND = 5,
	GRPC_ALREADY_EXISTS = 6,
	GRPC_PERMISSION_DENIED = 7,
	GRPC_RESOURCE_EXHAUSTED = 8,
	GRPC_FAILED_PRECONDITION = 9,
	GRPC_ABORTED = 10,
	GRPC_OUT_OF_RANGE = 11,
	GRPC_UNIMPLEMENTED = 12,
	GRPC_INTERNAL = 13,
	GRPC_UNAVAILABLE = 14,
	GRPC_DATA_LOSS = 15,
	GRPC_UNAUTHENTICATED = 16,
};

enum err {
	ERR_NONE = 0,
	/* INVALID_ARGUMENT, 400 */
	ERR_FIELD_INVALID,
	ERR_LABEL_INVALID,
	ERR_LABEL_RESERVED,
	ERR_PAGE_TOKEN_INVALID,
	/* UNAUTHENTICATED, 401 */
	ERR_TOKEN_MISSING,
	ERR_TOKEN_INVALID,
	ERR_LOGIN_FAILED,
	ERR_JOIN_TOKEN_INVALID,
	/* PERMISSION_DENIED, 403 */
	ERR_NOT_OWNER,
	ERR_ROLE_REQUIRED,
	ERR_SSO_REQUIRED,
	ERR_PLAN_LACKS_FEATURE,
	ERR_CROSS_SITE,
	/* NOT_FOUND, 404 */
	ERR_NOT_FOUND,
	/* ALREADY_EXISTS, 409 */
	ERR_LABEL_TAKEN,
	ERR_KEY_IN_USE,
	ERR_ADDRESS_IN_USE,
	ERR_IDEMPOTENCY_KEY_REUSED,
	/* RESOURCE_EXHAUSTED, 409 */
	ERR_DEVICE_CAP_REACHED,
	ERR_POOL_EXHAUSTED,
	/* RESOURCE_EXHAUSTED, 429 */
	ERR_RATE_LIMITED,
	/* FAILED_PRECONDITION, 400 */
	ERR_ADDRESS_OVERLAP,
	ERR_NEEDS_REHOME,
	ERR_DEVICE_HAS_NO_KEY,
	ERR_LICENCE_INVALID,
	/* ABORTED, 409 */
	ERR_CALL_IN_PROGRESS,
	/* INTERNAL, 500 */
	ERR_INTERNAL,
	/* UNAVAILABLE, 503 */
	ERR_CP_UNREACHABLE,
	ERR_DRAINING,
	ERR_OUTCOME_UNKNOWN,
	/* Of the transport: canonical mapping. */
	ERR_CANCELLED,         /* CANCELLED, 499 */
	ERR_DEADLINE_EXCEEDED, /* DEADLINE_EXCEEDED, 504 */
	ERR_UNIMPLEMENTED,     /* UNIMPLEMENTED, 501 */
	ERR_MESSAGE_TOO_LARGE, /* RESOURCE_EXHAUSTED, 413 over REST */
	ERR_MESSAGE_INVALID,   /* INTERNAL (gRPC body that does not decode), 400 */
	ERR_MAX_,
};

/* "LABEL_TAKEN"; "OK" for ERR_NONE. */
const char *err_reason(enum err e);
/* The reverse; ERR_MAX_ if unknown. */
enum err err_from_reason(const char *reason);
enum grpc_code err_grpc(enum err e);
unsigned err_http(enum err e);
/* "INVALID_ARGUMENT". */
const char *err_grpc_name(enum grpc_code code);
/* Canonical mapping (facts: google.rpc.Code), for statuses from elsewhere. */
unsigned err_http_of_grpc(enum grpc_code code);

/* Logs where a failure was born, once; returns r. */
int err_origin_at(int r, const char *file, int line, const char *func);
/* Logs a frame on the way up at debug level; returns r. */
int err_trace_at(int r, const char *file, int line);
#define err_origin(r) err_origin_at((r), __FILE__, __LINE__, __func__)
#define err_trace(r) err_trace_at((r), __FILE__, __LINE__)

#endif
