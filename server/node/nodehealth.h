/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with this node just now: interface, list, Control Panel, firewall, DNS. */
#ifndef QM_NODEHEALTH_H
#define QM_NODEHEALTH_H

#include "server/rpc/health.h"

/* For health_new; owner is the struct node. */
void nodehealth_probe(void *owner, struct health_report *report);

#endif
