/* SPDX-License-Identifier: Apache-2.0 */
#include "server/cp/fields.h"

#include "base/cidr.h"
#include "base/key.h"

Google__Protobuf__Timestamp *fields_time(struct call *call, int64_t ms)
{
	return fields_time_in(&call->arena, ms);
}

Google__Protobuf__Timestamp *fields_time_in(struct arena *arena, int64_t ms)
{
	Google__Protobuf__Timestamp *t;

	if (!ms)
		return NULL;
	t = arena_new(arena, Google__Protobuf__Timestamp);
	if (!t)
		return NULL;
	google__protobuf__timestamp__init(t);
	t->seconds = ms / 1000;
	t->nanos = (int32_t)(ms % 1000) * 1000000;
	if (t->nanos < 0) {
		t->seconds--;
		t->nanos += 1000000000;
	}
	return t;
}

int64_t fields_ms(const Google__Protobuf__Timestamp *t)
{
	/* Up to the year 9999: what follows is multiplied. */
	if (!t || t->seconds < 0 || t->seconds > INT64_C(253402300799))
		return 0;
	return t->seconds * 1000 + t->nanos / 1000000;
}

char *fields_uuid(struct call *call, const struct uuid *id)
{
	char *s = call_alloc(call, UUID_TEXT_LEN + 1);

	if (s && !uuid_is_nil(id))
		uuid_text(id, s);
	return s;
}

static char *address(struct call *call, const struct cidr *c, bool with_length)
{
	char *s = call_alloc(call, CIDR_TEXT_LEN + 1);

	if (s && with_length)
		cidr_text(c, s);
	else if (s)
		cidr_addr_text(c, s);
	return s;
}

char *fields_ip4(struct call *call, uint32_t ip4)
{
	struct cidr c = cidr_v4(ip4, 32);

	return address(call, &c, false);
}

char *fields_ip6(struct call *call, const uint8_t ip6[16])
{
	struct cidr c = cidr_v6(ip6, 128);

	return address(call, &c, false);
}

char *fields_range4(struct call *call, uint32_t range4)
{
	struct cidr c = cidr_v4(range4, 16);

	return address(call, &c, true);
}

char *fields_range6(struct call *call, const uint8_t range6[16])
{
	struct cidr c = cidr_v6(range6, 48);

	return address(call, &c, true);
}

char *fields_key(struct call *call, const uint8_t key[32])
{
	char *s = call_alloc(call, KEY_TEXT_LEN + 1);

	if (s)
		text_base64(key, KEY_LEN, s);
	return s;
}

int fields_page(struct call *call, const char *token, struct uuid *ret_after)
{
	*ret_after = (struct uuid){0};
	if (!*token)
		return 0;
	if (text_unhex(token, ret_after->b, sizeof(ret_after->b)))
		return call_fail(call, ERR_PAGE_TOKEN_INVALID,
				 "The page token is not one of ours. Start anew.");
	return 0;
}

char *fields_page_token(struct call *call, const struct uuid *last)
{
	char *s = call_alloc(call, TEXT_HEX_LEN(sizeof(last->b)) + 1);

	if (s)
		text_hex(last->b, sizeof(last->b), s);
	return s;
}
