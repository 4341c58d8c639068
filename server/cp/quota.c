/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/quota.h"

#define ONE 1000u

uint64_t quota_take(struct quota *q, uint32_t n, uint32_t at_once, uint32_t per_s, uint64_t now_ms)
{
	uint64_t wanted = (uint64_t)n * ONE, all = (uint64_t)at_once * ONE;
	uint64_t refilled = now_ms > q->at_ms ? (now_ms - q->at_ms) * per_s : 0;

	q->used_milli = q->used_milli > refilled ? q->used_milli - refilled : 0;
	if (now_ms > q->at_ms)
		q->at_ms = now_ms;
	if (q->used_milli + wanted > all)
		return (q->used_milli + wanted - all + per_s - 1) / per_s;
	q->used_milli += wanted;
	return 0;
}
