/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer of a Connect stream: HTTP 200, enveloped messages, and a last
 * envelope with flag 2 that tells the end as JSON {"error", "metadata"}.
 */
#ifndef QM_CONNECT_STREAM_H
#define QM_CONNECT_STREAM_H

#include "gateway/webcall.h"

extern const struct web_protocol connect_stream_protocol;

/* Content-type and compression of a stream's request. False: a type there is none of. */
bool connect_stream_head(const struct exchange *x, struct web_head *h);
/* The whole answer where no call was made. */
void connect_stream_refuse(struct exchange *x, const struct web *web, const struct web_head *h,
			   const struct status *why);

#endif
