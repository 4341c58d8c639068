/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The only error table: what a caller is told, over gRPC and over REST. Rows
 * are in the order of enum err; a row that is missing does not compile. Pure
 * data, any thread.
 */
#include "base/err.h"

#include <string.h>

#include "base/log.h"

struct err_row {
	const char *reason;
	enum grpc_code code;
	unsigned http;
};

/* clang-format off */
static const struct err_row rows[] = {
	[ERR_NONE]                   = {"OK", GRPC_OK, 200},
	[ERR_FIELD_INVALID]          = {"FIELD_INVALID", GRPC_INVALID_ARGUMENT, 400},
	[ERR_LABEL_INVALID]          = {"LABEL_INVALID", GRPC_INVALID_ARGUMENT, 400},
	[ERR_LABEL_RESERVED]         = {"LABEL_RESERVED", GRPC_INVALID_ARGUMENT, 400},
	[ERR_PAGE_TOKEN_INVALID]     = {"PAGE_TOKEN_INVALID", GRPC_INVALID_ARGUMENT, 400},
	[ERR_TOKEN_MISSING]          = {"TOKEN_MISSING", GRPC_UNAUTHENTICATED, 401},
	[ERR_TOKEN_INVALID]          = {"TOKEN_INVALID", GRPC_UNAUTHENTICATED, 401},
	[ERR_LOGIN_FAILED]           = {"LOGIN_FAILED", GRPC_UNAUTHENTICATED, 401},
	[ERR_JOIN_TOKEN_INVALID]     = {"JOIN_TOKEN_INVALID", GRPC_UNAUTHENTICATED, 401},
	[ERR_NOT_OWNER]              = {"NOT_OWNER", GRPC_PERMISSION_DENIED, 403},
	[ERR_ROLE_REQUIRED]          = {"ROLE_REQUIRED", GRPC_PERMISSION_DENIED, 403},
	[ERR_SSO_REQUIRED]           = {"SSO_REQUIRED", GRPC_PERMISSION_DENIED, 403},
	[ERR_PLAN_LACKS_FEATURE]     = {"PLAN_LACKS_FEATURE", GRPC_PERMISSION_DENIED, 403},
	[ERR_CROSS_SITE]             = {"CROSS_SITE", GRPC_PERMISSION_DENIED, 403},
	[ERR_NOT_FOUND]              = {"NOT_FOUND", GRPC_NOT_FOUND, 404},
	[ERR_LABEL_TAKEN]            = {"LABEL_TAKEN", GRPC_ALREADY_EXISTS, 409},
	[ERR_KEY_IN_USE]             = {"KEY_IN_USE", GRPC_ALREADY_EXISTS, 409},
	[ERR_ADDRESS_IN_USE]         = {"ADDRESS_IN_USE", GRPC_ALREADY_EXISTS, 409},
	[ERR_IDEMPOTENCY_KEY_REUSED] = {"IDEMPOTENCY_KEY_REUSED", GRPC_ALREADY_EXISTS, 409},
	[ERR_DEVICE_CAP_REACHED]     = {"DEVICE_CAP_REACHED", GRPC_RESOURCE_EXHAUSTED, 409},
	[ERR_POOL_EXHAUSTED]         = {"POOL_EXHAUSTED", GRPC_RESOURCE_EXHAUSTED, 409},
	[ERR_RATE_LIMITED]           = {"RATE_LIMITED", GRPC_RESOURCE_EXHAUSTED, 429},
	[ERR_ADDRESS_OVERLAP]        = {"ADDRESS_OVERLAP", GRPC_FAILED_PRECONDITION, 400},
	[ERR_NEEDS_REHOME]           = {"NEEDS_REHOME", GRPC_FAILED_PRECONDITION, 400},
	[ERR_DEVICE_HAS_NO_KEY]      = {"DEVICE_HAS_NO_KEY", GRPC_FAILED_PRECONDITION, 400},
	[ERR_LICENCE_INVALID]        = {"LICENCE_INVALID", GRPC_FAILED_PRECONDITION, 400},
	[ERR_CALL_IN_PROGRESS]       = {"CALL_IN_PROGRESS", GRPC_ABORTED, 409},
	[ERR_INTERNAL]               = {"INTERNAL", GRPC_INTERNAL, 500},
	[ERR_CP_UNREACHABLE]         = {"CP_UNREACHABLE", GRPC_UNAVAILABLE, 503},
	[ERR_DRAINING]               = {"DRAINING", GRPC_UNAVAILABLE, 503},
	[ERR_OUTCOME_UNKNOWN]        = {"OUTCOME_UNKNOWN", GRPC_UNAVAILABLE, 503},
	[ERR_CANCELLED]              = {"CANCELLED", GRPC_CANCELLED, 499},
	[ERR_DEADLINE_EXCEEDED]      = {"DEADLINE_EXCEEDED", GRPC_DEADLINE_EXCEEDED, 504},
	[ERR_UNIMPLEMENTED]          = {"UNIMPLEMENTED", GRPC_UNIMPLEMENTED, 501},
	[ERR_MESSAGE_TOO_LARGE]      = {"MESSAGE_TOO_LARGE", GRPC_RESOURCE_EXHAUSTED, 413},
	[ERR_MESSAGE_INVALID]        = {"MESSAGE_INVALID", GRPC_INTERNAL, 400},
};

static const struct {
	const char *name;
	unsigned http;
} codes[] = {
	[GRPC_OK]                  = {"OK", 200},
	[GRPC_CANCELLED]           = {"CANCELLED", 499},
	[GRPC_UNKNOWN]             = {"UNKNOWN", 500},
	[GRPC_INVALID_ARGUMENT]    = {"INVALID_ARGUMENT", 400},
	[GRPC_DEADLINE_EXCEEDED]   = {"DEADLINE_EXCEEDED", 504},
	[GRPC_NOT_FOUND]           = {"NOT_FOUND", 404},
	[GRPC_ALREADY_EXISTS]      = {"ALREADY_EXISTS", 409},
	[GRPC_PERMISSION_DENIED]   = {"PERMISSION_DENIED", 403},
	[GRPC_RESOURCE_EXHAUSTED]  = {"RESOURCE_EXHAUSTED", 429},
	[GRPC_FAILED_PRECONDITION] = {"FAILED_PRECONDITION", 400},
	[GRPC_ABORTED]             = {"ABORTED", 409},
	[GRPC_OUT_OF_RANGE]        = {"OUT_OF_RANGE", 400},
	[GRPC_UNIMPLEMENTED]       = {"UNIMPLEMENTED", 501},
	[GRPC_INTERNAL]            = {"INTERNAL", 500},
	[GRPC_UNAVAILABLE]         = {"UNAVAILABLE", 503},
	[GRPC_DATA_LOSS]           = {"DATA_LOSS", 500},
	[GRPC_UNAUTHENTICATED]     = {"UNAUTHENTICATED", 401},
};
/* clang-format on */

_Static_assert(ARRAY_LEN(rows) == ERR_MAX_, "every enum err has a row");

/* A number that is no enum err is a bug of ours: told as one. */
static const struct err_row *row_of(enum err e)
{
	return (unsigned)e < ERR_MAX_ ? &rows[e] : &rows[ERR_INTERNAL];
}

const char *err_reason(enum err e)
{
	return row_of(e)->reason;
}

enum err err_from_reason(const char *reason)
{
	if (!reason)
		return ERR_MAX_;
	for (size_t i = 1; i < ERR_MAX_; i++) {
		if (strcmp(rows[i].reason, reason) == 0)
			return (enum err)i;
	}
	return ERR_MAX_;
}

enum grpc_code err_grpc(enum err e)
{
	return row_of(e)->code;
}

unsigned err_http(enum err e)
{
	return row_of(e)->http;
}

const char *err_grpc_name(enum grpc_code code)
{
	return (unsigned)code < ARRAY_LEN(codes) ? codes[code].name : "UNKNOWN";
}

unsigned err_http_of_grpc(enum grpc_code code)
{
	return (unsigned)code < ARRAY_LEN(codes) ? codes[code].http : 500;
}

int err_origin_at(int r, const char *file, int line, const char *func)
{
	if (r < 0)
		log_error("err", "%s at %s:%d in %s", strerror(-r), file, line, func);
	return r;
}

int err_trace_at(int r, const char *file, int line)
{
	if (r < 0)
		log_debug("err", "%s passed on at %s:%d", strerror(-r), file, line);
	return r;
}
