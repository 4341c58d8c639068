/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as the end of a call on a phone: the first byte says how long the
 * message is, the rest are the details as they stand in the header.
 */
#include <assert.h>
#include <stdint.h>
#include <string.h>

#include "client/mobile/qmn_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_text(const char *text, size_t cap)
{
	assert(memchr(text, '\0', cap));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct qmn_status_headers headers = {0};
	struct qmn_status status;
	size_t n;

	if (len < 1)
		return 0;
	n = data[0] < len - 1 ? data[0] : len - 1;
	headers.status = (struct qmn_text){(const char *)data, n < 2 ? n : 2};
	headers.message = (struct qmn_text){(const char *)data + 1, n};
	headers.details = (struct qmn_text){(const char *)data + 1 + n, len - 1 - n};
	qmn_status_parse(&headers, &status);
	assert(status.code <= 16);
	assert(status.n_meta <= QMN_STATUS_MAX_META);
	check_text(status.message, sizeof(status.message));
	check_text(status.reason, sizeof(status.reason));
	check_text(status.field, sizeof(status.field));
	check_text(status.field_description, sizeof(status.field_description));
	for (size_t i = 0; i < status.n_meta; i++) {
		check_text(status.meta[i].key, sizeof(status.meta[i].key));
		check_text(status.meta[i].value, sizeof(status.meta[i].value));
	}
	return 0;
}
