/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A PeerList from the stream or the cache: whatever is taken must come out of
 * members_encode as the same set, and the view of any node must be sound.
 */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/sign.h"
#include "server/peers/view.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_view(const struct members *ms, const struct uuid *self)
{
	struct view v;

	assert(view_make(ms, self, NULL, &v) == 0);
	for (size_t i = 0; i < v.n_peers; i++)
		assert(v.peers[i].first_prefix + v.peers[i].n_prefixes <= v.n_prefixes);
	view_done(&v);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct members *ms = members_new(), *again = members_new();
	uint8_t *bytes;
	size_t n;

	assert(ms && again && sign_init() == 0);
	if (members_apply(ms, data, len, NULL) == 0) {
		assert(members_encode(ms, 0, SIZE_MAX, &bytes, &n) == 0);
		assert(members_apply(again, bytes, n, NULL) == 0);
		assert(members_count(ms) == members_count(again));
		assert(digest_equal(members_digest(ms), members_digest(again)));
		for (size_t i = 0; i < members_count(ms); i++)
			check_view(ms, &members_at(ms, i)->id);
		free(bytes);
	}
	members_free(ms);
	members_free(again);
	return 0;
}
