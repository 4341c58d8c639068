/* SPDX-License-Identifier: Apache-2.0 */
/* Where a change has arrived: what the metadata of an answer says about it. */
#ifndef QM_CONVERGE_H
#define QM_CONVERGE_H

#include "client/cli/command.h"

/* --wait DURATION in ms, at most 5 s; 0 without it. An exit code after saying why. */
int converge_wait(const struct cli *cli, uint32_t *ret_wait_ms) _must_check_;
/* "on 12 of 12 nodes after 180 ms" on out. EXIT_TIMED_OUT when --wait was given and it was not
 * enough. */
int converge_report(const struct cli *cli, const struct qm_reply *reply, FILE *out) _must_check_;

#endif
