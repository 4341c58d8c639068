/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a userspace WireGuard's answer: the list stays sound whatever comes. */
#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "server/wg/uapi.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct wg_list l = {0};
	char *text = malloc(len + 1), *save = NULL;

	assert(text);
	memcpy(text, data, len);
	text[len] = '\0';
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (uapi_parse_line(&l, line) < 0)
			break;
	for (size_t i = 0; i < l.n_peers; i++)
		assert(l.peers[i].first_prefix + l.peers[i].n_prefixes <= l.n_prefixes);
	wglist_sort(&l);
	for (size_t i = 0; i < l.n_peers; i++)
		assert(wglist_find(&l, &l.peers[i].public_key));
	wglist_done(&l);
	free(text);
	return 0;
}
