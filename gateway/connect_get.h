/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connect's GET: the message stands in the URL, so that a browser need not ask
 * first and links work: ?connect=v1&encoding=json&message=...&base64=1&compression=gzip
 */
#ifndef QM_CONNECT_GET_H
#define QM_CONNECT_GET_H

#include "gateway/webcall.h"

/* The whole request; the method is unary and has no side effects. */
void connect_get_open(struct exchange *x, struct web *web, const struct method *method,
		      const struct web_protocol *protocol, struct web_head *head);

#endif
