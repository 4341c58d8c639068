/* SPDX-License-Identifier: Apache-2.0 */
/* What is wrong with the Control Panel just now: its store. */
#ifndef QM_CPHEALTH_H
#define QM_CPHEALTH_H

#include "server/rpc/health.h"

/* For health_new; owner is the struct cp. */
void cphealth_probe(void *owner, struct health_report *report);

#endif
