/* SPDX-License-Identifier: Apache-2.0 */
/* What /metrics tells of a node. */
#ifndef QM_NODECOUNT_H
#define QM_NODECOUNT_H

#include "base/text.h"

/* Appends "name value\n" lines; owner is the struct node. */
void nodecount_add(void *owner, struct text *out);

#endif
