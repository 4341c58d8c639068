/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The query of a Connect GET, by the file's own functions: a parameter that was
 * written percent-coded reads as it was, refused ones say why, and the message
 * never has more bytes than the query.
 */
#include "gateway/connect_get.c" /* for what is static in it */

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void any_query(const char *query)
{
	_cleanup_(params_done) struct params p = {.why = NULL};
	struct web_head h = {.refusal = ERR_NONE};

	read_params(query, &p);
	judge(&p, &h);
	assert(!h.refusal || h.why);
	if (h.refusal)
		return;
	assert(p.message.bytes && p.message.len <= strlen(query));
	assert(p.encoding.len <= strlen(query));
}

/* The bytes as a parameter, with another before and behind. */
static void own_query(const uint8_t *data, size_t len)
{
	_cleanup_(params_done) struct params p = {.why = NULL};
	_cleanup_(text_done) struct text query = TEXT_INIT(1u << 20);
	struct web_head h = {.refusal = ERR_NONE};

	text_adds(&query, "utm=1&message=");
	for (size_t i = 0; i < len; i++)
		text_addf(&query, i % 2 ? "%%%02x" : "%%%02X", data[i]);
	text_adds(&query, "&connect=v1&encoding=proto&x");
	assert(!query.failed);
	read_params(query.s, &p);
	judge(&p, &h);
	assert(!h.refusal && p.message.len == len && memcmp(p.message.bytes, data, len) == 0);
	assert(param_is(&p.encoding, "proto"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char *query = strndup((const char *)data, len);

	assert(query);
	any_query(query);
	free(query);
	own_query(data, len < 10000 ? len : 10000);
	return 0;
}
