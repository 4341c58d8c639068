/* SPDX-License-Identifier: Apache-2.0 */
/* Small values as text: what is read and written again reads the same. */
#include <assert.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/cidr.h"
#include "base/key.h"
#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void check_cidr(const char *s)
{
	char text[CIDR_TEXT_LEN + 1], host[256];
	struct cidr c, again;
	uint16_t port;

	if (cidr_parse(s, &c) == 0) {
		assert(cidr_parse(cidr_text(&c, text), &again) == 0);
		assert(cidr_equal(&c, &again));
		again = cidr_network(&c);
		assert(cidr_contains(&again, &c) && cidr_overlaps(&c, &again));
	}
	if (hostport_split(s, host, &port) == 0)
		assert(port > 0 && strlen(host) > 0 && hostport_check(s) == 0);
	else
		assert(hostport_check(s) != 0);
}

static void check_text(const char *s, size_t len)
{
	uint8_t bytes[2048], bytes_again[2048];
	char out[TEXT_BASE64_LEN(2048) + 1];
	size_t n, n_again;
	struct uuid id;
	uint64_t number;
	struct key key;

	if (text_unbase64(s, len, bytes, sizeof(bytes), &n) == 0) {
		text_base64url(bytes, n, out);
		assert(text_unbase64(out, strlen(out), bytes_again, sizeof(bytes_again),
				     &n_again) == 0);
		assert(n == n_again && memcmp(bytes, bytes_again, n) == 0);
	}
	if (uuid_parse(s, &id) == 0)
		assert(strcasecmp(uuid_text(&id, out), s) == 0);
	if (key_parse(s, &key) == 0) {
		assert(strcmp(key_text(&key, out), s) == 0);
		key_usable(&key);
	}
	if (text_parse_u64(s, UINT64_MAX, &number) == 0)
		assert(strspn(s, "0123456789") == len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
	char s[1024];

	if (len >= sizeof(s) || (len && memchr(data, '\0', len)))
		return 0;
	if (len)
		memcpy(s, data, len);
	s[len] = '\0';
	check_cidr(s);
	check_text(s, len);
	return 0;
}
