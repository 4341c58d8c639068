/* SPDX-License-Identifier: Apache-2.0 */
/* A call's trailing metadata as Connect has it: HTTP headers of a unary answer, JSON of a stream.
 */
#ifndef QM_CONNECT_TRAILER_H
#define QM_CONNECT_TRAILER_H

#include "gateway/answer.h"
#include "gateway/webcall.h"

/* "trailer-<name>" for each. */
void connect_trailer_headers(const struct webcall *w, struct answer *a);
/* The member "metadata" with a comma in front when needed; nothing when there is none. */
void connect_trailer_json(const struct webcall *w, struct text *json);

#endif
