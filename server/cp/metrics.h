/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What /metrics tells of this daemon: sums, and by name the nodes that are not up to date, 256 of
 * them at most. Nothing of a single device, person or key.
 */
#ifndef QM_METRICS_H
#define QM_METRICS_H

#include "base/text.h"

/* Appends "name value\n" lines; owner is the struct cp. */
void metrics_add(void *owner, struct text *out);

#endif
