/* SPDX-License-Identifier: Apache-2.0 */
/* The table of nodes, for people and for the operator. */
#ifndef QM_NODETABLE_H
#define QM_NODETABLE_H

#include "gen/rpc/stubs.h"

void nodetable_print(Pb__Node *const *nodes, size_t n);

#endif
