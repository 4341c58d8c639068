/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 requests as they should not be written. */
#ifndef QM_HEADS_H
#define QM_HEADS_H

#include "tests/attack/mutate/asking.h"

/* Appends all bytes; how many requests they begin. */
size_t heads_make(struct octets *out, struct dice *d, const struct seeds *seeds);

#endif
