/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The request of a caller who streams, over gRPC-Web and Connect: messages go
 * to the handler one by one, as fast as it takes them; the body waits meanwhile.
 * On the call's loop.
 */
#ifndef QM_WEBSTREAM_H
#define QM_WEBSTREAM_H

#include "gateway/webcall.h"

/* Bytes are in, the body is over, or the handler takes messages again. */
void webstream_data(struct webcall *w, const uint8_t *p, size_t len);
void webstream_end(struct webcall *w);
void webstream_pump(struct webcall *w);

#endif
