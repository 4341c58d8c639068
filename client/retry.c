/* SPDX-License-Identifier: Apache-2.0 */
/* When a call goes out once more; see retry.h. */
#include "client/retry.h"

#include "base/sign.h"

/* A server that refuses twice means it; connections may go away more often than that. */
#define REFUSED_MAX 1
#define UNTOUCHED_MAX 5

uint64_t retry_jitter(uint64_t ms)
{
	uint16_t random;

	sign_random(&random, sizeof(random));
	return ms * 4 / 5 + ms * 2 / 5 * random / UINT16_MAX;
}

bool retry_later(struct qm_call *call, uint64_t now_ms, uint64_t *ret_at)
{
	uint64_t delay = RETRY_FIRST_MS;

	if (!call->idempotent || call->committed || call->pushback_ms == QCALL_PUSHBACK_NEVER)
		return false;
	if (++call->tries >= RETRY_MAX_TRIES)
		return false;
	for (unsigned i = 1; i < call->tries && delay < RETRY_LAST_MS; i++)
		delay *= 2;
	delay = retry_jitter(delay < RETRY_LAST_MS ? delay : RETRY_LAST_MS);
	if (call->status.retry_ms > delay)
		delay = call->status.retry_ms;
	if (call->pushback_ms >= 0)
		delay = (uint64_t)call->pushback_ms;
	if (call->deadline && now_ms + delay >= call->deadline)
		return false;
	if (!outbox_rewind(&call->requests))
		return false;
	*ret_at = now_ms + delay;
	return true;
}

bool retry_now(struct qm_call *call, enum qcall_end end)
{
	unsigned most = end == QCALL_REFUSED ? REFUSED_MAX : UNTOUCHED_MAX;

	if (call->n_resent >= most || !outbox_rewind(&call->requests))
		return false;
	call->n_resent++;
	return true;
}
