/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Kernel switches that forwarding needs. What they were before the first
 * change lies in <state_dir>/sysctl.saved; sysctl_restore puts it back.
 */
#ifndef QM_SYSCTL_H
#define QM_SYSCTL_H

#include "base/cleanup.h"

/* Forwarding for v4 and v6, no ICMP redirects out of the interface. Best effort for v6. */
int sysctl_forward(const char *interface, const char *state_dir) _must_check_;
/* What a run of ours changed, as it was; 0 when there is nothing saved. */
int sysctl_restore(const char *state_dir) _must_check_;

#endif
