/* SPDX-License-Identifier: Apache-2.0 */
/* google.rpc.Status from a peer: decoded, written again, read again: the same. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_words(const struct status *s)
{
	char *percent = status_percent(s->message), *back, *json = status_json(s);

	assert(percent && json);
	back = status_unpercent(percent);
	assert(back && strcmp(back, s->message ? s->message : "") == 0);
	free(back);
	free(percent);
	free(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct status s, again;
	uint8_t *bytes, *bytes_again;
	size_t n, n_again;

	if (status_decode(data, len, &s) != 0)
		return 0;
	check_words(&s);
	if (status_encode(&s, &bytes, &n) == 0) {
		assert(status_decode(bytes, n, &again) == 0);
		assert(again.code == s.code && again.err == s.err && again.retry_ms == s.retry_ms);
		assert(status_encode(&again, &bytes_again, &n_again) == 0);
		assert(n == n_again && memcmp(bytes, bytes_again, n) == 0);
		free(bytes_again);
		free(bytes);
		status_done(&again);
	}
	status_done(&s);
	return 0;
}
