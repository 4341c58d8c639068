/* SPDX-License-Identifier: Apache-2.0 */
/* One HTTP/2 connection from the client's side: preface, requests, frames between them. */
#ifndef QM_FRAMES_H
#define QM_FRAMES_H

#include "tests/attack/mutate/asking.h"

/* Appends all bytes; how many requests they begin. */
size_t frames_make(struct octets *out, struct dice *d, const struct seeds *seeds);

#endif
