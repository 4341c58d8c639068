/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A status as Connect tells it: {"code", "message", "details": [{"type",
 * "value", "debug"}]}, of the same google.rpc.Status that gRPC sends. "debug"
 * is the detail in JSON, for people; it is left out for a type that is unknown.
 */
#ifndef QM_CONNECT_ERROR_H
#define QM_CONNECT_ERROR_H

#include "base/status.h"
#include "base/text.h"
#include "gateway/webcall.h"

/* Appends the object; types: as service_types has them. */
void connect_error_json(const struct status *st, const struct json_types *types, struct text *out);
/* The whole answer of a unary call that failed; w's call has the status. */
void connect_error_send(struct webcall *w);
/* The whole answer where no call was made. */
void connect_error_refuse(struct exchange *x, const struct web *web, unsigned http,
			  const struct status *why);

#endif
