/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The firewall around a node's interface: our own table, the rules of others, and what the
 * state says of both (applier.forwarding). Belongs to the keeper's thread, as the applier does.
 */
#ifndef QM_FENCE_H
#define QM_FENCE_H

#include <stdbool.h>

struct applier;

/* Puts the table in place, or with firewall = off takes back what an earlier start left. */
void fence_set(struct applier *a);
/* Looks at the rules of others, and integrates if that is asked for. True: our table is gone. */
bool fence_look(struct applier *a);

#endif
