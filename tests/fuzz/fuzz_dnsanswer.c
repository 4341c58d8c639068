/* SPDX-License-Identifier: Apache-2.0 */
/* Any packet: an answer is whole, is an answer to it, fits, and is never much larger. */
#include <assert.h>
#include <string.h>

#include "server/dns/dnsanswer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* The longest records beside a question: an SOA and an OPT. */
#define GROWTH_MAX 300

static struct zone *make_zone(void)
{
	struct zone_head head = {.serial = 1, .self = "n1"};
	struct zone_host hosts[] = {{.name = "n1"}, {.name = "phone"}};
	uint8_t ip6[16] = {0xfd, 0, 0, 0x77};

	head.range4 = cidr_v4(0x0a4d0000, 16);
	head.range6 = cidr_v6(ip6, 48);
	for (unsigned i = 0; i < ARRAY_LEN(hosts); i++) {
		ip6[15] = (uint8_t)(i + 1);
		hosts[i].ip4 = cidr_v4(0x0a4d0001 + i, 32);
		hosts[i].ip6 = cidr_v6(ip6, 128);
	}
	return zone_new(&head, hosts, ARRAY_LEN(hosts));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	static const struct dnsanswer_terms ways[] = {
		{.forwards = true}, {.max = 65535, .forwards = true}, {.max = 64}};
	static struct zone *z;
	uint8_t copy[DNSWIRE_QUERY_MAX];

	if (!z)
		z = make_zone();
	assert(z);
	if (len > DNSWIRE_QUERY_MAX)
		return 0;
	for (size_t i = 0; i < ARRAY_LEN(ways); i++) {
		struct dnsanswer_packet ret;
		struct dnswire_question q;
		enum dnsanswer what = dnsanswer_make(z, data, len, &ways[i], &ret);

		if (what == DNSANSWER_FORWARD)
			assert(ways[i].forwards && dnswire_read(data, len, &q) == 0 &&
			       ret.limit >= 64);
		if (what != DNSANSWER_SEND)
			continue;
		assert(ret.len >= DNSWIRE_HEAD_LEN && ret.len <= sizeof(ret.bytes));
		assert(ret.len <= len + GROWTH_MAX);
		assert(ret.bytes[0] == data[0] && ret.bytes[1] == data[1] && ret.bytes[2] & 0x80);
		/* Nobody answers an answer. */
		assert(dnsanswer_make(z, ret.bytes, ret.len, &ways[0],
				      &(struct dnsanswer_packet){0}) == DNSANSWER_DROP);
	}
	/* What an upstream may send is cut and compared in place. */
	memcpy(copy, data, len);
	if (len >= DNSWIRE_HEAD_LEN)
		assert(dnswire_cut(copy, len) <= len);
	return 0;
}
