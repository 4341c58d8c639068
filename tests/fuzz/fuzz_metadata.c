/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Metadata as it comes and goes: "name: value" lines into a list, "-bin" values
 * decoded and, sent again, the same; percent coding of messages; deadlines and
 * lists of encodings.
 */
#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "client/mdlist.h"
#include "gateway/connect.h"
#include "server/rpc/grpc.h"
#include "server/rpc/packing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* What may be sent arrives as it was. */
static void send_again(const struct qm_md *md)
{
	struct mdlist sent = {0}, back = {0};

	if (mdlist_add_own(&sent, md) == 0) {
		size_t name_len = strlen(sent.v[0].name);

		assert(sent.n == 1);
		assert(mdlist_add_wire(&back, sent.v[0].name, name_len, sent.v[0].value,
				       sent.v[0].value_len) == 0);
		assert(back.n == 1 && back.v[0].value_len == md->value_len);
		assert(memcmp(back.v[0].value, md->value, md->value_len) == 0);
	}
	mdlist_done(&sent);
	mdlist_done(&back);
}

static void one_line(struct mdlist *list, const char *line, size_t len)
{
	const char *colon = memchr(line, ':', len);
	size_t name_len = colon ? (size_t)(colon - line) : 0, before = list->n, bytes = list->bytes;
	int r;

	if (!colon || memchr(line, '\0', name_len))
		return;
	r = mdlist_add_wire(list, line, name_len, colon + 1, len - name_len - 1);
	assert(r == 0 || r == -EBADMSG);
	assert(list->n <= before + len);
	/* A byte of a list of values brings an entry of its own at most. */
	assert(list->bytes - bytes <= len * (name_len + 33));
	for (size_t i = before; i < list->n; i++)
		send_again(&list->v[i]);
}

static void words(const char *s)
{
	char *plain = status_unpercent(s), *coded, *back;
	uint64_t ms = 0;

	assert(plain && text_utf8_ok(plain, strlen(plain)));
	coded = status_percent(plain);
	assert(coded && strspn(coded, "\n\r\t") == 0);
	for (const char *p = coded; *p; p++)
		assert(*p >= 0x20 && *p <= 0x7e);
	back = status_unpercent(coded);
	assert(back && strcmp(back, plain) == 0);
	if (grpc_timeout_parse(s, &ms) == 0)
		assert(ms >= 1);
	if (connect_timeout_parse(s, &ms) == 0)
		assert(ms >= 1);
	(void)packing_lists_gzip(s);
	free(plain);
	free(coded);
	free(back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	struct mdlist list = {0};
	const char *p = (const char *)data, *end = p + len;
	char *text;

	while (p < end) {
		const char *stop = memchr(p, '\n', (size_t)(end - p));

		stop = stop ? stop : end;
		one_line(&list, p, (size_t)(stop - p));
		p = stop + (stop < end);
	}
	mdlist_done(&list);
	text = strndup((const char *)data, len);
	assert(text);
	words(text);
	free(text);
	return 0;
}
