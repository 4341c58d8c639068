/* SPDX-License-Identifier: Apache-2.0 */
/* Ids of everything we store: UUID version 7 (RFC 9562), so that they sort by age. */
#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "base/sign.h"
#include "base/text.h"

struct uuid uuid_make(void)
{
	uint64_t ms = (uint64_t)clock_wall_ms();
	struct uuid id;

	sign_random(id.b, sizeof(id.b));
	for (int i = 0; i < 6; i++)
		id.b[i] = (uint8_t)(ms >> (40 - 8 * i));
	id.b[6] = (uint8_t)(0x70 | (id.b[6] & 0x0f));
	id.b[8] = (uint8_t)(0x80 | (id.b[8] & 0x3f));
	return id;
}

/* Bytes before which a hyphen stands. */
static bool hyphen_before(int i)
{
	return i == 4 || i == 6 || i == 8 || i == 10;
}

const char *uuid_text(const struct uuid *id, char *ret)
{
	char *p = ret;

	for (int i = 0; i < 16; i++) {
		if (hyphen_before(i))
			*p++ = '-';
		text_hex(&id->b[i], 1, p);
		p += 2;
	}
	return ret;
}

int uuid_parse(const char *s, struct uuid *ret_id)
{
	char hex[33];
	size_t n = 0;

	if (strnlen(s, UUID_TEXT_LEN + 1) != UUID_TEXT_LEN)
		return -EINVAL;
	for (int i = 0; i < 16; i++) {
		if (hyphen_before(i) && *s++ != '-')
			return -EINVAL;
		hex[n++] = *s++;
		hex[n++] = *s++;
	}
	hex[n] = '\0';
	return text_unhex(hex, ret_id->b, sizeof(ret_id->b));
}

bool uuid_equal(const struct uuid *a, const struct uuid *b)
{
	return memcmp(a->b, b->b, sizeof(a->b)) == 0;
}

bool uuid_is_nil(const struct uuid *a)
{
	static const struct uuid nil;

	return uuid_equal(a, &nil);
}
