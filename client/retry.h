/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a call goes out once more (gRFC A6): idempotent ones after failures
 * that may pass, five tries in all, later each time, never against the
 * server's word, never beyond the deadline. Pure but for the dice.
 */
#ifndef QM_RETRY_H
#define QM_RETRY_H

#include "client/qcall.h"

#define RETRY_MAX_TRIES 5
#define RETRY_FIRST_MS 100
#define RETRY_LAST_MS 2000

/* Counts the try that just failed. true: once more, at *ret_at. */
bool retry_later(struct qm_call *call, uint64_t now_ms, uint64_t *ret_at);
/* A try that provably reached nobody. true: at once, on another connection. */
bool retry_now(struct qm_call *call, enum qcall_end end);
/* ms, give or take a fifth, so that many clients do not come at once. */
uint64_t retry_jitter(uint64_t ms);

#endif
